//! soft_top_k: the area, the order, and the gradient under a threshold that moves with the values.

use protogpu::ops::{Clock, SoftTopK};

use crate::tests::harness::{Outcome, Rig, Table, batch_independent, by, close, exact, gradient, images, refused};
use crate::tests::twin::random::Random;
use crate::tests::twin::{Tensor, soft_top_k};

/// Areas of up to three images, exact as f32.
const AREAS: [f64; 3] = [0.125, 0.5, 0.03125];

/// y at the second of two steps.
fn forward(x: &Tensor, areas: &[f64]) -> Outcome<Tensor> {
    let mut rig = Rig::default();
    let words: Vec<u32> = vec![0.75; areas.len()].iter().chain(areas).map(|&area| (area as f32).to_bits()).collect();
    let (areas, clock) = (rig.words("areas", &words), Clock { step: rig.words("clock", &[1]), steps: 2 });
    let (x, y) = (rig.input("x", x), rig.output("y", x.shape));
    SoftTopK.forward(&mut rig.rec, x, areas, clock, y)?;
    rig.run()?.read(y)
}

fn backward(dy: &Tensor, y: &Tensor) -> Outcome<Tensor> {
    let mut rig = Rig::default();
    let (dy, y, dx) = (rig.input("dy", dy), rig.input("y", y), rig.output("dx", dy.shape));
    SoftTopK.backward(&mut rig.rec, dy, y, dx)?;
    rig.run()?.read(dx)
}

/// The threshold is known to a few units in the last place of the largest |x|, 8, and y moves by a quarter of that; the sums add their own.
const K: f64 = 64.0;

#[test]
fn soft_top_k() {
    let mut table = Table::new("soft_top_k");
    for shape in [[1, 1, 1, 2], [3, 1, 5, 7], [1, 1, 28, 28], [2, 1, 8, 8], [3, 1, 1, 65]] {
        let mut random = Random(2);
        let (x, dy) = (random.tensor(shape, -8.0, 8.0), random.tensor(shape, -1.0, 1.0));
        let (name, areas) = (by(&shape), &AREAS[..shape[0]]);
        let ones = Tensor::filled(shape, 1.0);
        let y = soft_top_k::forward(&x, areas).map(|v| f64::from(v as f32));
        table.case(format!("forward {name}"), || {
            close("y", &forward(&x, areas)?, &soft_top_k::forward(&x, areas), &ones, K)
        });
        table.case(format!("area {name}"), || {
            let y = forward(&x, areas)?;
            for (y, area) in y.data.chunks(shape[2] * shape[3]).zip(areas) {
                let mean = y.iter().sum::<f64>() / y.len() as f64;
                assert!((mean - area).abs() < 1e-5, "{mean}, not {area}");
            }
            Ok(())
        });
        table.case(format!("backward {name}"), || {
            close("dx", &backward(&dy, &y)?, &soft_top_k::backward(&dy, &y), &ones, 16.0)
        });
        if shape[0] == 3 {
            table.case(format!("differences {name}"), || {
                gradient(&backward(&dy, &y)?, &x, &ones, K, |x| dy.dot(&soft_top_k::forward(x, areas)))
            });
            table.case(format!("batch {name}"), || {
                batch_independent(|n| {
                    let areas: Vec<f64> = n.iter().map(|&n| areas[n]).collect();
                    Ok(vec![forward(&images(&x, n), &areas)?, backward(&images(&dy, n), &images(&y, n))?])
                })
            });
        }
    }
    table.case("values far apart are chosen hard, and nothing moves", || {
        let x = Tensor::new([1, 1, 1, 4], vec![-4096.0, 4096.0, 0.0, -1024.0]);
        let y = forward(&x, &[0.5])?;
        close("y", &y, &Tensor::new(x.shape, vec![0.0, 1.0, 1.0, 0.0]), &Tensor::filled(x.shape, 1.0), 8.0)?;
        exact("dx", &backward(&x, &y.map(f64::round))?, &Tensor::zeros(x.shape))
    });
    table.case("equal values share the area", || {
        let x = Tensor::filled([1, 1, 3, 5], 0.25);
        close("y", &forward(&x, &[0.125])?, &Tensor::filled(x.shape, 0.125), &Tensor::filled(x.shape, 1.0), 8.0)
    });
    table.case("areas that no host should write stay between 0 and 1", || {
        let x = Random(3).tensor([1, 1, 4, 4], -1.0, 1.0);
        for area in [0.0, 1.0, -1.0, 2.0, f64::INFINITY, f64::NEG_INFINITY] {
            let y = forward(&x, &[area])?;
            assert!(y.data.iter().all(|y| (0.0..=1.0).contains(y)), "{area}: {y:?}");
        }
        Ok(())
    });
    table.case("nan stays", || {
        let mut x = Random(4).tensor([2, 1, 4, 4], -1.0, 1.0);
        x[[0, 0, 2, 1]] = f64::NAN;
        let y = forward(&x, &AREAS[..2])?;
        assert!(images(&y, &[0]).data.iter().all(|y| y.is_nan()) && images(&y, &[1]).data.iter().all(|y| !y.is_nan()));
        Ok(())
    });
    table.case("other shapes", || {
        let mut rig = Rig::default();
        let [x, y, wide] = [[2, 1, 4, 4], [2, 1, 4, 5], [2, 3, 4, 4]].map(|shape| rig.output("x", shape));
        let (areas, clock) = (rig.words("areas", &[0; 2]), Clock { step: rig.words("clock", &[0]), steps: 1 });
        let rec = &mut rig.rec;
        refused("y", SoftTopK.forward(rec, x, areas, clock, y), "x is [2,1,4,4] but y is [2,1,4,5]")?;
        refused("dx", SoftTopK.backward(rec, x, x, y), "dy is [2,1,4,4] but dx is [2,1,4,5]")?;
        refused("y", SoftTopK.backward(rec, x, y, x), "dy is [2,1,4,4] but y is [2,1,4,5]")?;
        refused("channels", SoftTopK.forward(rec, wide, areas, clock, wide), "must have one channel")?;
        let two = Clock { steps: 2, ..clock };
        refused("areas", SoftTopK.forward(rec, x, areas, two, x), "`areas` needs 4 elements but `areas` has 2")
    });
    table.finish();
}
