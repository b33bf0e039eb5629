//! diversity: how unlike the Gram matrices of a batch's images are; each image's gradient with the others held still.

use protogpu::method::ScheduleRow;
use protogpu::ops::{Diversity, FeatureRow, GradEpilogue, total};

use crate::harness::{Outcome, QUIET, Rig, SINKS, Table, by, close, gradient, images, refused, root, sink_name, sunk};
use crate::twin::random::Random;
use crate::twin::{Tensor, diversity as twin};

/// The first row would show if the clock were not read.
const ROWS: [ScheduleRow; 2] = [ScheduleRow { w_class: f32::NAN, ..QUIET }, ScheduleRow { w_class: 0.5, ..QUIET }];

/// Exact as f32, of each sign.
const WEIGHTS: [f64; 4] = [0.75, -2.0, 1.0, 0.25];

/// `[values, dx]`.
fn step(x: &Tensor, [add, mask]: [Option<&Tensor>; 2]) -> Outcome<[Tensor; 2]> {
    let mut rig = Rig::default();
    let n = x.shape[0];
    let (input, dx) = (rig.input("x", x), rig.output("dx", x.shape));
    let sink = GradEpilogue { add: add.map(|t| rig.input("add", t).id), mask: mask.map(|t| rig.input("mask", t).id) };
    let row = |&weight: &f64| FeatureRow { weight: weight as f32, channel: 0, place: 0 };
    let rows: Vec<FeatureRow> = WEIGHTS[..n].iter().map(row).collect();
    let rows = rig.words("rows", protogpu::gpu::bytemuck::cast_slice(&rows));
    let (partial, values) = (rig.output("partial", [n, n, 1, 1]), rig.output("values", [n, 4, 1, 1]));
    let now = rig.schedule(&ROWS, 1);
    let diversity = Diversity::value(&mut rig.rec, "term", input, partial.id)?;
    total(&mut rig.rec, "term", [n, n], [partial.id, rows, values.id], true)?;
    diversity.gradient(&mut rig.rec, "term", [input, dx], rows, now, sink)?;
    let ready = rig.run()?;
    Ok([ready.read(values)?, ready.read(dx)?])
}

fn weighted(dx: &Tensor) -> Tensor {
    Tensor::new(dx.shape, dx.indices().zip(&dx.data).map(|([n, ..], d)| -0.5 * WEIGHTS[n] * d).collect())
}

#[test]
fn diversity() {
    let mut table = Table::new("diversity");
    for shape in [[2, 3, 5, 4], [3, 9, 7, 5], [4, 65, 3, 2], [2, 1, 1, 1], [3, 64, 1, 1]] {
        let (name, mut random) = (by(&shape), Random(shape[1] as u64));
        let [x, add, mask] = [0; 3].map(|_| random.tensor(shape, -1.0, 1.0));
        let [n, c, h, w] = shape;
        // Sums over places, over the elements of two Gram matrices, and over channels; two roots and divisions.
        let k = 2.0 * root(h * w) + root(c * c) + root(c) + 10.0;
        let d_size = weighted(&twin::backward(&x, true)).map(f64::abs);
        table.case(format!("values {name}"), || {
            let [values, _] = step(&x, [None; 2])?;
            let row = |(f, w): (f64, f64)| [0.0, w * f, 0.0, -w * f];
            let want = twin::forward(&x).into_iter().zip(WEIGHTS).flat_map(row).collect();
            // ⟨|G|, |G|⟩ in place of ⟨G, G⟩: how much larger what is added up is than the lengths that it is divided by.
            let (large, grams) = (twin::grams(&x.map(f64::abs)), twin::grams(&x));
            let most = large.dot(&large) / grams.dot(&grams);
            let size = Tensor::filled([n, 4, 1, 1], 2.0 * most);
            close("values", &values, &Tensor::new([n, 4, 1, 1], want), &size, k)
        });
        for [adds, masks] in SINKS {
            table.case(format!("dx {name}{}", sink_name([adds, masks])), || {
                let (add, mask) = (adds.then_some(&add), masks.then_some(&mask));
                let [_, dx] = step(&x, [add, mask])?;
                let want = sunk(&weighted(&twin::backward(&x, false)), add, mask);
                close("dx", &dx, &want, &d_size.map(|d| if adds { d + 1.0 } else { d }), k)
            });
        }
        if c < 10 {
            table.case(format!("differences {name}"), || {
                let [_, dx] = step(&x, [None; 2])?;
                for (image, weight) in WEIGHTS.into_iter().enumerate().take(n) {
                    // The others held still.
                    let f = |own: &Tensor| {
                        let mut all = x.clone();
                        all.data[image * c * h * w..(image + 1) * c * h * w].copy_from_slice(&own.data);
                        -0.5 * weight * twin::forward(&all)[image]
                    };
                    gradient(&images(&dx, &[image]), &images(&x, &[image]), &images(&d_size, &[image]), k, f)?;
                }
                Ok(())
            });
        }
    }
    table.case("an image of zeros", || {
        let mut x = Random(1).tensor([2, 3, 4, 5], -1.0, 1.0);
        x.data[..60].fill(0.0);
        let [values, dx] = step(&x, [None; 2])?;
        let finite = values.data.iter().chain(&dx.data).all(|v| v.is_finite());
        if finite { Ok(()) } else { Err(format!("{values:?}").into()) }
    });
    table.case("one image", || {
        let x = Random(1).tensor([1, 3, 4, 5], -1.0, 1.0);
        refused("one image", step(&x, [None; 2]), "at least two images")
    });
    table.finish();
}
