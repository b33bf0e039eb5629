//! Test data: splitmix64, the same on every machine. (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014.)

use super::Tensor;

/// What is added to the state for every number: 2⁶⁴ divided by the golden ratio, odd.
pub(crate) const GAMMA: u64 = 0x9E37_79B9_7F4A_7C15;

/// The finaliser: from a counter to 64 mixed bits.
pub(crate) fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// A seeded stream of numbers.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(GAMMA);
        mix(self.0)
    }

    /// Uniform in [lo, hi), a multiple of 2⁻²⁴ of the width: exact as f32 for the ranges of tests such as [−1, 1).
    pub(crate) fn uniform(&mut self, lo: f64, hi: f64) -> f64 {
        lo + (hi - lo) * ((self.next_u64() >> 40) as f64 / f64::from(1 << 24))
    }

    /// Uniform in 0..end.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        (self.next_u64() % end as u64) as usize
    }

    pub(crate) fn vec(&mut self, len: usize, lo: f64, hi: f64) -> Vec<f64> {
        (0..len).map(|_| self.uniform(lo, hi)).collect()
    }

    pub(crate) fn tensor(&mut self, shape: [usize; 4], lo: f64, hi: f64) -> Tensor {
        Tensor::new(shape, self.vec(shape.iter().product(), lo, hi))
    }
}
