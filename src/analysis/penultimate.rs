//! Logits, and the features from which the last layer computes them.

use super::Activations;
use super::entangle::pooled;
use crate::error::{Error, Result};
use crate::gpu::Context;
use crate::graph::NodeId;
use crate::networks::Network;

/// A network's forward pass.
pub(crate) struct Penultimate {
    activations: Activations,
    /// The nodes of logits and features.
    nodes: [NodeId; 2],
    /// The number of values of both for one image.
    lens: [usize; 2],
    channels: usize,
}

/// What a network computes of an image.
#[derive(Clone, Debug)]
pub(crate) struct Outputs {
    /// `[K]`.
    pub(crate) logits: Vec<f32>,
    /// The input of the last layer, `[C]`: if it has positions, the mean over these.
    pub(crate) features: Vec<f32>,
}

impl Penultimate {
    /// Plans the pass for batches of up to `batch` images.
    ///
    /// # Errors
    /// If the adapter does not have enough memory, or the network has only one layer.
    pub(crate) fn new(context: &Context, network: &Network, batch: usize) -> Result<Self> {
        let graph = network.graph();
        let logits = graph.output();
        let features = graph.node(logits).inputs.first().copied().filter(|&features| features != graph.input());
        let features = features.ok_or_else(|| Error::input(format!("{network:?} has no layer before the last")))?;
        let nodes = [logits, features];
        let shape = |id: NodeId| graph.node(id).shape;
        Ok(Self {
            activations: Activations::new(context, network, batch)?,
            lens: nodes.map(|id| shape(id).image_len()),
            channels: shape(features).c(),
            nodes,
        })
    }

    /// The outputs for one to `batch` images, `[N,C,H,W]`. Blocks.
    ///
    /// # Errors
    /// If `pixels` are not whole images, or the device is lost.
    pub(crate) fn outputs(&mut self, pixels: &[f32]) -> Result<Vec<Outputs>> {
        self.activations.run(pixels)?;
        let read = self.activations.read_nodes(&self.nodes)?;
        let [logits, features] = [0, 1].map(|at| read[at].chunks_exact(self.lens[at]));
        let outputs = |(logits, features): (&[f32], &[f32])| Outputs {
            logits: logits.to_vec(),
            features: pooled(features, self.channels),
        };
        Ok(logits.zip(features).map(outputs).collect())
    }
}
