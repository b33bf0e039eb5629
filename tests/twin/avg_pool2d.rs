//! avg_pool2d and adaptive_avg_pool2d: the means of windows; first of one window, all of x: global_avg_pool2d:
//! y[n,c] = 1/(H·W) · Σ_{h,w} x[n,c,h,w]; dx[n,c,h,w] = dy[n,c] / (H·W)
//!
//! x: [N,C,H,W], y: [N,C,1,1].

use super::Tensor;
use super::max_pool2d::{Window, out_shape};

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

/// The windows of avg_pool2d, or those of adaptive_avg_pool2d: for each, the places along one axis and what it divides by.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Windows {
    /// Window o has the places o·stride − before + k. Those in the padding count if `count_include_pad`; those beyond it never do.
    Fixed(Window, bool),
    /// Window o of O has the places from ⌊o·H/O⌋ to ⌈(o+1)·H/O⌉ − 1.
    Adaptive([usize; 2]),
}

/// For each window along an axis: its places in x, and their number.
fn along(windows: Windows, axis: usize, len: usize, out: usize) -> Vec<(Vec<usize>, f64)> {
    let of = |o: usize| match windows {
        Windows::Adaptive(_) => {
            let places: Vec<usize> = (o * len / out..((o + 1) * len).div_ceil(out)).collect();
            let size = places.len() as f64;
            (places, size)
        }
        Windows::Fixed(Window { kernel, stride, pad, .. }, count_include_pad) => {
            let (before, after) = (pad[axis], pad[axis + 2]);
            let padded: Vec<usize> =
                (0..kernel[axis]).map(|k| o * stride[axis] + k).filter(|&at| at < before + len + after).collect();
            let places: Vec<usize> =
                padded.iter().filter_map(|at| at.checked_sub(before)).filter(|&at| at < len).collect();
            let size = if count_include_pad { padded.len() } else { places.len() };
            (places, size as f64)
        }
    };
    (0..out).map(of).collect()
}

/// The shape of y.
pub(crate) fn windows_shape(x_shape: [usize; 4], windows: Windows) -> [usize; 4] {
    match windows {
        Windows::Fixed(window, _) => out_shape(x_shape, window),
        Windows::Adaptive([oh, ow]) => [x_shape[0], x_shape[1], oh, ow],
    }
}

/// y[n,c,oh,ow] = Σ x over the places of the window / (its size along H · its size along W).
pub(crate) fn windows_forward(x: &Tensor, windows: Windows) -> Tensor {
    let mut y = Tensor::zeros(windows_shape(x.shape, windows));
    let rows = along(windows, 0, x.shape[2], y.shape[2]);
    let cols = along(windows, 1, x.shape[3], y.shape[3]);
    for [n, c, oh, ow] in y.indices() {
        for &h in &rows[oh].0 {
            for &w in &cols[ow].0 {
                y[[n, c, oh, ow]] += x[[n, c, h, w]] / (rows[oh].1 * cols[ow].1);
            }
        }
    }
    y
}

pub(crate) fn windows_backward(dy: &Tensor, x_shape: [usize; 4], windows: Windows) -> Tensor {
    let mut dx = Tensor::zeros(x_shape);
    let rows = along(windows, 0, x_shape[2], dy.shape[2]);
    let cols = along(windows, 1, x_shape[3], dy.shape[3]);
    for [n, c, oh, ow] in dy.indices() {
        for &h in &rows[oh].0 {
            for &w in &cols[ow].0 {
                dx[[n, c, h, w]] += dy[[n, c, oh, ow]] / (rows[oh].1 * cols[ow].1);
            }
        }
    }
    dx
}
