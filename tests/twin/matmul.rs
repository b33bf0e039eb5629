//! matmul: y[b,m,n] = Σ_k x[b,m,k] z[b,k,n], b any number of axes, repeated as NumPy does; dx = Σ dy zᵀ and dz = Σ xᵀ dy over the repetitions.

use super::nd::{Nd, broadcast, indices};

fn split(shape: &[usize]) -> (&[usize], [usize; 2]) {
    let (batch, matrix) = shape.split_last_chunk::<2>().expect("a matrix");
    (batch, *matrix)
}

/// The shape of y.
fn shape(x: &Nd, z: &Nd) -> Vec<usize> {
    let ((a, [m, _]), (b, [_, n])) = (split(&x.shape), split(&z.shape));
    [&broadcast(a, b)[..], &[m, n]].concat()
}

/// Calls `each` with the positions of y, x and z of every term.
fn terms(x: &Nd, z: &Nd, mut each: impl FnMut(usize, usize, usize)) {
    let y = Nd::filled(&shape(x, z), 0.0);
    let (batch, [m, n]) = split(&y.shape);
    let k = split(&x.shape).1[1];
    let at = |of: &Nd, b: &[usize], i: usize, j: usize| {
        let (extents, [rows, cols]) = split(&of.shape);
        let b = &b[b.len() - extents.len()..];
        let first = b.iter().zip(extents).fold(0, |at, (&b, &extent)| at * extent + if extent == 1 { 0 } else { b });
        (first * rows + i) * cols + j
    };
    for b in indices(batch) {
        for i in 0..m {
            for j in 0..n {
                for l in 0..k {
                    each(at(&y, &b, i, j), at(x, &b, i, l), at(z, &b, l, j));
                }
            }
        }
    }
}

pub(crate) fn forward(x: &Nd, z: &Nd) -> Nd {
    let mut y = Nd::filled(&shape(x, z), 0.0);
    terms(x, z, |to, a, b| y.data[to] += x.data[a] * z.data[b]);
    y
}

/// dx and dz.
pub(crate) fn backward(dy: &Nd, x: &Nd, z: &Nd) -> [Nd; 2] {
    let [mut dx, mut dz] = [x, z].map(|of| Nd::filled(&of.shape, 0.0));
    terms(x, z, |from, a, b| {
        dx.data[a] += dy.data[from] * z.data[b];
        dz.data[b] += dy.data[from] * x.data[a];
    });
    [dx, dz]
}
