//! batch_norm at inference: y = (x − mean[c]) / sqrt(var[c] + eps) · weight[c] + bias[c]
//!
//! x, y: [N,C,H,W]; the four vectors: [C]. Backward: dx = dy · weight[c] / sqrt(var[c] + eps).

use super::Tensor;

/// The frozen parameters of one layer.
#[derive(Clone, Debug)]
pub(crate) struct BatchNorm {
    pub(crate) mean: Vec<f64>,
    pub(crate) var: Vec<f64>,
    pub(crate) weight: Vec<f64>,
    pub(crate) bias: Vec<f64>,
    pub(crate) eps: f64,
}

pub(crate) fn forward(x: &Tensor, p: &BatchNorm) -> Tensor {
    let mut y = x.clone();
    for [n, c, h, w] in x.indices() {
        y[[n, c, h, w]] = (x[[n, c, h, w]] - p.mean[c]) / (p.var[c] + p.eps).sqrt() * p.weight[c] + p.bias[c];
    }
    y
}

pub(crate) fn backward(dy: &Tensor, p: &BatchNorm) -> Tensor {
    let mut dx = dy.clone();
    for [n, c, h, w] in dy.indices() {
        dx[[n, c, h, w]] = dy[[n, c, h, w]] * p.weight[c] / (p.var[c] + p.eps).sqrt();
    }
    dx
}
