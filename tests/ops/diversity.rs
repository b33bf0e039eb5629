//! diversity: how unlike the Gram matrices of a batch's images are; each image's gradient with the others held still.

use protogpu::method::losses::{Diversity, FeatureRow};

use crate::tests::harness::{Outcome, Rig, Table, by, close, gradient, images, objective_columns, refused, root};
use crate::tests::twin::random::Random;
use crate::tests::twin::{Tensor, diversity as twin};

/// Exact as f32, of each sign.
const WEIGHTS: [f64; 4] = [0.75, -2.0, 1.0, 0.25];

/// `[history, dx]`.
fn step(x: &Tensor, before: Option<&Tensor>) -> Outcome<[Tensor; 2]> {
    step_within(x, before, None)
}

fn step_within(x: &Tensor, before: Option<&Tensor>, groups: Option<&[u32]>) -> Outcome<[Tensor; 2]> {
    let mut rig = Rig::default();
    let (n, read) = (x.shape[0], rig.source(x, before));
    let (ledger, _) = rig.ledger(n, &[objective_columns()], &[vec![f32::NAN, 0.5]], 1)?;
    let weights = WEIGHTS.map(|weight| weight as f32);
    let (rec, weights, slot) = (&mut rig.rec, &weights[..n], ledger.slot(0));
    match groups {
        None => Diversity.record(rec, "term", read, weights, &slot, true)?,
        Some(groups) => {
            let row = |(&weight, &channel): (&f32, &u32)| FeatureRow { weight, channel, place: 0 };
            let rows: Vec<FeatureRow> = weights.iter().zip(groups).map(row).collect();
            Diversity.record_within(rec, "term", read, &rows, &slot, true)?;
        }
    }
    ledger.write(&mut rig.rec)?;
    let ready = rig.run()?;
    Ok([ready.history(&ledger, n, 1)?, ready.read(read.dx)?])
}

fn weighted(dx: &Tensor) -> Tensor {
    Tensor::new(dx.shape, dx.indices().zip(&dx.data).map(|([n, ..], d)| -0.5 * WEIGHTS[n] * d).collect())
}

#[test]
fn diversity() {
    let mut table = Table::new("diversity");
    for shape in [[2, 3, 5, 4], [3, 9, 7, 5], [4, 65, 3, 2], [2, 1, 1, 1], [3, 64, 1, 1]] {
        let (name, mut random) = (by(&shape), Random(shape[1] as u64));
        let [x, before] = [0; 2].map(|_| random.tensor(shape, -1.0, 1.0));
        let [n, c, h, w] = shape;
        // Sums over places, over the elements of two Gram matrices, and over channels; two roots and divisions.
        let k = 2.0 * root(h * w) + root(c * c) + root(c) + 10.0;
        let d_size = weighted(&twin::backward(&x, true)).map(f64::abs);
        table.case(format!("values {name}"), || {
            let [values, _] = step(&x, None)?;
            let row = |(f, w): (f64, f64)| [-0.5 * w * f, w * f];
            let want = twin::forward(&x).into_iter().zip(WEIGHTS).flat_map(row).collect();
            // ⟨|G|, |G|⟩ / ⟨G, G⟩: the ratio of the sum of magnitudes to the lengths in the denominator.
            let (large, grams) = (twin::grams(&x.map(f64::abs)), twin::grams(&x));
            let most = large.dot(&large) / grams.dot(&grams);
            let size = Tensor::filled([n, 2, 1, 1], 2.0 * most);
            close("values", &values, &Tensor::new([n, 2, 1, 1], want), &size, k)
        });
        let want = weighted(&twin::backward(&x, false));
        table.case(format!("dx {name}"), || close("dx", &step(&x, None)?[1], &want, &d_size, k));
        table.case(format!("dx {name} +add"), || {
            let [_, dx] = step(&x, Some(&before))?;
            close("dx", &dx, &want.zip(&before, |d, b| d + b), &d_size.map(|d| d + 1.0), k)
        });
        if c < 10 {
            table.case(format!("differences {name}"), || {
                let [_, dx] = step(&x, None)?;
                for (image, weight) in WEIGHTS.into_iter().enumerate().take(n) {
                    // The other images are constant.
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
        let [values, dx] = step(&x, None)?;
        let finite = values.data.iter().chain(&dx.data).all(|v| v.is_finite());
        if finite { Ok(()) } else { Err(format!("{values:?}").into()) }
    });
    table.case("groups do not see each other", || {
        let x = Random(7).tensor([4, 5, 3, 2], -1.0, 1.0);
        let all = step_within(&x, None, Some(&[8, 3, 8, 5]))?;
        // The first and the third image by themselves, with the same weights.
        let alone = step(&images(&x, &[0, 2]), None)?;
        let ratio = WEIGHTS[2] / WEIGHTS[1];
        for ([got, want], factors) in all.iter().zip(&alone).map(|(a, b)| [a, b]).zip([[1.0, ratio]; 2]) {
            for (image, factor) in factors.into_iter().enumerate() {
                let want = images(want, &[image]).map(|v| v * factor);
                close("in the group", &images(got, &[2 * image]), &want, &want.map(|v| v.abs() + 1.0), 8.0)?;
                assert!(images(got, &[[1, 3][image]]).data.iter().all(|v| *v == 0.0), "alone");
            }
        }
        Ok(())
    });
    table.case("one image", || {
        let x = Random(1).tensor([1, 3, 4, 5], -1.0, 1.0);
        refused("one image", step(&x, None), "at least two images")
    });
    table.finish();
}
