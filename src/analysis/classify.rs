//! Classifies images.

use super::count_images;
use crate::error::Result;
use crate::gpu::{Context, Plan, Recording};
use crate::graph::Retain;
use crate::networks::Network;
use crate::ops::{ConvAlgorithms, Tensor};
use crate::shape::ImageSpec;

/// A network's forward pass for batches of images.
pub struct Classifier {
    plan: Plan,
    image: ImageSpec,
    input: Tensor,
    logits: Tensor,
}

impl Classifier {
    /// Plans the forward pass for batches of up to `batch` images.
    ///
    /// # Errors
    /// If the adapter does not have enough memory.
    pub fn new(context: &Context, network: &Network, batch: usize) -> Result<Self> {
        let (graph, image) = (network.graph().fused()?, network.image());
        let mut rec = Recording::new();
        let input = Tensor::kept(&mut rec, "pixels", image.batch(batch.max(1)));
        rec.section("evaluate");
        let acts =
            graph.record_forward(&mut rec, &ConvAlgorithms::fixed(context.capabilities()), input, Retain::Needed)?;
        Ok(Self { plan: Plan::new(context, rec)?, image, input, logits: acts.of(graph.output()) })
    }

    /// The largest batch.
    pub fn batch(&self) -> usize {
        self.input.shape.n()
    }

    /// The images that it takes.
    pub fn image(&self) -> ImageSpec {
        self.image
    }

    /// The logits of each image, `[K]`. Blocks.
    ///
    /// # Errors
    /// If `pixels` are not one to `batch` whole images, or the device is lost.
    pub fn logits(&self, pixels: &[f32]) -> Result<Vec<Vec<f32>>> {
        let count = count_images(pixels, self.input.shape, self.input.shape.n())?;
        self.plan.write(self.input.id, pixels)?;
        self.plan.submit("evaluate", 1);
        let logits = self.plan.read(self.logits.id)?;
        Ok(logits.chunks_exact(self.logits.shape.c()).take(count).map(<[f32]>::to_vec).collect())
    }
}

/// Probabilities of logits, in f64: `exp(z − max z) / Σ exp(z − max z)`.
pub fn softmax(logits: &[f32]) -> Vec<f64> {
    let top = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let exps: Vec<f64> = logits.iter().map(|&z| libm::exp(f64::from(z) - f64::from(top))).collect();
    let sum: f64 = exps.iter().sum();
    exps.iter().map(|e| e / sum).collect()
}
