//! normalize: y = (x − mean[c]) / std[c]; dx = dy / std[c]. x, y: [N,C,H,W]; mean, std: [C].

use super::Tensor;

pub(crate) fn forward(x: &Tensor, mean: &[f64], std: &[f64]) -> Tensor {
    let mut y = x.clone();
    for [n, c, h, w] in x.indices() {
        y[[n, c, h, w]] = (x[[n, c, h, w]] - mean[c]) / std[c];
    }
    y
}

pub(crate) fn backward(dy: &Tensor, std: &[f64]) -> Tensor {
    let mut dx = dy.clone();
    for [n, c, h, w] in dy.indices() {
        dx[[n, c, h, w]] = dy[[n, c, h, w]] / std[c];
    }
    dx
}
