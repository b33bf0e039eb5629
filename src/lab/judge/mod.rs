//! Judges: how well networks recognise prototypes that others made, beside photographs and controls.

mod answers;
mod inputs;
mod measure;

pub(crate) use inputs::{Inputs, Photographs};
pub(crate) use measure::JudgeRequest;
