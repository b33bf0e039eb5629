//! Analysis of a network: classification, activations, gradients, rank correlation, path similarity, judges, and comparisons
//! between groups of images.
//!
//! Pixels are `[N,C,H,W]` in `[0,1]`, before normalising.

mod activations;
mod classify;
#[cfg(feature = "cli")]
pub(crate) mod compare;
#[cfg(feature = "cli")]
pub(crate) mod entangle;
mod gradient;
#[cfg(feature = "cli")]
pub(crate) mod isolate;
#[cfg(feature = "cli")]
pub(crate) mod judge;
#[cfg(feature = "cli")]
pub(crate) mod kid;
pub(crate) mod logit_gradients;
#[cfg(feature = "cli")]
pub(crate) mod moments;
#[cfg(feature = "cli")]
pub(crate) mod pairwise;
#[cfg(feature = "cli")]
pub(crate) mod pareto;
#[cfg(feature = "cli")]
pub(crate) mod penultimate;
#[cfg(feature = "cli")]
pub(crate) mod similarity;
mod spearman;
#[cfg(feature = "cli")]
pub(crate) mod study;

pub use activations::Activations;
pub use classify::{Classifier, softmax};
pub use gradient::{Gradient, gradient};
pub use spearman::{Ranks, Sorter, spearman};

use crate::error::{Error, Result};
use crate::shape::Shape;

/// Checks that `pixels` are 1 to `most` whole images of the shape `one`, and returns their number.
fn count_images(pixels: &[f32], one: Shape, most: usize) -> Result<usize> {
    let count = pixels.len() / one.image_len();
    if pixels.len() != count * one.image_len() || count == 0 || count > most {
        let len = pixels.len();
        return Err(Error::input(format!("{len} values are not a batch of 1 to {most} images of {one}")));
    }
    Ok(count)
}
