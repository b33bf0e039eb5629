//! roll: y[n,c,i,j] = x[n,c,(i + t1) mod h, (s·j + t0) mod w], s = 1 or −1. Backward: dx takes dy from the place it went to.
//! [h,w] are the extents of the image within x, [N,C,H,W]; beyond them y and dx are 0.

use super::Tensor;

/// s, t0 and t1 of an image.
pub(crate) type Move = [i64; 3];

/// The place in x that (row, column) of y shows.
fn from([s, t0, t1]: Move, [h, w]: [usize; 2], row: usize, column: usize) -> [usize; 2] {
    [(row as i64 + t1).rem_euclid(h as i64) as usize, (s * column as i64 + t0).rem_euclid(w as i64) as usize]
}

pub(crate) fn forward(x: &Tensor, moves: &[Move], size: [usize; 2]) -> Tensor {
    let mut y = Tensor::zeros(x.shape);
    for [n, c, i, j] in x.indices().filter(|[.., i, j]| *i < size[0] && *j < size[1]) {
        let [row, column] = from(moves[n], size, i, j);
        y[[n, c, i, j]] = x[[n, c, row, column]];
    }
    y
}

pub(crate) fn backward(dy: &Tensor, moves: &[Move], size: [usize; 2]) -> Tensor {
    let mut dx = Tensor::zeros(dy.shape);
    for [n, c, i, j] in dy.indices().filter(|[.., i, j]| *i < size[0] && *j < size[1]) {
        let [row, column] = from(moves[n], size, i, j);
        dx[[n, c, row, column]] += dy[[n, c, i, j]];
    }
    dx
}
