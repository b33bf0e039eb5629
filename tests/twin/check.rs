//! The three comparisons: element by element, with central differences, and the adjoint identity.

use super::Tensor;

/// Fails unless |got − want| ≤ atol + rtol·|want| everywhere (a NaN is nowhere close), naming the worst index and both values.
#[track_caller]
pub(crate) fn assert_close(what: &str, got: &[f64], want: &[f64], atol: f64, rtol: f64) {
    assert_eq!(got.len(), want.len(), "{what}: elements");
    let excess = |i: usize| {
        let d = (got[i] - want[i]).abs() - atol - rtol * want[i].abs();
        if d.is_nan() { f64::INFINITY } else { d }
    };
    let wrong = (0..got.len()).filter(|&i| excess(i) > 0.0).count();
    if let Some(i) = (0..got.len()).max_by(|&i, &j| excess(i).total_cmp(&excess(j)))
        && wrong > 0
    {
        panic!("{what}: {wrong} of {} elements differ; worst at {i}: {} but should be {}", got.len(), got[i], want[i]);
    }
}

/// df/dx by central differences, f a number of x.
///
/// The truncation is O(step²) and the cancellation O(1e-16/step): a step of 1e-5 leaves about 1e-10 for functions of order 1. For functions with
/// a corner, keep x further than `step` from it.
pub(crate) fn central_differences(x: &Tensor, step: f64, f: impl Fn(&Tensor) -> f64) -> Tensor {
    let mut probe = x.clone();
    let mut dx = Tensor::zeros(x.shape);
    for i in 0..x.data.len() {
        probe.data[i] = x.data[i] + step;
        let above = f(&probe);
        probe.data[i] = x.data[i] - step;
        let below = f(&probe);
        probe.data[i] = x.data[i];
        dx.data[i] = (above - below) / (2.0 * step);
    }
    dx
}

/// ⟨dy, A·x⟩ = ⟨Aᵀ·dy, x⟩ for a linear op without its constant part: `y` = A·x, `dx` = Aᵀ·dy.
#[track_caller]
pub(crate) fn assert_adjoint(what: &str, x: &Tensor, y: &Tensor, dy: &Tensor, dx: &Tensor) {
    let (forward, backward) = (dy.dot(y), dx.dot(x));
    // f64 sums of n terms of order 1 agree to about sqrt(n)·1e-16 each; 1e-12 leaves room for n up to a million.
    let terms = (y.data.len() + x.data.len()) as f64;
    assert!((forward - backward).abs() <= 1e-12 * terms.sqrt(), "{what}: ⟨dy, y⟩ = {forward}, ⟨dx, x⟩ = {backward}");
}
