//! class_logit: the class's logit or log-probability, its columns and gradient.

use protogpu::method::losses::ClassLogit;

use crate::tests::harness::{Outcome, Table, batch_independent, close, gradient, images, refused, run_term};
use crate::tests::twin::probability_variance::softmax;
use crate::tests::twin::random::Random;
use crate::tests::twin::{Tensor, class_logit as twin};

/// exp may err by 3 + 2|x| units in the last place, here 3 + 2·8, in p's numerator and denominator alike; then a division, and sums
/// over up to 16 terms a lane.
const K: f64 = 64.0;

/// Exact as f32, as is the weight.
const LOGSUMEXP_WEIGHT: f64 = 0.75;
const WEIGHT: f64 = 0.5;

/// history `[N,3,1,1]`: the weighted loss, logit and probability; and dx.
fn step(z: &Tensor, class: &[usize], before: Option<&Tensor>) -> Outcome<[Tensor; 2]> {
    run_term(&ClassLogit { classes: class.to_vec(), logsumexp_weight: LOGSUMEXP_WEIGHT }, WEIGHT as f32, z, before)
}

fn rows(z: &Tensor, row: impl Fn(usize, &[f64]) -> [f64; 3]) -> Tensor {
    let data = z.data.chunks(z.shape[1]).enumerate().flat_map(|(n, z)| row(n, z));
    Tensor::new([z.shape[0], 3, 1, 1], data.collect())
}

fn twin_history(z: &Tensor, class: &[usize]) -> Tensor {
    let loss = twin::forward(z, class, LOGSUMEXP_WEIGHT);
    rows(z, |n, z| [WEIGHT * loss[n], z[class[n]], softmax(z)[class[n]]])
}

/// The sum of magnitudes in it; log Σ exp z is at least the largest z, and at most log K more.
fn history_size(z: &Tensor, class: &[usize]) -> Tensor {
    rows(z, |n, z| {
        let high = z.iter().fold(0.0, |high: f64, z| high.max(z.abs()));
        let loss = z[class[n]].abs() + LOGSUMEXP_WEIGHT * (high + (z.len() as f64).ln());
        [WEIGHT * loss, z[class[n]].abs(), softmax(z)[class[n]]]
    })
}

fn twin_gradient(z: &Tensor, class: &[usize]) -> Tensor {
    twin::backward(z, class, LOGSUMEXP_WEIGHT).map(|d| WEIGHT * d)
}

/// The same for the gradient: 1 at the class, and r p.
fn gradient_size(z: &Tensor, class: &[usize]) -> Tensor {
    let row = |(n, z): (usize, &[f64])| -> Vec<f64> {
        let p = softmax(z).into_iter().enumerate();
        p.map(|(k, p)| WEIGHT * (f64::from(u8::from(k == class[n])) + LOGSUMEXP_WEIGHT * p)).collect()
    };
    Tensor::new(z.shape, z.data.chunks(z.shape[1]).enumerate().flat_map(row).collect())
}

#[test]
fn class_logit() {
    let mut table = Table::new("class_logit");
    // Fewer classes than a workgroup has invocations, as many, one more; Imagenette's and ImageNet's.
    for [n, k] in [[2, 10], [3, 63], [1, 64], [2, 65], [3, 1000], [1, 1]] {
        let mut random = Random(k as u64);
        let [z, before] = [0; 2].map(|_| random.tensor([n, k, 1, 1], -4.0, 4.0));
        let class: Vec<usize> = (0..n).map(|n| [k - 1, 0, k / 2][n]).collect();
        table.case(format!("history {n}x{k}"), || {
            let [history, _] = step(&z, &class, None)?;
            close("history", &history, &twin_history(&z, &class), &history_size(&z, &class), K)
        });
        table.case(format!("dx {n}x{k}"), || {
            let [_, dx] = step(&z, &class, None)?;
            close("dx", &dx, &twin_gradient(&z, &class), &gradient_size(&z, &class), K)
        });
        table.case(format!("dx {n}x{k} +add"), || {
            let [_, dx] = step(&z, &class, Some(&before))?;
            let (want, size) = (twin_gradient(&z, &class), gradient_size(&z, &class));
            close("dx", &dx, &want.zip(&before, |d, b| d + b), &size.zip(&before, |d, b| d + b.abs()), K)
        });
        if n * k < 50 {
            table.case(format!("differences {n}x{k}"), || {
                let [_, dx] = step(&z, &class, None)?;
                let f = |z: &Tensor| twin::forward(z, &class, LOGSUMEXP_WEIGHT).iter().map(|l| WEIGHT * l).sum();
                gradient(&dx, &z, &gradient_size(&z, &class), K, f)
            });
        }
        if n == 3 {
            table.case(format!("batch {n}x{k}"), || {
                batch_independent(|n| {
                    let class: Vec<usize> = n.iter().map(|&n| class[n]).collect();
                    Ok(step(&images(&z, n), &class, None)?.into())
                })
            });
        }
    }
    table.case("nan", || {
        let mut z = Random(5).tensor([2, 70, 1, 1], -4.0, 4.0);
        z.data[69] = f64::NAN;
        let [history, _] = step(&z, &[0, 0], None)?;
        let lost = history.data.iter().map(|v| v.is_nan()).collect::<Vec<_>>();
        let want = [true, false, true, false, false, false];
        if lost == want { Ok(()) } else { Err(format!("{history:?}: only image 0 has a NaN").into()) }
    });
    table.case("a class that is not there", || {
        let z = Random(5).tensor([2, 10, 1, 1], -4.0, 4.0);
        refused("class 10", step(&z, &[3, 10], None), "there is no class 10 of 10")?;
        refused("one class", step(&z, &[3], None), "it has values for 1 images, not for images 0..2")
    });
    table.finish();
}
