//! The gradient of a logit with respect to the pixels.

use super::count_images;
use super::logit_gradients::LogitGradients;
use crate::error::{Error, Result};
use crate::gpu::Context;
use crate::networks::Network;

/// The logits of an image, and the gradient of one of them.
#[derive(Clone, Debug, PartialEq)]
pub struct Gradient {
    /// `d logit / d pixel`, `[1,C,H,W]`; pixels in `[0,1]`, before normalising.
    pub gradient: Vec<f32>,
    /// `[K]`.
    pub logits: Vec<f32>,
}

/// The gradient of the logit of `class` with respect to the pixels of an image, `[C,H,W]` in `[0,1]`. Blocks.
///
/// # Errors
/// If `pixels` are not one whole image, the class is out of range, or the device is lost.
pub fn gradient(context: &Context, network: &Network, pixels: &[f32], class: usize) -> Result<Gradient> {
    let classes = network.classes();
    count_images(pixels, network.image().batch(1), 1)?;
    if class >= classes {
        return Err(Error::input(format!(
            "class {class} is out of range: {network:?} has classes 0 to {}",
            classes - 1
        )));
    }
    let mut weights = vec![0.0f32; classes];
    weights[class] = 1.0;
    let (logits, gradient) = LogitGradients::new(context, network, 1)?.of(pixels, &weights)?;
    Ok(Gradient { gradient, logits })
}
