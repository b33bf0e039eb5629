//! Path similarity: how close a prototype's activations are to those of natural images, layer by layer.
//!
//! Let Ā be the mean activations of a class (over its natural images, flattened, one vector per layer) and ρ Spearman's correlation:
//! `s_P = ρ(Ā, prototype)`, `s_same = mean ρ(Ā, an image of the class)`, `s_diff = mean ρ(Ā, an image of another class)`.
//! A layer holds (Eq. 1) if `s_P >= s_same`. Tagade and Rumbelow (2023), section 3.

mod correlator;
mod layers;
mod mean;
mod summary;
mod table;

pub(crate) use correlator::{Correlations, Correlator, Observed, Targets};
pub(crate) use layers::{Layers, Over};
pub(crate) use mean::{MeanActivations, Sums};
pub(crate) use summary::{Scores, overall, warnings, ways};
pub(crate) use table::{ClassSimilarity, Compared, Holds, LayerSimilarity, Likely, Similarity, Spread};
#[cfg(test)]
pub(crate) use table::{Counts, Measured, OnePrototype, Overall, Way};
