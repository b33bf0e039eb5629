//! diversity: f[n] = −mean over j ≠ n of cos(G[n], G[j]), G[n] = x[n]·x[n]ᵀ over places, as long vectors; and d f[n] / d x[n] with
//! the other images held still. x: [N,C,H,W].

use super::Tensor;

/// G[n,a,b] = Σ_p x[n,a,p]·x[n,b,p], [N,C,C,1].
pub(crate) fn grams(x: &Tensor) -> Tensor {
    let [n, c, h, w] = x.shape;
    let mut grams = Tensor::zeros([n, c, c, 1]);
    for [n, a, row, column] in x.indices() {
        for b in 0..c {
            grams[[n, a, b, 0]] += x[[n, a, row, column]] * x[[n, b, row, column]];
        }
    }
    assert!(h * w > 0);
    grams
}

fn image(grams: &Tensor, n: usize) -> &[f64] {
    let len = grams.shape[1] * grams.shape[2];
    &grams.data[n * len..(n + 1) * len]
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn length(a: &[f64]) -> f64 {
    dot(a, a).sqrt()
}

/// One value per image.
pub(crate) fn forward(x: &Tensor) -> Vec<f64> {
    let (grams, count) = (grams(x), x.shape[0]);
    let cosine = |n: usize, j: usize| {
        let (n, j) = (image(&grams, n), image(&grams, j));
        dot(n, j) / (length(n) * length(j))
    };
    let of = |n: usize| -(0..count).filter(|&j| j != n).map(|j| cosine(n, j)).sum::<f64>() / (count - 1) as f64;
    (0..count).map(of).collect()
}

/// d f[n] / d x[n] = 2·M·x[n], M = −1/(N−1)·Σ_j (G[j]/(|n||j|) − cos·G[n]/|n|²). With `sizes`, the sum of the magnitudes of what
/// is added up, from the Gram matrices of |x|.
pub(crate) fn backward(x: &Tensor, sizes: bool) -> Tensor {
    let [count, c, h, w] = x.shape;
    let (grams, large) = (grams(x), grams(&x.map(f64::abs)));
    let mut dx = Tensor::zeros(x.shape);
    for n in 0..count {
        let own = length(image(&grams, n));
        let mut m = vec![0.0; c * c];
        for j in (0..count).filter(|&j| j != n) {
            let other = length(image(&grams, j));
            let source = if sizes { &large } else { &grams };
            let cosine = dot(image(source, n), image(source, j)) / (own * other);
            for (i, m) in m.iter_mut().enumerate() {
                let [theirs, ours] = [image(source, j)[i] / (own * other), cosine * image(source, n)[i] / (own * own)];
                *m += if sizes { theirs + ours } else { ours - theirs } / (count - 1) as f64;
            }
        }
        for [_, a, row, column] in super::indices([1, c, h, w]) {
            for b in 0..c {
                let x = x[[n, b, row, column]];
                dx[[n, a, row, column]] += 2.0 * m[a * c + b] * if sizes { x.abs() } else { x };
            }
        }
    }
    dx
}
