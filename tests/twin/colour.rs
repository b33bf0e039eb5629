//! colour: v[c] = Σ_i M[c][i]·x[i] at every place, y = 1/(1 + e^−v) or y = v. x, y: [N,3,H,W].
//! Backward: dx[i] = Σ_c M[c][i]·dv[c], dv = dy·y·(1 − y) or dv = dy.
//! Without M, v = x and dx = dv, for any number of channels.

use super::Tensor;

pub(crate) type Matrix = [[f64; 3]; 3];

pub(crate) fn forward(x: &Tensor, matrix: Option<&Matrix>, sigmoid: bool) -> Tensor {
    let mut v = x.clone();
    if let Some(matrix) = matrix {
        for [n, c, h, w] in x.indices() {
            v[[n, c, h, w]] = (0..3).map(|i| matrix[c][i] * x[[n, i, h, w]]).sum();
        }
    }
    v.map(|v| if sigmoid { 1.0 / (1.0 + (-v).exp()) } else { v })
}

pub(crate) fn backward(dy: &Tensor, y: &Tensor, matrix: Option<&Matrix>, sigmoid: bool) -> Tensor {
    let dv = dy.zip(y, |dy, y| if sigmoid { dy * y * (1.0 - y) } else { dy });
    let Some(matrix) = matrix else { return dv };
    let mut dx = Tensor::zeros(dy.shape);
    for [n, i, h, w] in dx.indices() {
        dx[[n, i, h, w]] = (0..3).map(|c| matrix[c][i] * dv[[n, c, h, w]]).sum();
    }
    dx
}
