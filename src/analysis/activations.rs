//! The output of every named module.

use super::count_images;
use crate::error::Result;
use crate::gpu::{Context, Plan, Recording};
use crate::graph::{self, NodeId, Retain};
use crate::networks::{Module, Network, Semantics};
use crate::ops::{ConvAlgorithms, Tensor};
use crate::shape::Shape;

/// A network's forward pass that fuses nothing and retains every output, for batches of images.
pub struct Activations {
    plan: Plan,
    input: Tensor,
    acts: graph::NodeOutputs,
    modules: Vec<Module>,
    /// Images in the last run.
    count: usize,
}

impl Activations {
    /// Plans the forward pass for batches of up to `batch` images.
    ///
    /// # Errors
    /// If the adapter does not have enough memory.
    pub fn new(context: &Context, network: &Network, batch: usize) -> Result<Self> {
        let mut rec = Recording::new();
        let input = Tensor::kept(&mut rec, "pixels", network.image().batch(batch.max(1)));
        rec.section("evaluate");
        let acts = network.graph().record_forward(
            &mut rec,
            &ConvAlgorithms::plain(context.capabilities()),
            input,
            Retain::All,
        )?;
        Ok(Self { plan: Plan::new(context, rec)?, input, acts, modules: network.modules().to_vec(), count: 0 })
    }

    /// Runs the forward pass; read the outputs with [`Activations::read`]. Does not block.
    ///
    /// # Errors
    /// If `pixels` are not one to `batch` whole images.
    pub fn run(&mut self, pixels: &[f32]) -> Result<()> {
        self.count = count_images(pixels, self.input.shape, self.input.shape.n())?;
        self.plan.write(self.input.id, pixels)?;
        self.plan.submit("evaluate", 1);
        Ok(())
    }

    /// The modules, the root first.
    pub fn modules(&self) -> &[Module] {
        &self.modules
    }

    /// The outputs of nodes in the last run, each `[N,C,H,W]`, in one copy. Blocks.
    ///
    /// # Errors
    /// If the device is lost.
    pub(crate) fn read_nodes(&self, nodes: &[NodeId]) -> Result<Vec<Vec<f32>>> {
        let ids: Vec<_> = nodes.iter().map(|&node| self.acts.of(node).id).collect();
        let mut outputs = self.plan.read_later(&ids)?.wait()?;
        for (output, &node) in outputs.iter_mut().zip(nodes) {
            output.truncate(self.count * self.acts.of(node).shape.image_len());
        }
        Ok(outputs)
    }

    /// A module's output in the last run, `[N,C,H,W]`. Blocks.
    ///
    /// # Errors
    /// If the device is lost.
    pub fn read(&self, module: &Module, semantics: Semantics) -> Result<(Shape, Vec<f32>)> {
        let y = self.acts.of(module.node(semantics)).shape;
        let output = self.read_nodes(&[module.node(semantics)])?.swap_remove(0);
        Ok((Shape::new(self.count, y.c(), y.h(), y.w()), output))
    }
}
