//! Which classes share what prototypes show, measured in the network that made them.

mod inputs;
mod measure;
mod passes;

pub(crate) use inputs::Inputs;
pub(crate) use measure::EntangleRequest;
