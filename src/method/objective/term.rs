//! The terms of an objective as data.

use std::path::PathBuf;
use std::sync::Arc;

/// The most terms of an objective. Each takes one or two passes over a module's output.
pub(super) const MAX_TERMS: usize = 32;

/// A weighted term.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Term {
    pub(super) weight: f64,
    pub(super) unit: Unit,
}

/// The value of a term.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Unit {
    /// The objective of the paper for the job's class, see [`Objective::class`](super::Objective::class). It is always the only term.
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

/// A direction in the space of a module's channels.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Direction {
    Numbers(Vec<f32>),
    File {
        path: PathBuf,
        /// The required SHA-256 of the file.
        sha256: Option<String>,
        /// The numbers, once the file is read.
        numbers: Option<Arc<[f32]>>,
    },
}

/// A part of the text, and the position of its first character. Comparisons ignore the position.
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
