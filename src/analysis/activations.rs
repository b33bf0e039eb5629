//! The output of every named module.

use super::count_images;
use crate::error::{Error, Result};
use crate::gpu::{Context, Plan, Recording};
use crate::graph::{self, Keep};
use crate::nets::{Module, Network, Semantics};
use crate::ops::{Choices, Tensor};
use crate::shape::Shape;

/// A network's forward with nothing fused and everything kept, for a fixed number of pictures at once.
pub struct Activations {
    plan: Plan,
    input: Tensor,
    acts: graph::Activations,
    modules: Vec<Module>,
}

impl Activations {
    /// Plans the forward for batches of exactly `batch` pictures.
    ///
    /// # Errors
    /// If the adapter has not enough memory.
    pub fn new(context: &Context, network: &Network, batch: usize) -> Result<Self> {
        let one = network.input();
        let mut rec = Recording::new();
        let input = Tensor::kept(&mut rec, "pixels", Shape::new(batch.max(1), one.c(), one.h(), one.w()));
        rec.section("evaluate");
        let acts =
            network.graph().record_forward(&mut rec, &Choices::plain(context.capabilities()), input, Keep::All)?;
        Ok(Self { plan: Plan::new(context, rec)?, input, acts, modules: network.modules().to_vec() })
    }

    /// Runs the forward; [`Activations::read`] then gives what the modules show. Does not block.
    ///
    /// # Errors
    /// If `pixels` are not exactly `batch` whole pictures.
    pub fn run(&self, pixels: &[f32]) -> Result<()> {
        let batch = self.input.shape.n();
        if count_images(pixels, self.input.shape, batch)? != batch {
            return Err(Error::input(format!("{} values are not {batch} pictures", pixels.len())));
        }
        self.plan.write(self.input.id, pixels)?;
        self.plan.submit("evaluate", 1);
        Ok(())
    }

    /// Names of the modules, the root first.
    pub fn modules(&self) -> &[Module] {
        &self.modules
    }

    /// A module's output in the last run, `[N,C,H,W]`. Blocks.
    ///
    /// # Errors
    /// If the device is lost.
    pub fn read(&self, module: &Module, semantics: Semantics) -> Result<(Shape, Vec<f32>)> {
        let y = self.acts.of(module.node(semantics));
        Ok((y.shape, self.plan.read(y.id)?))
    }
}
