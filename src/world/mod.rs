//! The drawn world: pictures of things whose every property is known, to train a small network on and to audit it with.
//!
//! Fifteen classes of things are drawn from a seed, in any place, size, turn, colour and light, before any background.
//! Three *biases* are planted in the pictures ([`biases`]): a cue that comes with one class, a body colour that one class
//! nearly always has, and a second object by which one class differs from its neighbour. A network trained on the pictures
//! learns them; its prototypes should show them; and pictures drawn without a bias measure what it costs.
//!
//! A picture is a function of its class, a seed, a number and the settings of the biases, and of nothing else. The settings
//! change only what they name: the same umbrella stands before the same background with and without its badge, so pictures
//! can be compared in pairs.
//!
//! ```text
//! class, seed, number ─ ChaCha8 ─┬─ coins ───── which biases this picture carries
//!                                ├─ background, clutter
//!                                ├─ place, object (and companion)
//!                                ├─ badge
//!                                └─ light, shadow, noise
//! ```

mod background;
mod bias;
mod canvas;
mod class;
mod colour;
mod finish;
mod objects;
mod pattern;
mod random;
mod scene;

pub(crate) use bias::{Bias, Biases, Setting, biases, truth};
pub(crate) use class::{Class, classes, find_class, no_class};
pub(crate) use scene::draw;

#[cfg(test)]
mod tests;
