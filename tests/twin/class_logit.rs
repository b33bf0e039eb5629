//! class_logit: loss[n] = −z[n, class[n]] + r·log Σₖ exp z[n, k]; dz = r·p, less 1 at the class. z: logits [N,K,1,1].

use super::Tensor;
use super::probability_variance::softmax;

/// One value per image.
pub(crate) fn forward(z: &Tensor, class: &[usize], logsumexp_weight: f64) -> Vec<f64> {
    let log_sum_exp = |z: &[f64]| {
        let top = z.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        top + z.iter().map(|z| (z - top).exp()).sum::<f64>().ln()
    };
    z.data.chunks(z.shape[1]).zip(class).map(|(z, &class)| logsumexp_weight * log_sum_exp(z) - z[class]).collect()
}

pub(crate) fn backward(z: &Tensor, class: &[usize], logsumexp_weight: f64) -> Tensor {
    let row = |(z, &class): (&[f64], &usize)| -> Vec<f64> {
        let p = softmax(z).into_iter().enumerate();
        p.map(|(k, p)| logsumexp_weight * p - if k == class { 1.0 } else { 0.0 }).collect()
    };
    Tensor::new(z.shape, z.data.chunks(z.shape[1]).zip(class).flat_map(row).collect())
}
