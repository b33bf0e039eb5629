//! The terms of an objective as data.

use std::path::PathBuf;
use std::sync::Arc;

/// An objective has no more terms: each takes a pass or two over a module's output.
pub(super) const MAX_TERMS: usize = 32;

/// One term.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Term {
    pub(super) weight: f64,
    pub(super) unit: Unit,
}

/// What a term is about.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Unit {
    /// The job's own class: its logit, less the part of `log Σ exp(logits)` that `Settings::logsumexp_weight` says; stands alone.
    Class,
    Logit(At<String>),
    Probability(At<String>),
    LogProbability(At<String>),
    LogOdds(At<String>, At<String>),
    Channel(At<String>, At<usize>),
    Neuron(At<String>, At<usize>, Option<[At<usize>; 2]>),
    Direction(At<String>, At<Direction>),
    Layer(At<String>),
    Diversity(At<String>),
}

/// Where a direction comes from.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Direction {
    Numbers(Vec<f32>),
    File {
        path: PathBuf,
        /// The SHA-256 that the file must have.
        sha256: Option<String>,
        /// Its numbers, once it is read.
        numbers: Option<Arc<[f32]>>,
    },
}

/// A part of the text with the place of its first character, which does not count in comparisons.
#[derive(Clone, Debug)]
pub(super) struct At<T> {
    pub(super) value: T,
    pub(super) at: usize,
}

impl<T: PartialEq> PartialEq for At<T> {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}
