//! phase: s[n,c,r,2k] = cos p, s[n,c,r,2k+1] = sin p. p = φ[r,k]; but in the columns k = 0 and k = W/2, p = −φ[H−r,k] for rows r > H/2.
//! Backward: dφ = −sin p·ds_re + cos p·ds_im, with the sign of φ in p, added up where φ stands. φ: [N,C,H,W/2+1].

use super::Tensor;

/// The row and the sign of the phase at a place.
fn place([_, _, h, columns]: [usize; 4], row: usize, column: usize) -> (usize, f64) {
    let paired = column == 0 || column + 1 == columns;
    if paired && 2 * row > h { (h - row, -1.0) } else { (row, 1.0) }
}

pub(crate) fn forward(phi: &Tensor) -> Tensor {
    let [n, c, h, columns] = phi.shape;
    let mut s = Tensor::zeros([n, c, h, 2 * columns]);
    for [n, c, row, column] in phi.indices() {
        let (from, sign) = place(phi.shape, row, column);
        let (sin, cos) = (sign * phi[[n, c, from, column]]).sin_cos();
        s[[n, c, row, 2 * column]] = cos;
        s[[n, c, row, 2 * column + 1]] = sin;
    }
    s
}

pub(crate) fn backward(ds: &Tensor, phi: &Tensor) -> Tensor {
    let mut dphi = Tensor::zeros(phi.shape);
    for [n, c, row, column] in phi.indices() {
        let (from, sign) = place(phi.shape, row, column);
        let (sin, cos) = (sign * phi[[n, c, from, column]]).sin_cos();
        let [re, im] = [0, 1].map(|part| ds[[n, c, row, 2 * column + part]]);
        dphi[[n, c, from, column]] += sign * (cos * im - sin * re);
    }
    dphi
}
