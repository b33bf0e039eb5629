//! Tensors that need no file: every element follows from the tensor's name, so that goldens of a whole network stay small.
//!
//! key = fnv1a64(name) ⊕ seed; bits of element i (row-major) = mix(key + (i + 1)·GAMMA), wrapping; u = (bits >> 40)·2⁻²⁴ in [0, 1).
//! The value, computed in f64 and rounded to f32, goes by the name:
//!
//! | name                                       | value                        |
//! |--------------------------------------------|------------------------------|
//! | `….running_var`, `….weight` of 1 dimension | 0.5 + u                      |
//! | `….running_mean`, `….bias`                 | (2u − 1)·0.1                 |
//! | `….weight` of 2 or 4 dimensions            | (2u − 1)·sqrt(6 / fan_in)    |
//! | anything else (`pixels`)                   | u                            |
//!
//! fan_in = the product of all dimensions but the first. `tests/golden/make.py` has the same function.

use super::random::{GAMMA, mix};

/// The elements of the tensor `name`, row-major.
pub(crate) fn generated(name: &str, dims: &[usize], seed: u64) -> Vec<f32> {
    let key = fnv1a64(name.as_bytes()) ^ seed;
    let value = value_of(name, dims);
    let u = |i: u64| (mix(key.wrapping_add((i + 1).wrapping_mul(GAMMA))) >> 40) as f64 / f64::from(1 << 24);
    (0..dims.iter().product::<usize>() as u64).map(|i| value(u(i)) as f32).collect()
}

fn value_of(name: &str, dims: &[usize]) -> Box<dyn Fn(f64) -> f64> {
    let weight = name.ends_with(".weight");
    if name.ends_with(".running_var") || weight && dims.len() == 1 {
        Box::new(|u| 0.5 + u)
    } else if name.ends_with(".running_mean") || name.ends_with(".bias") {
        Box::new(|u| (2.0 * u - 1.0) * 0.1)
    } else if weight {
        let bound = (6.0 / dims[1..].iter().product::<usize>() as f64).sqrt();
        Box::new(move |u| (2.0 * u - 1.0) * bound)
    } else {
        Box::new(|u| u)
    }
}

/// Fowler, Noll and Vo's hash, 1a, 64 bits.
pub(crate) fn fnv1a64(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xCBF2_9CE4_8422_2325, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3))
}
