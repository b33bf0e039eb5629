//! The gradient of a logit with respect to the pixels.

use super::count_images;
use crate::error::{Error, Result};
use crate::gpu::{Context, Plan, Recording};
use crate::graph::Retain;
use crate::networks::Network;
use crate::ops::{ConvAlgorithms, Tensor};
use crate::shape::Shape;

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
    let (one, classes) = (network.image().batch(1), network.classes());
    count_images(pixels, one, 1)?;
    if class >= classes {
        return Err(Error::input(format!(
            "class {class} is out of range: {network:?} has classes 0 to {}",
            classes - 1
        )));
    }
    // Nothing is fused: folding a batch norm rounds the weights once more, and if that flips a ReLU, the gradient jumps.
    let graph = network.graph();
    let algorithms = ConvAlgorithms::plain(context.capabilities());
    let mut rec = Recording::new();
    let input = Tensor::kept(&mut rec, "pixels", one);
    let dlogits = Tensor::kept(&mut rec, "dlogits", Shape::new(1, classes, 1, 1));
    rec.section("evaluate");
    let acts = graph.record_forward(&mut rec, &algorithms, input, Retain::Needed)?;
    rec.section("gradient");
    let dinput = graph.record_backward(&mut rec, &algorithms, &acts, dlogits)?;
    let plan = Plan::new(context, rec)?;
    let mut seed = vec![0.0f32; classes];
    seed[class] = 1.0;
    plan.write(input.id, pixels)?;
    plan.write(dlogits.id, &seed)?;
    plan.submit("evaluate", 1);
    let logits = plan.read(acts.of(graph.output()).id)?;
    plan.submit("gradient", 1);
    Ok(Gradient { gradient: plan.read(dinput.id)?, logits })
}
