//! l2: value = mean over c, h, w of (x − m_c)²; dx = 2 (x − m_c) / (C·H·W). x: [N,C,H,W]

use super::Tensor;

/// One value per image.
pub(crate) fn forward(x: &Tensor, colour: &[f64]) -> Vec<f64> {
    let image = x.shape[1] * x.shape[2] * x.shape[3];
    let squares: Vec<f64> = x.indices().zip(&x.data).map(|([_, c, ..], x)| (x - colour[c]).powi(2)).collect();
    squares.chunks(image).map(|squares| squares.iter().sum::<f64>() / image as f64).collect()
}

pub(crate) fn backward(x: &Tensor, colour: &[f64]) -> Tensor {
    let image = (x.shape[1] * x.shape[2] * x.shape[3]) as f64;
    let data = x.indices().zip(&x.data).map(|([_, c, ..], x)| 2.0 * (x - colour[c]) / image);
    Tensor::new(x.shape, data.collect())
}
