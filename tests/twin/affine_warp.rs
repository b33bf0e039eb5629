//! affine_warp: the output pixel (ox, oy) samples the input at the fractional pixel index
//! px = a·ox + b·oy + c, py = d·ox + e·oy + f, with theta[n] = [a, b, c, d, e, f]
//!
//! bilinear: y = Σ_taps weight·x + (1 − Σ_taps weight)·fill[c] over those of the four taps that lie inside the image;
//! nearest: the one tap at px and py rounded half to even, `fill` where it lies outside.
//! x, y: [N,C,H,W] of one size; fill: [C]. Backward is the exact adjoint of the linear part: each tap collects weight·dy (a scatter here).

use super::Tensor;

/// The inverse map of one image, in pixel indices.
pub(crate) type Theta = [f64; 6];

/// How a fractional position is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Interpolation {
    Bilinear,
    Nearest,
}

pub(crate) fn forward(x: &Tensor, theta: &[Theta], interpolation: Interpolation, fill: &[f64]) -> Tensor {
    let mut y = Tensor::zeros(x.shape);
    for [n, c, oy, ox] in x.indices() {
        let mut covered = 0.0;
        let mut sum = 0.0;
        for (iy, ix, weight) in taps(theta[n], interpolation, x.shape, ox, oy) {
            covered += weight;
            sum += weight * x[[n, c, iy, ix]];
        }
        y[[n, c, oy, ox]] = sum + (1.0 - covered) * fill[c];
    }
    y
}

pub(crate) fn backward(dy: &Tensor, theta: &[Theta], interpolation: Interpolation) -> Tensor {
    let mut dx = Tensor::zeros(dy.shape);
    for [n, c, oy, ox] in dy.indices() {
        for (iy, ix, weight) in taps(theta[n], interpolation, dy.shape, ox, oy) {
            dx[[n, c, iy, ix]] += weight * dy[[n, c, oy, ox]];
        }
    }
    dx
}

/// The taps inside the image, each as (row, column, weight).
fn taps(
    theta: Theta,
    interpolation: Interpolation,
    shape: [usize; 4],
    ox: usize,
    oy: usize,
) -> Vec<(usize, usize, f64)> {
    let [a, b, c, d, e, f] = theta;
    let (ox, oy) = (ox as f64, oy as f64);
    let (px, py) = (a * ox + b * oy + c, d * ox + e * oy + f);
    let candidates = match interpolation {
        Interpolation::Nearest => vec![(py.round_ties_even(), px.round_ties_even(), 1.0)],
        Interpolation::Bilinear => {
            let (x0, y0) = (px.floor(), py.floor());
            let (fx, fy) = (px - x0, py - y0);
            vec![
                (y0, x0, (1.0 - fy) * (1.0 - fx)),
                (y0, x0 + 1.0, (1.0 - fy) * fx),
                (y0 + 1.0, x0, fy * (1.0 - fx)),
                (y0 + 1.0, x0 + 1.0, fy * fx),
            ]
        }
    };
    let [_, _, height, width] = shape.map(|extent| extent as f64);
    let inside = |&(y, x, _): &(f64, f64, f64)| y >= 0.0 && y < height && x >= 0.0 && x < width;
    candidates.into_iter().filter(inside).map(|(y, x, weight)| (y as usize, x as usize, weight)).collect()
}

/// torchvision's `affine` as a [`Theta`]: `angle_deg` clockwise about the centre, then `tx`, `ty` in pixels (not scaled), isotropic `scale`.
///
/// With q = (ox + ½ − w/2, oy + ½ − h/2) measured from the centre, the output at q samples the input at p = R(−angle)(q − t)/scale:
/// p_x = (cos·(q_x − tx) + sin·(q_y − ty))/scale, p_y = (−sin·(q_x − tx) + cos·(q_y − ty))/scale, and px = p_x + w/2 − ½.
pub(crate) fn theta_from(angle_deg: f64, tx: f64, ty: f64, scale: f64, w: usize, h: usize) -> Theta {
    let (sin, cos) = angle_deg.to_radians().sin_cos();
    let (a, b, d, e) = (cos / scale, sin / scale, -sin / scale, cos / scale);
    let (centre_x, centre_y) = ((w as f64 - 1.0) / 2.0, (h as f64 - 1.0) / 2.0);
    let (from_x, from_y) = (centre_x + tx, centre_y + ty);
    [a, b, centre_x - a * from_x - b * from_y, d, e, centre_y - d * from_x - e * from_y]
}
