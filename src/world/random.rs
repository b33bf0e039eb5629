//! Random draws that are the same on every machine.
//!
//! Everything comes from ChaCha8 words by integer arithmetic, and angles become directions through a polynomial, because the
//! system's `sin` and `cos` differ in the last bit from one platform to the next.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// The purpose of a sequence of draws. Each purpose has its own ChaCha stream, so leaving a cue out of an image changes
/// nothing else in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stream {
    /// The three coins that decide whether an image has its class's bias.
    Coins = 0,
    /// The position, size and rotation of the object.
    Place = 1,
    /// The object itself.
    Object = 2,
    /// The second object of the `companion` bias.
    Companion = 3,
    /// The badge of the `cue` bias.
    Badge = 4,
    /// The background.
    Background = 5,
    /// Small meaningless shapes.
    Clutter = 6,
    /// Light, shadow and noise.
    Light = 7,
}

/// A seeded sequence of draws.
pub(super) struct Random(ChaCha8Rng);

impl Random {
    /// The sequence for one purpose in one image.
    pub(super) fn new(class: usize, seed: u64, number: u64, stream: Stream) -> Self {
        let mut key = [0; 32];
        key[..8].copy_from_slice(b"world/01");
        key[8..16].copy_from_slice(&(class as u64).to_le_bytes());
        key[16..24].copy_from_slice(&seed.to_le_bytes());
        key[24..].copy_from_slice(&number.to_le_bytes());
        let mut rng = ChaCha8Rng::from_seed(key);
        rng.set_stream(stream as u64);
        Self(rng)
    }

    /// A number in `[0, 1)`, one of 2²⁴ equally likely ones.
    pub(super) fn unit(&mut self) -> f32 {
        (self.0.next_u32() >> 8) as f32 / (1u32 << 24) as f32
    }

    /// A number in `[low, high)`.
    pub(super) fn between(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.unit()
    }

    /// An integer in `0..count`.
    pub(super) fn below(&mut self, count: u32) -> u32 {
        ((u64::from(self.0.next_u32()) * u64::from(count)) >> 32) as u32
    }

    /// An integer in `low..=high`.
    pub(super) fn count(&mut self, low: u32, high: u32) -> u32 {
        low + self.below(high - low + 1)
    }

    /// True with this probability.
    pub(super) fn chance(&mut self, probability: f32) -> bool {
        self.unit() < probability
    }

    /// Either −1 or 1.
    pub(super) fn sign(&mut self) -> f32 {
        if self.chance(0.5) { -1.0 } else { 1.0 }
    }

    /// A direction as (cosine, sine) of a uniformly drawn angle.
    pub(super) fn direction(&mut self) -> (f32, f32) {
        direction(self.unit())
    }
}

/// Cosine and sine of an angle given in turns, by additions and products alone; the error stays below 10⁻⁶.
pub(super) fn direction(turns: f32) -> (f32, f32) {
    let turns = turns - turns.floor();
    let quarter = (turns * 4.0 + 0.5).floor();
    let x = (turns - quarter * 0.25) * std::f32::consts::TAU;
    let x2 = x * x;
    let sine = x * (1.0 - x2 / 6.0 * (1.0 - x2 / 20.0 * (1.0 - x2 / 42.0)));
    let cosine = 1.0 - x2 / 2.0 * (1.0 - x2 / 12.0 * (1.0 - x2 / 30.0 * (1.0 - x2 / 56.0)));
    match quarter as u32 % 4 {
        0 => (cosine, sine),
        1 => (-sine, cosine),
        2 => (-cosine, -sine),
        _ => (sine, -cosine),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn direction_is_cosine_and_sine() {
        for step in -50..150 {
            let turns = step as f32 / 100.0;
            let angle = f64::from(turns) * std::f64::consts::TAU;
            let (cosine, sine) = direction(turns);
            assert!((f64::from(cosine) - angle.cos()).abs() < 2e-6, "cosine of {turns} turns is {cosine}");
            assert!((f64::from(sine) - angle.sin()).abs() < 2e-6, "sine of {turns} turns is {sine}");
        }
    }

    #[test]
    fn streams_are_independent_and_repeatable() {
        let word = |stream| Random::new(3, 1, 4, stream).0.next_u64();
        assert_eq!(word(Stream::Object), word(Stream::Object));
        assert_ne!(word(Stream::Object), word(Stream::Light));
    }
}
