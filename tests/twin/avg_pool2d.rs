//! global avg_pool2d: y[n,c] = 1/(H·W) · Σ_{h,w} x[n,c,h,w]; dx[n,c,h,w] = dy[n,c] / (H·W)
//!
//! x: [N,C,H,W], y: [N,C,1,1].

use super::Tensor;

pub(crate) fn forward(x: &Tensor) -> Tensor {
    let [n, c, h, w] = x.shape;
    let mut y = Tensor::zeros([n, c, 1, 1]);
    for [n, c, i, j] in x.indices() {
        y[[n, c, 0, 0]] += x[[n, c, i, j]] / (h * w) as f64;
    }
    y
}

pub(crate) fn backward(dy: &Tensor, x_shape: [usize; 4]) -> Tensor {
    let mut dx = Tensor::zeros(x_shape);
    for [n, c, i, j] in dx.indices() {
        dx[[n, c, i, j]] = dy[[n, c, 0, 0]] / (x_shape[2] * x_shape[3]) as f64;
    }
    dx
}
