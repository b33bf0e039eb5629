//! reveal: the mask between its cells' centres, both images, the gradient, and the adjoint.

use protogpu::ops::Reveal;

use crate::tests::harness::{Outcome, Rig, Table, adjoint, batch_independent, by, close, exact, images, refused, root};
use crate::tests::twin::check::central_differences;
use crate::tests::twin::random::Random;
use crate::tests::twin::{Tensor, reveal};

fn forward(x: &Tensor, b: &Tensor, mask: &Tensor) -> Outcome<Tensor> {
    let mut rig = Rig::default();
    let [n, c, h, w] = x.shape;
    let y = rig.output("y", [2 * n, c, h, w]);
    let (x, b, mask) = (rig.input("x", x), rig.input("b", b), rig.input("mask", mask));
    Reveal.forward(&mut rig.rec, x, b, mask, y)?;
    rig.run()?.read(y)
}

fn backward(dy: &Tensor, x: &Tensor, b: &Tensor, [h, w]: [usize; 2]) -> Outcome<Tensor> {
    let mut rig = Rig::default();
    let dmask = rig.output("dmask", [x.shape[0], 1, h, w]);
    let (dy, x, b) = (rig.input("dy", dy), rig.input("x", x), rig.input("b", b));
    Reveal.backward(&mut rig.rec, dy, x, b, dmask)?;
    rig.run()?.read(dmask)
}

/// The two images of each of these.
fn pairs(n: &[usize]) -> Vec<usize> {
    n.iter().flat_map(|&n| [2 * n, 2 * n + 1]).collect()
}

#[test]
fn reveal() {
    let mut table = Table::new("reveal");
    for (shape, cells) in [
        ([1, 3, 8, 8], [2, 2]),
        ([2, 3, 13, 11], [5, 3]),
        ([3, 1, 7, 70], [7, 9]),
        ([1, 2, 1, 1], [1, 1]),
        ([3, 3, 9, 20], [1, 13]),
        ([1, 1, 66, 5], [65, 5]),
    ] {
        let mut random = Random(5);
        let [x, b] = [0; 2].map(|_| random.tensor(shape, 0.0, 1.0));
        let mask = random.tensor([shape[0], 1, cells[0], cells[1]], 0.0, 1.0);
        let dy = random.tensor([2 * shape[0], shape[1], shape[2], shape[3]], -1.0, 1.0);
        let name = format!("{} by {}", by(&shape), by(&cells));
        table.case(format!("forward {name}"), || {
            let want = reveal::forward(&x, &b, &mask);
            close("y", &forward(&x, &b, &mask)?, &want, &Tensor::filled(want.shape, 2.0), 4.0)
        });
        let magnitude = reveal::backward(&dy.map(f64::abs), &x, &x.map(|_| -1.0), cells);
        let magnitude = magnitude.map(|m| m.abs() + shape[1] as f64 * (shape[2] * shape[3]) as f64);
        let k = root(shape[1] * shape[2] * shape[3]);
        table.case(format!("backward {name}"), || {
            close("dmask", &backward(&dy, &x, &b, cells)?, &reveal::backward(&dy, &x, &b, cells), &magnitude, k)
        });
        table.case(format!("differences {name}"), || {
            let want = central_differences(&mask, 1e-5, |mask| dy.dot(&reveal::forward(&x, &b, mask)));
            close("dmask", &backward(&dy, &x, &b, cells)?, &want, &magnitude.map(|m| m + 0.1), k)
        });
        table.case(format!("adjoint {name}"), || {
            // Without the part that does not depend on the mask.
            let still = forward(&x, &b, &mask.map(|_| 0.0))?;
            let y = forward(&x, &b, &mask)?.zip(&still, |y, still| y - still);
            let dmask = backward(&dy, &x, &b, cells)?;
            adjoint([&dy, &y], [&dmask, &mask], dy.map(f64::abs).data.iter().sum::<f64>() * 2.0, k)
        });
        if shape[0] == 3 {
            table.case(format!("batch {name}"), || {
                batch_independent(|n| {
                    let ([x, b, mask], dy) = ([&x, &b, &mask].map(|t| images(t, n)), images(&dy, &pairs(n)));
                    // As one image with twice the channels, so that both are compared.
                    let y = forward(&x, &b, &mask)?;
                    let y = Tensor::new([n.len(), 2 * shape[1], shape[2], shape[3]], y.data);
                    Ok(vec![y, backward(&dy, &x, &b, cells)?])
                })
            });
        }
    }
    table.case("a mask of ones is the image, then the background", || {
        let mut random = Random(6);
        let [x, b] = [0; 2].map(|_| random.tensor([1, 3, 6, 5], 0.0, 1.0).map(|v| (v * 256.0).round() / 256.0));
        let y = forward(&x, &b, &Tensor::filled([1, 1, 3, 2], 1.0))?;
        exact("kept", &images(&y, &[0]), &x)?;
        exact("left", &images(&y, &[1]), &b)
    });
    table.case("other shapes", || {
        let mut rig = Rig::default();
        let [x, y, mask] = [[2, 3, 8, 6], [4, 3, 8, 6], [2, 1, 4, 3]].map(|shape| rig.output("t", shape));
        let [large, other, two, one] =
            [[2, 1, 9, 3], [1, 1, 4, 3], [2, 2, 4, 3], [2, 3, 8, 5]].map(|shape| rig.output("t", shape));
        let rec = &mut rig.rec;
        let fits = "the mask is [2,1,9,3], but must be [2,1,h,w] with h up to 8 and w up to 6";
        refused("large", Reveal.forward(rec, x, x, large, y), fits)?;
        refused("batch", Reveal.forward(rec, x, x, other, y), "the mask is [1,1,4,3], but must be [2,1,h,w]")?;
        refused("channels", Reveal.backward(rec, y, x, x, two), "the mask is [2,2,4,3], but must be [2,1,h,w]")?;
        refused("b", Reveal.forward(rec, x, one, mask, y), "x is [2,3,8,6] but b is [2,3,8,5]")?;
        refused("y", Reveal.forward(rec, x, x, mask, x), "y is [2,3,8,6], but must have two images for each of x")?;
        refused("dy", Reveal.backward(rec, x, x, x, mask), "dy is [2,3,8,6], but must have two images for each of x")?;
        let far = rig.rec.kept("far", 1);
        let [wide, twice] = [1, 2].map(|n| protogpu::ops::Tensor::new(far, protogpu::Shape::new(n, 1, 1, 1 << 15)));
        let cell = rig.output("cell", [1, 1, 1, 1]);
        refused("side", Reveal.forward(&mut rig.rec, wide, wide, cell, twice), "sides must be at most 16384")
    });
    table.finish();
}
