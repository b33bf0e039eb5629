//! The trait of a term, and the types that it uses.

use std::ops::Range;

use super::option::{OptionValue, TermOption};
use super::{Column, Slot};
use crate::error::{Error, Result};
use crate::gpu::{CustomKernel, Kernel, MAX_ELEMENTS, Recording};
use crate::graph::NodeId;
use crate::networks::{Network, Semantics};
use crate::ops::Tensor;
use crate::shape::Shape;

/// A term of the loss. Its kernels `#import lib/term`.
pub trait LossTerm: Send + Sync {
    /// The name in errors and labels.
    fn name(&self) -> &str;

    /// The sources that it reads: either the image, or outputs of nodes. A node may occur twice. Gradients are delivered in this order.
    ///
    /// # Errors
    /// If the network has no such module.
    fn reads(&self, network: &Network) -> Result<Vec<Source>>;

    /// The values that it writes for each image, given the shapes of its sources. The first is its loss, without the weight.
    fn columns(&self, sources: &[Shape]) -> Vec<Column>;

    /// The weight of its loss and gradient at a step.
    fn weight(&self, at: Moment) -> f64;

    /// Appends the commands that write its values and deliver the weighted gradient to each source. `images` are the indices in the
    /// batch of the images in the sources.
    ///
    /// # Errors
    /// If the shapes of the sources do not fit.
    fn record(&self, rec: &mut Recording, slot: &Slot, images: Range<usize>, sources: &[Read]) -> Result<()>;

    /// Whether its kernels read texels and write their gradient as such. It then gets a node's output in the format that the graph has it
    /// in, if no other term reads that node, and never adds to the gradient of another.
    fn takes_texels(&self) -> bool {
        false
    }

    /// Whether it compares images, so that the whole batch must go through the network together.
    fn compares_images(&self) -> bool {
        false
    }
}

/// A tensor that a term reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The image before all transforms, `[N,C,H,W]`.
    Image,
    /// The output of a node of the network for the transformed image.
    Node(NodeId),
}

impl Source {
    /// The network's logits.
    pub fn logits(network: &Network) -> Self {
        Self::Node(network.graph().output())
    }

    /// The output of a module.
    ///
    /// # Errors
    /// If there is no module with this name.
    pub fn module(network: &Network, name: &str) -> Result<Self> {
        Ok(Self::Node(network.module(name)?.node(Semantics::Snapshot)))
    }
}

/// The values and the gradient of a source, both `[N,C,H,W]` in buffers.
#[derive(Clone, Copy, Debug)]
pub struct Read {
    /// The values.
    pub x: Tensor,
    /// The gradient.
    pub dx: Tensor,
    /// Whether to add to dx, which has the gradients of other terms, instead of writing it.
    pub accumulates: bool,
}

impl Read {
    /// The extents `[N,C,H,W]` of both.
    ///
    /// # Errors
    /// If their shapes differ or do not have rank 4, or they have no elements or too many; `name` is the term.
    pub fn nchw(&self, name: &str) -> Result<[usize; 4]> {
        let (x, dx) = (self.x.shape, self.dx.shape);
        if x != dx || x.rank() != 4 || !(1..=MAX_ELEMENTS).contains(&x.len()) {
            return Err(Error::input(format!(
                "{name}: x is {x} and dx {dx}, but both must be the same [N,C,H,W], with 1 to {MAX_ELEMENTS} elements"
            )));
        }
        Ok(x.nchw())
    }

    /// The kernel, specialised so that `deliver` of shaders/lib/term.wgsl adds or writes as this source needs.
    #[must_use]
    pub fn custom_kernel(&self, kernel: CustomKernel) -> CustomKernel {
        if self.accumulates { kernel.with("ACCUMULATES", 1) } else { kernel }
    }

    /// [`Read::custom_kernel`] for a kernel of the crate.
    #[must_use]
    pub(crate) fn kernel(&self, kernel: Kernel) -> Kernel {
        if self.accumulates { kernel.with("ACCUMULATES", 1) } else { kernel }
    }
}

/// A stage of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Comes first: the classes become equally probable.
    Baseline,
    /// The objective is maximised.
    Prototype,
}

/// A step within its stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// The stage.
    pub stage: Stage,
    /// The step of the stage, from 0.
    pub step: u64,
    /// Steps of the stage.
    pub steps: u64,
}

impl Moment {
    /// The progress of the stage: 0 at its first step, 1 at its last.
    pub fn share(self) -> f64 {
        let last = self.steps.saturating_sub(1).max(1);
        self.step.min(last) as f64 / last as f64
    }

    /// `weight` in the prototype stage, 0 before.
    pub fn in_prototype(self, weight: f64) -> f64 {
        if self.stage == Stage::Prototype { weight } else { 0.0 }
    }
}

/// A term with options among the settings.
pub(crate) struct Regularizer {
    /// Its options. The first is its weight.
    pub(crate) options: &'static [TermOption],
    /// Makes the term.
    pub(crate) of: OfOptions,
}

/// Makes a term from the values of its options, in their order, and the group of each image; `None` if they turn it off.
type OfOptions = fn(&[OptionValue], &Network, &[u32]) -> Option<Box<dyn LossTerm>>;
