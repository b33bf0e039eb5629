//! max_pool2d: y[n,c,oh,ow] = max_{kh,kw} x[n, c, oh·stride_h + kh − top, ow·stride_w + kw − left], −∞ outside
//!
//! x: [N,C,H,W], y: [N,C,OH,OW], OH = ⌊(H + top + bottom − KH) / stride_h⌋ + 1; with `ceil_mode` ⌈…⌉, less one if the last window would then
//! start past the input. argmax: where the first maximum lies in row-major window order, as h·W + w.
//! Backward: dx at the argmax collects dy; windows overlap, so several may add to one x.

use super::{Tensor, tap};

/// The window of a pool.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Window {
    pub(crate) kernel: [usize; 2],
    pub(crate) stride: [usize; 2],
    pub(crate) pad: [usize; 4],
    pub(crate) ceil_mode: bool,
}

/// y and argmax, both [N,C,OH,OW].
pub(crate) fn forward(x: &Tensor, window: Window) -> (Tensor, Vec<usize>) {
    let Window { kernel, stride, pad, .. } = window;
    let mut y = Tensor::filled(out_shape(x.shape, window), f64::NEG_INFINITY);
    let mut argmax = vec![usize::MAX; y.data.len()];
    for (i, [n, c, oh, ow]) in y.indices().enumerate() {
        for kh in 0..kernel[0] {
            for kw in 0..kernel[1] {
                let h = tap(oh, kh, stride[0], pad[0], x.shape[2]);
                let w = tap(ow, kw, stride[1], pad[1], x.shape[3]);
                if let (Some(h), Some(w)) = (h, w)
                    && x[[n, c, h, w]] > y.data[i]
                {
                    y.data[i] = x[[n, c, h, w]];
                    argmax[i] = h * x.shape[3] + w;
                }
            }
        }
        assert!(argmax[i] < usize::MAX, "no input under window {oh},{ow} of {window:?} on {:?}", x.shape);
    }
    (y, argmax)
}

pub(crate) fn backward(dy: &Tensor, argmax: &[usize], x_shape: [usize; 4]) -> Tensor {
    let mut dx = Tensor::zeros(x_shape);
    for (i, [n, c, _, _]) in dy.indices().enumerate() {
        dx[[n, c, argmax[i] / x_shape[3], argmax[i] % x_shape[3]]] += dy.data[i];
    }
    dx
}

/// The shape of y.
pub(crate) fn out_shape([n, c, h, w]: [usize; 4], window: Window) -> [usize; 4] {
    let Window { kernel, stride, pad, ceil_mode } = window;
    let one = |len: usize, before: usize, after: usize, k: usize, s: usize| {
        let slack = len + before + after - k;
        let out = if ceil_mode { slack.div_ceil(s) + 1 } else { slack / s + 1 };
        if ceil_mode && (out - 1) * s >= len + before { out - 1 } else { out }
    };
    [n, c, one(h, pad[0], pad[2], kernel[0], stride[0]), one(w, pad[1], pad[3], kernel[1], stride[1])]
}
