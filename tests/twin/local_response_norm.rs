//! local_response_norm: y[c] = x[c] · d[c]^(−beta), d[c] = k + alpha/size · Σ_{j in window(c)} x[j]², for every n,h,w
//!
//! window(c) = c − ⌊size/2⌋ ..= c + ⌊(size − 1)/2⌋, cut at the first and last channel; the sum is divided by `size` all the same. x, y: [N,C,H,W].
//! (Krizhevsky, Sutskever and Hinton 2012, section 3.3, with alpha/size for alpha, as `torch.nn.functional.local_response_norm` has it.)
//! Backward: dx[c] = dy[c] · d[c]^(−beta) − 2·alpha·beta/size · x[c] · Σ_{i: c in window(i)} dy[i] · x[i] · d[i]^(−beta − 1).

use std::ops::Range;

use super::Tensor;

/// The norm's numbers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LocalResponseNorm {
    pub(crate) size: usize,
    pub(crate) alpha: f64,
    pub(crate) beta: f64,
    pub(crate) k: f64,
}

pub(crate) fn forward(x: &Tensor, p: &LocalResponseNorm) -> Tensor {
    let mut y = x.clone();
    for at in x.indices() {
        y[at] = x[at] * denominator(x, p, at).powf(-p.beta);
    }
    y
}

pub(crate) fn backward(dy: &Tensor, x: &Tensor, p: &LocalResponseNorm) -> Tensor {
    assert_eq!(dy.shape, x.shape);
    let mut dx = Tensor::zeros(x.shape);
    // As the chain rule has it, from each y to every x it depends on.
    for at @ [n, i, h, w] in x.indices() {
        let d = denominator(x, p, at);
        dx[at] += dy[at] * d.powf(-p.beta);
        for c in window(i, p.size, x.shape[1]) {
            let of_d = 2.0 * p.alpha / p.size as f64 * x[[n, c, h, w]];
            dx[[n, c, h, w]] -= dy[at] * x[at] * p.beta * d.powf(-p.beta - 1.0) * of_d;
        }
    }
    dx
}

/// d at one place.
fn denominator(x: &Tensor, p: &LocalResponseNorm, [n, c, h, w]: [usize; 4]) -> f64 {
    let squares = window(c, p.size, x.shape[1]).map(|j| x[[n, j, h, w]].powi(2));
    p.k + p.alpha / p.size as f64 * squares.sum::<f64>()
}

/// The channels that `c` is normalised by.
fn window(c: usize, size: usize, channels: usize) -> Range<usize> {
    c.saturating_sub(size / 2)..(c + size.div_ceil(2)).min(channels)
}
