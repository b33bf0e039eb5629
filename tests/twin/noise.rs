//! noise: y[n,i] = x[n,i] + deviation·g[n,i], g normal. Four elements share the words h = pcg4d(i/4, k0, k1, 0), two numbers from each pair of
//! words: √(−2 ln(1 − u)) times cos and sin of 2π(v − ½), where u and v are the leading 24 bits of a word as a fraction.

use super::Tensor;

/// The key of an image.
pub(crate) type Key = [u32; 2];

/// "Hash Functions for GPU Rendering", Jarzynski and Olano 2020.
pub(crate) fn pcg4d(v: [u32; 4]) -> [u32; 4] {
    let [mut x, mut y, mut z, mut w] = v.map(|v| v.wrapping_mul(1_664_525).wrapping_add(1_013_904_223));
    for round in 0..2 {
        if round == 1 {
            [x, y, z, w] = [x, y, z, w].map(|v| v ^ v >> 16);
        }
        x = x.wrapping_add(y.wrapping_mul(w));
        y = y.wrapping_add(z.wrapping_mul(x));
        z = z.wrapping_add(x.wrapping_mul(y));
        w = w.wrapping_add(y.wrapping_mul(z));
    }
    [x, y, z, w]
}

/// The normal number of an element.
pub(crate) fn normal([k0, k1]: Key, i: usize) -> f64 {
    let words = pcg4d([(i / 4) as u32, k0, k1, 0]);
    let [u, v] = [0, 1].map(|of| f64::from(words[i % 4 / 2 * 2 + of] >> 8) / 16_777_216.0);
    let (radius, angle) = ((-2.0 * (1.0 - u).ln()).sqrt(), std::f64::consts::TAU * (v - 0.5));
    radius * if i.is_multiple_of(2) { angle.cos() } else { angle.sin() }
}

pub(crate) fn forward(x: &Tensor, keys: &[Key], deviation: f64) -> Tensor {
    let len = x.data.len() / x.shape[0];
    let each = x.data.iter().enumerate().map(|(at, x)| x + deviation * normal(keys[at / len], at % len));
    Tensor::new(x.shape, each.collect())
}
