//! Path similarity: how close a prototype's activations are to those of natural pictures, layer by layer.
//!
//! For a class with mean activations Ā (over its natural pictures, flattened, one vector a layer) and Spearman's ρ:
//! `s_P = ρ(Ā, prototype)`, `s_same = mean ρ(Ā, a picture of the class)`, `s_diff = mean ρ(Ā, a picture of another class)`.
//! A layer holds (Eq. 1) where `s_P >= s_same`. Tagade and Rumbelow (2023), section 3.

mod layers;
mod mean;
mod observer;
mod summary;
mod table;

pub use layers::{Layers, Over};
pub use mean::{MeanActivations, Picture, Sums};
pub use observer::{Correlations, Observed, Observer, Streamed, Targets};
pub use summary::{Scores, overall, warnings, ways};
pub use table::{
    ClassSimilarity, Compared, Counts, Holds, LayerSimilarity, Likely, OnePrototype, Overall, Similarity, Spread, Way,
};
