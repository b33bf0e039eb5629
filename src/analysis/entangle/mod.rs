//! Which classes share what a prototype shows, and whether these are the classes that the network confuses on photographs.

mod confusions;
mod head;
mod numbers;
mod table;

pub(crate) use confusions::{Check, Confusions, Lists};
pub(crate) use head::Head;
pub(crate) use numbers::{cosine, log_softmax, mean_cosine, mean_of, pooled};
pub(crate) use table::{Candidate, EntangledClass, Entanglement, ranked};
