//! irfft2, orthonormal: with u[a,k] = Σ_h scale[h,k]·s[h,k]·e^(2πi·a·h/H), and g = 1 for k = 0 and k = W/2, else 2,
//! x[a,b] = 1/√(HW) · Σ_k g[k]·Re(u[a,k]·e^(2πi·b·k/W)).
//!
//! s: [N,C,H,2(W/2+1)], pairs (re, im); scale: [H,W/2+1]; x: [N,C,H,W]. Backward is the adjoint, real and imaginary parts being numbers like
//! others. At k = 0 and k = W/2 the imaginary part of u has no effect: e^(2πi·b·k/W) is real there.

use super::Tensor;

/// e^(2πi·k/n).
fn turn(k: usize, n: usize) -> [f64; 2] {
    let (sin, cos) = ((k % n) as f64 / n as f64 * std::f64::consts::TAU).sin_cos();
    // Real where it should be: the sine of π is not 0 in floating point.
    if 2 * (k % n) == n { [-1.0, 0.0] } else { [cos, sin] }
}

fn times([a, b]: [f64; 2], [c, d]: [f64; 2]) -> [f64; 2] {
    [a * c - b * d, a * d + b * c]
}

fn weight(k: usize, w: usize) -> f64 {
    if k == 0 || 2 * k == w { 1.0 } else { 2.0 }
}

pub(crate) fn forward(s: &Tensor, scale: &[f64]) -> Tensor {
    let [n, c, h, pairs] = s.shape;
    let (half, w) = (pairs / 2, pairs - 2);
    let norm = 1.0 / ((h * w) as f64).sqrt();
    let mut u = Tensor::zeros(s.shape);
    for [n, c, a, k] in super::indices([n, c, h, half]) {
        for row in 0..h {
            let v = [s[[n, c, row, 2 * k]], s[[n, c, row, 2 * k + 1]]].map(|v| v * scale[row * half + k]);
            let [re, im] = times(v, turn(a * row, h));
            u[[n, c, a, 2 * k]] += re;
            u[[n, c, a, 2 * k + 1]] += im;
        }
    }
    let mut x = Tensor::zeros([n, c, h, w]);
    for [n, c, a, b] in x.indices() {
        let term = |k: usize| times([u[[n, c, a, 2 * k]], u[[n, c, a, 2 * k + 1]]], turn(b * k, w))[0] * weight(k, w);
        x[[n, c, a, b]] = norm * (0..half).map(term).sum::<f64>();
    }
    x
}

pub(crate) fn backward(dx: &Tensor, scale: &[f64]) -> Tensor {
    let [n, c, h, w] = dx.shape;
    let half = w / 2 + 1;
    let norm = 1.0 / ((h * w) as f64).sqrt();
    let mut du = Tensor::zeros([n, c, h, 2 * half]);
    for [n, c, a, k] in super::indices([n, c, h, half]) {
        for b in 0..w {
            let [cos, sin] = turn(b * k, w);
            let d = norm * weight(k, w) * dx[[n, c, a, b]];
            du[[n, c, a, 2 * k]] += d * cos;
            du[[n, c, a, 2 * k + 1]] -= d * sin;
        }
    }
    let mut ds = Tensor::zeros(du.shape);
    for [n, c, row, k] in super::indices([n, c, h, half]) {
        for a in 0..h {
            let [cos, sin] = turn(a * row, h);
            let [re, im] = times([du[[n, c, a, 2 * k]], du[[n, c, a, 2 * k + 1]]], [cos, -sin]);
            ds[[n, c, row, 2 * k]] += scale[row * half + k] * re;
            ds[[n, c, row, 2 * k + 1]] += scale[row * half + k] * im;
        }
    }
    ds
}
