//! Classifies images.

use super::count_images;
#[cfg(feature = "cli")]
use super::penultimate::Outputs;
use crate::error::Result;
use crate::gpu::{Context, Plan, Recording};
use crate::graph::Retain;
use crate::networks::Network;
use crate::ops::{ConvAlgorithms, Tensor};
#[cfg(feature = "cli")]
use crate::ops::{Forward, GlobalAvgPool2d, Op};
use crate::shape::ImageSpec;
#[cfg(feature = "cli")]
use crate::shape::Shape;

/// A network's forward pass for batches of images.
pub struct Classifier {
    plan: Plan,
    image: ImageSpec,
    input: Tensor,
    logits: Tensor,
    /// If they are wanted.
    #[cfg(feature = "cli")]
    features: Option<Tensor>,
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
        let logits = acts.of(graph.output());
        Ok(Self {
            plan: Plan::new(context, rec)?,
            image,
            input,
            logits,
            #[cfg(feature = "cli")]
            features: None,
        })
    }

    /// The same pass, which also yields the input of the last layer; see [`Classifier::outputs`]. Unlike
    /// [`super::penultimate::Penultimate`] it is fused, and so it rounds otherwise, but takes less time and memory.
    ///
    /// # Errors
    /// If the adapter does not have enough memory.
    #[cfg(feature = "cli")]
    pub(crate) fn with_features(context: &Context, network: &Network, batch: usize) -> Result<Self> {
        let (graph, image) = (network.graph(), network.image());
        let last = graph.output();
        let before = graph.node(last).inputs.first().copied().unwrap_or(graph.input());
        let graph = graph.truncated(&[last, before]).fused()?;
        let algorithms = ConvAlgorithms::fixed(context.capabilities());
        let mut rec = Recording::new();
        let input = Tensor::kept(&mut rec, "pixels", image.batch(batch.max(1)));
        rec.section("evaluate");
        let acts = graph.record_forward(&mut rec, &algorithms, input, Retain::Needed)?;
        // Copies, because the memory of an output is free for others after its last reader.
        let mut kept = Vec::new();
        for (label, &node) in ["logits", "features"].into_iter().zip(graph.outputs()) {
            let x = acts.of(node);
            let y = Tensor::kept(&mut rec, label, Shape::new(x.shape.n(), x.shape.c(), 1, 1));
            let mut cx = Forward { rec: &mut rec, label, algorithms: &algorithms };
            GlobalAvgPool2d.forward(&mut cx, &[x], y)?;
            kept.push(y);
        }
        Ok(Self { plan: Plan::new(context, rec)?, image, input, logits: kept[0], features: Some(kept[1]) })
    }

    /// The largest batch.
    pub fn batch(&self) -> usize {
        self.input.shape.n()
    }

    /// The images that it takes.
    pub fn image(&self) -> ImageSpec {
        self.image
    }

    /// The logits and features of each image, if the pass was planned with features. Blocks.
    ///
    /// # Errors
    /// As [`Classifier::logits`].
    #[cfg(feature = "cli")]
    pub(crate) fn outputs(&self, pixels: &[f32]) -> Result<Vec<Outputs>> {
        let logits = self.logits(pixels)?;
        let Some(features) = self.features else {
            return Ok(logits.into_iter().map(|logits| Outputs { logits, features: Vec::new() }).collect());
        };
        let all = self.plan.read(features.id)?;
        let features = all.chunks_exact(features.shape.c()).map(<[f32]>::to_vec);
        Ok(logits.into_iter().zip(features).map(|(logits, features)| Outputs { logits, features }).collect())
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
