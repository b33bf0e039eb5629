//! softmax: y = exp(x) / Σ exp(x) along one axis, or log y; dx = y (dy − Σ y dy), of the logarithm dx = dy − exp(y) Σ dy.

use super::nd::Nd;

/// The sum along the axis, where each element stands.
fn summed(x: &Nd, axis: usize) -> Nd {
    let mut shape = x.shape.clone();
    shape[axis] = 1;
    let mut sums = Nd::filled(&shape, 0.0);
    for (i, index) in x.indices().iter().enumerate() {
        let at = sums.at(index);
        sums.data[at] += x.data[i];
    }
    let all = x.indices().iter().map(|index| sums.data[sums.at(index)]).collect();
    Nd::new(&x.shape, all)
}

fn zip(a: &Nd, b: &Nd, f: impl Fn(f64, f64) -> f64) -> Nd {
    Nd::new(&a.shape, a.data.iter().zip(&b.data).map(|(&a, &b)| f(a, b)).collect())
}

pub(crate) fn forward(x: &Nd, axis: usize, log: bool) -> Nd {
    let exps = x.map(f64::exp);
    let totals = summed(&exps, axis);
    if log { zip(x, &totals, |x, total| x - total.ln()) } else { zip(&exps, &totals, |e, total| e / total) }
}

pub(crate) fn backward(dy: &Nd, x: &Nd, axis: usize, log: bool) -> Nd {
    let p = forward(x, axis, false);
    if log {
        let sums = summed(dy, axis);
        zip(dy, &zip(&p, &sums, |p, sum| p * sum), |dy, share| dy - share)
    } else {
        let sums = summed(&zip(&p, dy, |p, dy| p * dy), axis);
        zip(&p, &zip(dy, &sums, |dy, sum| dy - sum), |p, d| p * d)
    }
}
