//! conv2d: y[n,o,oh,ow] = b[o] + Σ_{c,kh,kw} w[o,c,kh,kw] · x[n, c, oh·stride_h + kh − top, ow·stride_w + kw − left]
//!
//! x: [N,C,H,W], w: [O,C,KH,KW], b: [O], y: [N,O,OH,OW], OH = ⌊(H + top + bottom − KH) / stride_h⌋ + 1. Zero outside.
//! Backward: every product above once more, with dy where y was: dx[n,c,h,w] = Σ w[o,c,kh,kw] · dy[n,o,oh,ow].

use super::{Tensor, indices, tap};

pub(crate) fn forward(x: &Tensor, w: &Tensor, b: Option<&[f64]>, stride: [usize; 2], pad: [usize; 4]) -> Tensor {
    let mut y = Tensor::zeros(out_shape(x.shape, w.shape, stride, pad));
    for [n, o, oh, ow] in y.indices() {
        let mut sum = b.map_or(0.0, |b| b[o]);
        for [_, c, kh, kw] in indices([1, w.shape[1], w.shape[2], w.shape[3]]) {
            let h = tap(oh, kh, stride[0], pad[0], x.shape[2]);
            let v = tap(ow, kw, stride[1], pad[1], x.shape[3]);
            if let (Some(h), Some(v)) = (h, v) {
                sum += w[[o, c, kh, kw]] * x[[n, c, h, v]];
            }
        }
        y[[n, o, oh, ow]] = sum;
    }
    y
}

pub(crate) fn backward(dy: &Tensor, w: &Tensor, x_shape: [usize; 4], stride: [usize; 2], pad: [usize; 4]) -> Tensor {
    assert_eq!(dy.shape, out_shape(x_shape, w.shape, stride, pad));
    let mut dx = Tensor::zeros(x_shape);
    for [n, o, oh, ow] in dy.indices() {
        for [_, c, kh, kw] in indices([1, w.shape[1], w.shape[2], w.shape[3]]) {
            let h = tap(oh, kh, stride[0], pad[0], x_shape[2]);
            let v = tap(ow, kw, stride[1], pad[1], x_shape[3]);
            if let (Some(h), Some(v)) = (h, v) {
                dx[[n, c, h, v]] += w[[o, c, kh, kw]] * dy[[n, o, oh, ow]];
            }
        }
    }
    dx
}

/// The shape of y.
pub(crate) fn out_shape(x: [usize; 4], w: [usize; 4], stride: [usize; 2], pad: [usize; 4]) -> [usize; 4] {
    assert_eq!(x[1], w[1], "C of x {x:?} and w {w:?}");
    let oh = (x[2] + pad[0] + pad[2] - w[2]) / stride[0] + 1;
    let ow = (x[3] + pad[1] + pad[3] - w[3]) / stride[1] + 1;
    [x[0], w[0], oh, ow]
}
