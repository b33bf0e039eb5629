//! The comparisons: with the twin, with central differences, the adjoint identity, and one image against a batch.

use std::fmt::Display;

use super::Outcome;
use crate::tests::twin::Tensor;
use crate::tests::twin::check::central_differences;

/// The distance between neighbouring f32 values near 1. One operation errs by at most half of it, relative to its result.
const EPS: f64 = f32::EPSILON as f64;

/// The factor k for a sum of `terms`. Each of n additions errs by at most ε/2 of a partial sum, which is at most the sum of the
/// magnitudes. In any order, these errors add up like a random walk, to about √n·ε/2. The factor allows twice that, and counts
/// two terms more, for later additions.
pub(crate) fn root(terms: usize) -> f64 {
    (terms as f64 + 2.0).sqrt()
}

/// Fails unless |got − want| ≤ k·ε·magnitude in every element, and names the worst. `magnitude` is the sum of the absolute values
/// of the terms of each element, so that each has the smallest tolerance that it needs.
pub(crate) fn close(what: &str, got: &Tensor, want: &Tensor, magnitude: &Tensor, k: f64) -> Outcome {
    assert_eq!((got.shape, want.shape), (want.shape, magnitude.shape), "{what}");
    let excess = |i: usize| {
        let d = (got.data[i] - want.data[i]).abs() - k * EPS * magnitude.data[i];
        if d.is_nan() { f64::INFINITY } else { d }
    };
    let wrong = (0..got.data.len()).filter(|&i| excess(i) > 0.0).count();
    if wrong == 0 {
        return Ok(());
    }
    let (at, index) = got.indices().enumerate().max_by(|a, b| excess(a.0).total_cmp(&excess(b.0))).expect("not empty");
    let (value, should, bound) = (got.data[at], want.data[at], k * EPS * magnitude.data[at]);
    let all = got.data.len();
    Err(format!(
        "{what}: {wrong} of {all} elements differ; worst at {index:?}: {value} but should be {should} ± {bound:.1e}"
    )
    .into())
}

/// Fails unless got = want in every element. NaN equals NaN here.
pub(crate) fn exact(what: &str, got: &Tensor, want: &Tensor) -> Outcome {
    assert_eq!(got.shape, want.shape, "{what}");
    let same = |a: f64, b: f64| a == b || a.is_nan() && b.is_nan();
    match got.indices().enumerate().find(|&(i, _)| !same(got.data[i], want.data[i])) {
        None => Ok(()),
        Some((i, index)) => Err(format!("{what} at {index:?}: {} but should be {}", got.data[i], want.data[i]).into()),
    }
}

/// Fails unless the result is an error with this text.
pub(crate) fn refused<T, E: Display>(what: &str, outcome: Result<T, E>, part: &str) -> Outcome {
    match outcome {
        Err(e) if e.to_string().contains(part) => Ok(()),
        Err(e) => Err(format!("{what}: the error is not about `{part}`: {e}").into()),
        Ok(_) => Err(format!("{what}: no error, where one should be about `{part}`").into()),
    }
}

/// ⟨dy, J·x⟩ = ⟨Jᵀ·dy, x⟩, both products from the adapter. `magnitude` is Σ|dy||J||x|: each side errs by at most k·ε of it.
pub(crate) fn adjoint([dy, y]: [&Tensor; 2], [dx, x]: [&Tensor; 2], magnitude: f64, k: f64) -> Outcome {
    let (forward, backward) = (dy.dot(y), dx.dot(x));
    let bound = 2.0 * k * EPS * magnitude;
    if (forward - backward).abs() <= bound {
        return Ok(());
    }
    Err(format!("⟨dy, Jx⟩ = {forward} but ⟨Jᵀdy, x⟩ = {backward}, more than {bound:.1e} apart").into())
}

/// Compares dx from the adapter with central differences of `f`, the twin's forward under a random weighting. These err by about
/// 1e-10 for values near 1; a tenth added to each magnitude allows 1e-8 for that.
pub(crate) fn gradient(dx: &Tensor, x: &Tensor, magnitude: &Tensor, k: f64, f: impl Fn(&Tensor) -> f64) -> Outcome {
    let want = central_differences(x, 1e-5, f);
    close("dx against central differences", dx, &want, &magnitude.map(|m| m + 0.1), k)
}

/// Some images of a batch.
pub(crate) fn images(batch: &Tensor, which: &[usize]) -> Tensor {
    let [_, c, h, w] = batch.shape;
    let image = |&n: &usize| batch.data[n * c * h * w..(n + 1) * c * h * w].iter().copied();
    Tensor::new([which.len(), c, h, w], which.iter().flat_map(image).collect())
}

/// Runs a batch of three, then each image alone, and fails unless the bits are the same.
pub(crate) fn batch_independent(run: impl Fn(&[usize]) -> Outcome<Vec<Tensor>>) -> Outcome {
    let together = run(&[0, 1, 2])?;
    for n in 0..3 {
        for (i, (batch, alone)) in together.iter().zip(run(&[n])?).enumerate() {
            exact(&format!("output {i}: image {n} in a batch, against itself alone,"), &images(batch, &[n]), &alone)?;
        }
    }
    Ok(())
}
