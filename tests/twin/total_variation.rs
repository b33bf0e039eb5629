//! total_variation: how much neighbouring pixels differ, one value per image. x: [N,C,H,W]
//!
//! dv[c,i,j] = x[c,i+1,j] − x[c,i,j] (C·(H−1)·W of them), dh[c,i,j] = x[c,i,j+1] − x[c,i,j] (C·H·(W−1)).
//!
//! | form      | value                                                  |
//! |-----------|--------------------------------------------------------|
//! | L1        | mean\|dh\| + mean\|dv\|                                |
//! | L2        | mean dh² + mean dv²                                    |
//! | L1Sum     | Σ\|dh\| + Σ\|dv\|                                      |
//! | Isotropic | Σ_{c,i,j} sqrt(dh² + dv² + EPS) over all C·H·W pixels  |
//!
//! Isotropic takes a difference past the border as 0 and still counts the pixel: the last row has sqrt(dh² + EPS), the last pixel sqrt(EPS). A
//! flat image then measures C·H·W·1e-4, a constant without gradient, in return for one term a pixel without a special case.
//! Gradient: each difference pulls at its two pixels with opposite signs; sign(0) = 0.

use super::Tensor;

/// Added under the root of [`Form::Isotropic`], whose slope is infinite at 0 without it.
pub(crate) const EPS: f64 = 1e-8;

/// Which total variation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    L1,
    L2,
    L1Sum,
    Isotropic,
}

/// One value per image.
pub(crate) fn forward(x: &Tensor, form: Form) -> Vec<f64> {
    let (scale_h, scale_v) = scales(x.shape, form);
    let mut value = vec![0.0; x.shape[0]];
    for [n, c, i, j] in x.indices() {
        let [dh, dv] = differences(x, [n, c, i, j]);
        value[n] += match form {
            Form::L1 | Form::L1Sum => scale_h * dh.abs() + scale_v * dv.abs(),
            Form::L2 => scale_h * dh * dh + scale_v * dv * dv,
            Form::Isotropic => (dh * dh + dv * dv + EPS).sqrt(),
        };
    }
    value
}

/// d value[n] / d x[n].
pub(crate) fn backward(x: &Tensor, form: Form) -> Tensor {
    let [_, _, h, w] = x.shape;
    let (scale_h, scale_v) = scales(x.shape, form);
    let sign = |d: f64| if d == 0.0 { 0.0 } else { d.signum() };
    let mut dx = Tensor::zeros(x.shape);
    for [n, c, i, j] in x.indices() {
        let [dh, dv] = differences(x, [n, c, i, j]);
        let [pull_h, pull_v] = match form {
            Form::L1 | Form::L1Sum => [scale_h * sign(dh), scale_v * sign(dv)],
            Form::L2 => [scale_h * 2.0 * dh, scale_v * 2.0 * dv],
            Form::Isotropic => [dh, dv].map(|d| d / (dh * dh + dv * dv + EPS).sqrt()),
        };
        dx[[n, c, i, j]] -= pull_h + pull_v;
        if j + 1 < w {
            dx[[n, c, i, j + 1]] += pull_h;
        }
        if i + 1 < h {
            dx[[n, c, i + 1, j]] += pull_v;
        }
    }
    dx
}

/// `[dh, dv]` from this pixel to its right and its lower neighbour; 0 past the border.
fn differences(x: &Tensor, [n, c, i, j]: [usize; 4]) -> [f64; 2] {
    let [_, _, h, w] = x.shape;
    let here = x[[n, c, i, j]];
    [if j + 1 < w { x[[n, c, i, j + 1]] - here } else { 0.0 }, if i + 1 < h { x[[n, c, i + 1, j]] - here } else { 0.0 }]
}

/// What a horizontal and what a vertical difference counts: 1, or one over how many an image has.
fn scales([_, c, h, w]: [usize; 4], form: Form) -> (f64, f64) {
    match form {
        // An image of one column has no horizontal difference: its mean is 0, not 0/0.
        Form::L1 | Form::L2 => (1.0 / (c * h * (w - 1)).max(1) as f64, 1.0 / (c * (h - 1) * w).max(1) as f64),
        Form::L1Sum | Form::Isotropic => (1.0, 1.0),
    }
}
