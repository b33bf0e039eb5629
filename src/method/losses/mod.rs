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
mod term;
mod total_variation;
mod weighted;

pub use class_logit::ClassLogit;
pub use class_terms::{ClassRow, ClassTerms};
pub use diversity::Diversity;
pub use feature::{Feature, FeatureRow};
pub use l2::L2;
pub use ledger::{Column, Ledger, tick};
pub use probability_variance::ProbabilityVariance;
pub use regularizers::Regularizers;
pub(crate) use regularizers::options;
pub use slot::{Bound, Slot, TermParams};
pub(crate) use term::TermOption;
pub use term::{LossTerm, Moment, Read, Source, Stage};
pub use total_variation::TotalVariation;
pub(super) use weighted::Weighted;
