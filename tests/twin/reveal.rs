//! reveal: y[2n] = b + u (x − b), y[2n+1] = b + (1 − u) (x − b), u the mask m at (i,j), between the centres of its cells:
//! u = Σ_{r,s} max(0, 1 − |v − r|) max(0, 1 − |t − s|) m[r,s], v = (i + ½) h/H − ½ within 0..h−1, t likewise.
//! Backward: dm[r,s] = Σ_{i,j} (the same weights) Σ_c (x − b) (dy[2n] − dy[2n+1]).

use super::Tensor;

/// The weight of a cell for a row or column.
fn weight(at: usize, cell: usize, len: usize, cells: usize) -> f64 {
    let place = (at as f64 + 0.5) * cells as f64 / len as f64 - 0.5;
    (1.0 - (place.clamp(0.0, cells as f64 - 1.0) - cell as f64).abs()).max(0.0)
}

/// The mask, resized to `[h, w]`.
fn resized(mask: &Tensor, [h, w]: [usize; 2]) -> Tensor {
    let [n, _, rows, cols] = mask.shape;
    let mut u = Tensor::zeros([n, 1, h, w]);
    for [n, _, i, j] in u.indices() {
        for r in 0..rows {
            for s in 0..cols {
                u[[n, 0, i, j]] += weight(i, r, h, rows) * weight(j, s, w, cols) * mask[[n, 0, r, s]];
            }
        }
    }
    u
}

pub(crate) fn forward(x: &Tensor, b: &Tensor, mask: &Tensor) -> Tensor {
    let [n, c, h, w] = x.shape;
    let u = resized(mask, [h, w]);
    let mut y = Tensor::zeros([2 * n, c, h, w]);
    for at @ [n, c, i, j] in x.indices() {
        let (shown, difference) = (u[[n, 0, i, j]], x[at] - b[at]);
        y[[2 * n, c, i, j]] = b[at] + shown * difference;
        y[[2 * n + 1, c, i, j]] = b[at] + (1.0 - shown) * difference;
    }
    y
}

pub(crate) fn backward(dy: &Tensor, x: &Tensor, b: &Tensor, [rows, cols]: [usize; 2]) -> Tensor {
    let [n, _, h, w] = x.shape;
    let mut dmask = Tensor::zeros([n, 1, rows, cols]);
    for at @ [n, c, i, j] in x.indices() {
        let d = (x[at] - b[at]) * (dy[[2 * n, c, i, j]] - dy[[2 * n + 1, c, i, j]]);
        for r in 0..rows {
            for s in 0..cols {
                dmask[[n, 0, r, s]] += weight(i, r, h, rows) * weight(j, s, w, cols) * d;
            }
        }
    }
    dmask
}
