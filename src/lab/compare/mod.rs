//! The prototypes of several checkpoints side by side.

mod inputs;
mod measure;
mod pictures;

pub(crate) use inputs::Inputs;
pub(crate) use measure::CompareRequest;
