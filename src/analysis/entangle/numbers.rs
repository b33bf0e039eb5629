//! The arithmetic, in f64.

/// Logarithms of the softmax probabilities: `z − max z − ln Σ exp(z − max z)`. Unlike the probabilities themselves, they tell unlikely
/// classes apart when one class has nearly all of the probability.
pub(crate) fn log_softmax(logits: &[f32]) -> Vec<f64> {
    let top = f64::from(logits.iter().copied().fold(f32::NEG_INFINITY, f32::max));
    let sum: f64 = logits.iter().map(|&z| libm::exp(f64::from(z) - top)).sum();
    let normaliser = top + libm::log(sum);
    logits.iter().map(|&z| f64::from(z) - normaliser).collect()
}

/// `a·b / (|a| |b|)`; `None` if either is zero or not finite.
pub(crate) fn cosine(a: &[f32], b: &[f32]) -> Option<f64> {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum::<f64>();
    let cosine = dot(a, b) / (dot(a, a) * dot(b, b)).sqrt();
    Some(cosine).filter(|cosine| cosine.is_finite())
}

/// The mean cosine between the vectors of `a` and those of `b`; `None` if a pair has none, or there is no pair.
pub(crate) fn mean_cosine(a: &[Vec<f32>], b: &[Vec<f32>]) -> Option<f64> {
    mean_of(a.iter().flat_map(|a| b.iter().map(move |b| cosine(a, b))))
}

/// The mean of the values; `None` if one of them is, or there are none.
pub(crate) fn mean_of(values: impl Iterator<Item = Option<f64>>) -> Option<f64> {
    let values: Vec<f64> = values.collect::<Option<_>>()?;
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// The mean over the positions of each channel: `[C,H,W]` as `[C]`.
pub(crate) fn pooled(activations: &[f32], channels: usize) -> Vec<f32> {
    let positions = (activations.len() / channels.max(1)).max(1);
    let mean = |channel: &[f32]| channel.iter().map(|&x| f64::from(x)).sum::<f64>() / positions as f64;
    activations.chunks_exact(positions).map(|channel| mean(channel) as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logarithms_tell_unlikely_classes_apart() {
        let logits = [200.0, 3.0, 1.0, -900.0];
        let found = log_softmax(&logits);
        // The others have no share of the sum that f64 could hold.
        for (found, expected) in found.iter().zip([0.0, -197.0, -199.0, -1100.0]) {
            assert!((found - expected).abs() < 1e-12, "{found} {expected}");
        }
        let even = log_softmax(&[7.0; 4]);
        assert!(even.iter().all(|x| (x + 4.0f64.ln()).abs() < 1e-12), "{even:?}");
    }

    #[test]
    fn cosines_are_of_directions() {
        assert!((cosine(&[3.0, 4.0], &[30.0, 40.0]).unwrap() - 1.0).abs() < 1e-15);
        assert!((cosine(&[1.0, 0.0], &[-1.0, 1.0]).unwrap() + 0.5f64.sqrt()).abs() < 1e-15);
        assert_eq!([cosine(&[0.0; 2], &[1.0; 2]), cosine(&[f32::NAN, 1.0], &[1.0; 2])], [None; 2]);
        let a = [vec![1.0, 0.0], vec![0.0, 1.0]];
        assert_eq!(mean_cosine(&a, &[vec![1.0, 0.0]]), Some(0.5));
        assert_eq!([mean_cosine(&a, &[]), mean_cosine(&a, &[vec![0.0; 2]])], [None; 2]);
    }

    #[test]
    fn pooling_keeps_the_channels() {
        assert_eq!(pooled(&[1.0, 3.0, -2.0, 0.0], 2), [2.0, -1.0]);
        assert_eq!(pooled(&[1.0, 3.0], 2), [1.0, 3.0]);
    }
}
