//! probability_variance: how unequal K classes are, one value per image. z: logits [N,K,1,1]; the variance is the biased one, 1/K
//!
//! Softmax: value = var(p), p = softmax(z); dz_k = (2/K) · p_k · (p_k − Σ p²). (d var/d p_k = (2/K)(p_k − 1/K), and the softmax's Jacobian
//! takes the 1/K out again.)
//! Logits: value = var(z); dz_k = (2/K) · (z_k − mean z).

use super::Tensor;

/// The variance of what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Softmax,
    Logits,
}

/// One value per image.
pub(crate) fn forward(z: &Tensor, form: Form) -> Vec<f64> {
    let variance = |v: &[f64]| v.iter().map(|x| (x - mean(v)).powi(2)).sum::<f64>() / v.len() as f64;
    rows(z).map(|z| if form == Form::Softmax { variance(&softmax(z)) } else { variance(z) }).collect()
}

/// d value[n] / d z[n].
pub(crate) fn backward(z: &Tensor, form: Form) -> Tensor {
    let scale = 2.0 / z.shape[1] as f64;
    let row = |z: &[f64]| -> Vec<f64> {
        match form {
            Form::Logits => z.iter().map(|v| scale * (v - mean(z))).collect(),
            Form::Softmax => {
                let p = softmax(z);
                let squares: f64 = p.iter().map(|p| p * p).sum();
                p.iter().map(|p| scale * p * (p - squares)).collect()
            }
        }
    };
    Tensor::new(z.shape, rows(z).flat_map(row).collect())
}

/// p_k = e^(z_k − max z) / Σ e^(z_j − max z).
pub(crate) fn softmax(z: &[f64]) -> Vec<f64> {
    let max = z.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let e: Vec<f64> = z.iter().map(|z| (z - max).exp()).collect();
    let sum: f64 = e.iter().sum();
    e.iter().map(|e| e / sum).collect()
}

fn mean(v: &[f64]) -> f64 {
    v.iter().sum::<f64>() / v.len() as f64
}

fn rows(z: &Tensor) -> impl Iterator<Item = &[f64]> {
    z.data.chunks(z.shape[1])
}
