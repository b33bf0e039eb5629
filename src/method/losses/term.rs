//! A term of the loss: what it reads, which values it reports, and when it counts.

use std::ops::Range;

use super::{Column, Slot};
use crate::error::{Error, Result};
use crate::gpu::{CustomKernel, Kernel, Recording};
use crate::graph::NodeId;
use crate::networks::{Network, Semantics};
use crate::ops::Tensor;
use crate::shape::Shape;

/// A term of the loss. Its kernels `#import lib/term`.
pub trait LossTerm: Send + Sync {
    /// What it is called in errors and labels.
    fn name(&self) -> &str;

    /// What it reads: the image alone, or outputs of nodes. A node may come twice; gradients are delivered in this order.
    ///
    /// # Errors
    /// If the network has no such module.
    fn reads(&self, network: &Network) -> Result<Vec<Source>>;

    /// The values that it leaves for an image, for sources of these shapes. The first is its loss, before the weight.
    fn columns(&self, sources: &[Shape]) -> Vec<Column>;

    /// What its loss and gradient are multiplied by at a step.
    fn weight(&self, at: Moment) -> f64;

    /// Appends what leaves its values and delivers the weighted gradient to each source, for some images of the batch: those of the
    /// sources' tensors.
    ///
    /// # Errors
    /// If the sources' shapes do not fit.
    fn record(&self, rec: &mut Recording, slot: &Slot, images: Range<usize>, sources: &[Read]) -> Result<()>;

    /// Whether it compares the images that are made at once, so that all of them must go through the network together.
    fn compares_images(&self) -> bool {
        false
    }
}

/// What a term reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The image `[N,C,H,W]` as the parameters make it, before any transform.
    Image,
    /// The output of a node of the network, of the transformed image.
    Node(NodeId),
}

impl Source {
    /// The network's logits.
    pub fn logits(network: &Network) -> Self {
        Self::Node(network.graph().output())
    }

    /// What a module shows.
    ///
    /// # Errors
    /// If there is none of this name.
    pub fn module(network: &Network, name: &str) -> Result<Self> {
        Ok(Self::Node(network.module(name)?.node(Semantics::Snapshot)))
    }
}

/// A source's values and gradient at a step, both `[N,C,H,W]` in buffers.
#[derive(Clone, Copy, Debug)]
pub struct Read {
    /// The values.
    pub x: Tensor,
    /// Where the gradient goes.
    pub dx: Tensor,
    /// Whether dx holds what other terms delivered, to which this one's is added; otherwise it is written.
    pub accumulates: bool,
}

impl Read {
    /// `[N,C,H,W]` of both, for a term that takes such a source.
    ///
    /// # Errors
    /// If they have other shapes than one another, or another rank.
    pub fn nchw(&self, name: &str) -> Result<[usize; 4]> {
        let (x, dx) = (self.x.shape, self.dx.shape);
        if x != dx || x.rank() != 4 {
            return Err(Error::input(format!("{name}: x is {x} and dx {dx}, but both must be the same [N,C,H,W]")));
        }
        Ok(x.nchw())
    }

    /// A kernel as it must be for this source: what `deliver` of shaders/lib/term.wgsl does.
    #[must_use]
    pub fn custom_kernel(&self, kernel: CustomKernel) -> CustomKernel {
        if self.accumulates { kernel.with("ACCUMULATES", 1) } else { kernel }
    }

    /// [`Read::custom_kernel`] of a kernel of the crate.
    #[must_use]
    pub(crate) fn kernel(&self, kernel: Kernel) -> Kernel {
        if self.accumulates { kernel.with("ACCUMULATES", 1) } else { kernel }
    }
}

/// A part of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Before the prototype: the classes become equally probable.
    Baseline,
    /// The prototype.
    Prototype,
}

/// Which step it is.
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
    /// How far the stage has come: 0 at its first step, 1 at its last.
    pub fn share(self) -> f64 {
        let last = self.steps.saturating_sub(1).max(1);
        self.step.min(last) as f64 / last as f64
    }

    /// `weight` in the prototype stage, nothing before.
    pub fn in_prototype(self, weight: f64) -> f64 {
        if self.stage == Stage::Prototype { weight } else { 0.0 }
    }
}

/// A term that settings ask for by numbers: its options, and the term that they make.
pub(crate) struct Regularizer {
    /// The numbers that settings have for it.
    pub(crate) options: &'static [TermOption],
    /// The term, if the values of its options, in their order, ask for it in this network.
    pub(crate) of: fn(&[f64], &Network) -> Option<Box<dyn LossTerm>>,
}

/// A number of a regulariser: a key of settings files, and an option of the command line.
#[derive(Debug)]
pub(crate) struct TermOption {
    /// The key, such as `l2_weight`.
    pub(crate) name: &'static str,
    /// Its value where settings do not say.
    pub(crate) default: f64,
    /// What it is, for people.
    pub(crate) about: &'static str,
}
