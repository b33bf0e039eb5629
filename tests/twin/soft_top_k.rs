//! soft_top_k: y[n,i] = 1/(1 + e^(q[n] − x[n,i])) with the q[n] for which the mean of y[n,·] is a[n].
//! Backward: q depends on x, dq/dx[i] = s[i]/Σ s with s = y (1 − y), so dx[i] = s[i] (dy[i] − Σ s dy/Σ s).

use super::Tensor;

fn sigmoid(v: f64) -> f64 {
    1.0 / (1.0 + (-v).exp())
}

/// The threshold of an image: Σ y falls as q rises.
pub(crate) fn threshold(x: &[f64], area: f64) -> f64 {
    let (mut low, mut high) = (-1e3, 1e3);
    for _ in 0..200 {
        let q = 0.5 * (low + high);
        let mean = x.iter().map(|x| sigmoid(x - q)).sum::<f64>() / x.len() as f64;
        if mean > area { low = q } else { high = q }
    }
    0.5 * (low + high)
}

pub(crate) fn forward(x: &Tensor, areas: &[f64]) -> Tensor {
    let len = x.data.len() / x.shape[0];
    let image = |(x, &area): (&[f64], &f64)| {
        let q = threshold(x, area);
        x.iter().map(|x| sigmoid(x - q)).collect::<Vec<_>>()
    };
    Tensor::new(x.shape, x.data.chunks(len).zip(areas).flat_map(image).collect())
}

pub(crate) fn backward(dy: &Tensor, y: &Tensor) -> Tensor {
    let len = y.data.len() / y.shape[0];
    let image = |(dy, y): (&[f64], &[f64])| {
        let s: Vec<f64> = y.iter().map(|y| y * (1.0 - y)).collect();
        let mean = s.iter().zip(dy).map(|(s, dy)| s * dy).sum::<f64>() / s.iter().sum::<f64>();
        s.iter().zip(dy).map(|(s, dy)| s * (dy - mean)).collect::<Vec<_>>()
    };
    Tensor::new(y.shape, dy.data.chunks(len).zip(y.data.chunks(len)).flat_map(image).collect())
}
