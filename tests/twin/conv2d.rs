//! conv2d: y[n,o,oh,ow] = b[o] + Σ_{c,kh,kw} w[o,c,kh,kw] · x[n, c, oh·stride_h + kh − top, ow·stride_w + kw − left]
//!
//! x: [N,C,H,W], w: [O,C,KH,KW], b: [O], y: [N,O,OH,OW], OH = ⌊(H + top + bottom − KH) / stride_h⌋ + 1. Zero outside.
//! Backward: every product above once more, with dy where y was: dx[n,c,h,w] = Σ w[o,c,kh,kw] · dy[n,o,oh,ow].
//!
//! With dilation, kh and kw count steps of that length. With groups, channel o reads only the C channels of its group, from
//! ⌊o / (O / groups)⌋ · C on.

use super::{Tensor, indices};

/// The geometry of a convolution.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Window {
    pub(crate) stride: [usize; 2],
    /// `[top, left, bottom, right]`.
    pub(crate) pad: [usize; 4],
    pub(crate) dilation: [usize; 2],
    pub(crate) groups: usize,
}

impl Window {
    /// Without dilation and groups.
    pub(crate) fn dense(stride: [usize; 2], pad: [usize; 4]) -> Self {
        Self { stride, pad, dilation: [1, 1], groups: 1 }
    }

    /// The shape of y.
    pub(crate) fn out_shape(&self, x: [usize; 4], w: [usize; 4]) -> [usize; 4] {
        assert_eq!(x[1], w[1] * self.groups, "C of x {x:?} and w {w:?}");
        let out = |axis: usize| {
            let span = (w[2 + axis] - 1) * self.dilation[axis] + 1;
            (x[2 + axis] + self.pad[axis] + self.pad[2 + axis] - span) / self.stride[axis] + 1
        };
        [x[0], w[0], out(0), out(1)]
    }

    /// Calls `each` with the index of y, of w and of x for every product in the sums.
    fn products(&self, x: [usize; 4], w: [usize; 4], mut each: impl FnMut([usize; 4], [usize; 4], [usize; 4])) {
        let Self { stride, pad, dilation, groups } = *self;
        for y @ [n, o, oh, ow] in indices(self.out_shape(x, w)) {
            for [_, c, kh, kw] in indices([1, w[1], w[2], w[3]]) {
                let place = |at: usize, tap: usize, axis: usize| {
                    (at * stride[axis] + tap * dilation[axis]).checked_sub(pad[axis]).filter(|&i| i < x[2 + axis])
                };
                if let (Some(h), Some(v)) = (place(oh, kh, 0), place(ow, kw, 1)) {
                    each(y, [o, c, kh, kw], [n, o / (w[0] / groups) * w[1] + c, h, v]);
                }
            }
        }
    }

    pub(crate) fn forward(&self, x: &Tensor, w: &Tensor, b: Option<&[f64]>) -> Tensor {
        let mut y = Tensor::zeros(self.out_shape(x.shape, w.shape));
        for at in y.indices() {
            y[at] = b.map_or(0.0, |b| b[at[1]]);
        }
        self.products(x.shape, w.shape, |y_at, w_at, x_at| y[y_at] += w[w_at] * x[x_at]);
        y
    }

    pub(crate) fn backward(&self, dy: &Tensor, w: &Tensor, x_shape: [usize; 4]) -> Tensor {
        assert_eq!(dy.shape, self.out_shape(x_shape, w.shape));
        let mut dx = Tensor::zeros(x_shape);
        self.products(x_shape, w.shape, |y_at, w_at, x_at| dx[x_at] += w[w_at] * dy[y_at]);
        dx
    }
}

pub(crate) fn forward(x: &Tensor, w: &Tensor, b: Option<&[f64]>, stride: [usize; 2], pad: [usize; 4]) -> Tensor {
    Window::dense(stride, pad).forward(x, w, b)
}

pub(crate) fn backward(dy: &Tensor, w: &Tensor, x_shape: [usize; 4], stride: [usize; 2], pad: [usize; 4]) -> Tensor {
    Window::dense(stride, pad).backward(dy, w, x_shape)
}

/// The shape of y.
pub(crate) fn out_shape(x: [usize; 4], w: [usize; 4], stride: [usize; 2], pad: [usize; 4]) -> [usize; 4] {
    Window::dense(stride, pad).out_shape(x, w)
}
