//! The loss is a weighted sum of terms. Each is one file here: what it reads, its value and gradient, and its weight at a step.
//!
//! To add a regulariser: its shader beside `shaders/total_variation.wgsl`, its file here with its options, a line of the table in
//! `regularizers.rs`; its twin and its cases. Settings, command line, schedule, history and files follow from these.
//! A host brings its own with [`Overrides::terms`](super::Overrides).

mod class_logit;
mod class_terms;
mod diversity;
mod feature;
mod l2;
mod ledger;
mod probability_variance;
mod regularizers;
mod slot;
mod terms;
mod total_variation;
mod weighted;

use std::ops::Range;

pub use class_logit::ClassLogit;
pub use class_terms::{ClassRow, ClassTerms};
pub use diversity::Diversity;
pub use feature::{Feature, FeatureRow};
pub use l2::L2;
pub use ledger::{Column, Ledger, tick};
pub use probability_variance::{BaselineForm, ProbabilityVariance};
pub use regularizers::Regularizers;
pub(crate) use regularizers::{TermOption, options};
pub use slot::{Bound, Slot, TermParams};
pub(super) use terms::{Step, Terms};
pub use total_variation::{TotalVariation, TvForm};
use weighted::Weighted;

use super::settings::Settings;
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
    /// The moment of a step, counted from 0 through both stages.
    pub fn of(settings: &Settings, step: u64) -> Self {
        let (baseline, steps) = (u64::from(settings.baseline_steps), u64::from(settings.steps));
        match step.checked_sub(baseline) {
            None => Self { stage: Stage::Baseline, step, steps: baseline },
            Some(step) => Self { stage: Stage::Prototype, step, steps },
        }
    }

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

/// The weights at a step of the terms that settings alone decide, which are all but a host's: what goes on from a checkpoint must have
/// had the same.
pub(super) fn weights_of(settings: &Settings, network: &Network, step: u64) -> Vec<f32> {
    let at = Moment::of(settings, step);
    let baseline = ProbabilityVariance::of(settings);
    baseline.into_iter().chain(regularizers::terms(settings, network)).map(|term| term.weight(at) as f32).collect()
}
