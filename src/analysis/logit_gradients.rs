//! The gradients of weighted sums of logits with respect to the pixels, for batches of images.

use super::count_images;
use crate::error::{Error, Result};
use crate::gpu::{Context, Plan, Recording};
use crate::graph::Retain;
use crate::networks::Network;
use crate::ops::{ConvAlgorithms, Tensor};
use crate::shape::Shape;

/// A network's forward and backward pass.
pub(crate) struct LogitGradients {
    plan: Plan,
    input: Tensor,
    logits: Tensor,
    dlogits: Tensor,
    dinput: Tensor,
}

impl LogitGradients {
    /// Plans both passes for batches of up to `batch` images.
    ///
    /// # Errors
    /// If the adapter does not have enough memory.
    pub(crate) fn new(context: &Context, network: &Network, batch: usize) -> Result<Self> {
        let batch = batch.max(1);
        // Nothing is fused: folding a batch norm rounds the weights once more, and if that flips a ReLU, the gradient jumps.
        let graph = network.graph();
        let algorithms = ConvAlgorithms::plain(context.capabilities());
        let mut rec = Recording::new();
        let input = Tensor::kept(&mut rec, "pixels", network.image().batch(batch));
        let dlogits = Tensor::kept(&mut rec, "dlogits", Shape::new(batch, network.classes(), 1, 1));
        rec.section("evaluate");
        let acts = graph.record_forward(&mut rec, &algorithms, input, Retain::Needed)?;
        rec.section("gradient");
        let dinput = graph.record_backward(&mut rec, &algorithms, &acts, dlogits)?;
        let logits = acts.of(graph.output());
        Ok(Self { plan: Plan::new(context, rec)?, input, logits, dlogits, dinput })
    }

    /// The logits `[N,K]` of the images, and `d Σ_k weights[n,k]·logits[n,k] / d pixels`, `[N,C,H,W]`. Blocks.
    ///
    /// # Errors
    /// If `pixels` are not one to `batch` whole images, `weights` are not one for each of their logits, or the device is lost.
    pub(crate) fn of(&self, pixels: &[f32], weights: &[f32]) -> Result<(Vec<f32>, Vec<f32>)> {
        let count = count_images(pixels, self.input.shape, self.input.shape.n())?;
        let len = count * self.dlogits.shape.image_len();
        if weights.len() != len {
            let given = weights.len();
            return Err(Error::input(format!("{given} weights of logits, but {count} images have {len} logits")));
        }
        self.plan.write(self.input.id, pixels)?;
        self.plan.write(self.dlogits.id, weights)?;
        self.plan.submit("evaluate", 1);
        let mut logits = self.plan.read(self.logits.id)?;
        self.plan.submit("gradient", 1);
        let mut gradients = self.plan.read(self.dinput.id)?;
        logits.truncate(len);
        gradients.truncate(pixels.len());
        Ok((logits, gradients))
    }
}
