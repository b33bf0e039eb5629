//! The terms of the loss, which is their weighted sum. Each file has one: what it reads, its value and gradient, and its weight at a step.
//!
//! A new regulariser needs a shader, a file here with its options, an entry in the table of `regularizers.rs`, a twin and test cases.
//! Settings, command line, schedule, history and files follow from these. A host adds its own terms with
//! [`Overrides::terms`](super::Overrides).

mod class_logit;
mod class_terms;
mod diverse;
mod diversity;
mod feature;
mod l2;
mod ledger;
mod natural_layer;
mod natural_statistics;
mod option;
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
pub use natural_layer::{NaturalChannel, NaturalForm, NaturalLayer};
pub use natural_statistics::{NaturalSide, NaturalStatistics};
pub(crate) use option::OptionValue;
#[cfg(feature = "cli")]
pub(crate) use option::{OptionKind, TermOption};
pub use probability_variance::ProbabilityVariance;
pub use regularizers::Regularizers;
pub(crate) use regularizers::{option, options};
pub use slot::{Bound, Slot, TermParams};
pub use term::{LossTerm, Moment, Read, Source, Stage};
pub use total_variation::TotalVariation;
pub(super) use weighted::Weighted;
