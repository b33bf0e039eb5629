//! linear: y[n,o] = b[o] + Σ_c w[o,c] · x[n,c]; dx[n,c] = Σ_o w[o,c] · dy[n,o]
//!
//! x: [N,C,1,1], w: [O,C,1,1], b: [O], y: [N,O,1,1].

use super::Tensor;

pub(crate) fn forward(x: &Tensor, w: &Tensor, b: &[f64]) -> Tensor {
    let mut y = Tensor::zeros([x.shape[0], w.shape[0], 1, 1]);
    for [n, o, _, _] in y.indices() {
        let products = (0..x.shape[1]).map(|c| w[[o, c, 0, 0]] * x[[n, c, 0, 0]]);
        y[[n, o, 0, 0]] = b[o] + products.sum::<f64>();
    }
    y
}

pub(crate) fn backward(dy: &Tensor, w: &Tensor) -> Tensor {
    let mut dx = Tensor::zeros([dy.shape[0], w.shape[1], 1, 1]);
    for [n, c, _, _] in dx.indices() {
        dx[[n, c, 0, 0]] = (0..w.shape[0]).map(|o| w[[o, c, 0, 0]] * dy[[n, o, 0, 0]]).sum();
    }
    dx
}
