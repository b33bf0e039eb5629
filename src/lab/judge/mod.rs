//! Judges: how well networks recognise prototypes that others made, beside photographs and controls.

mod answers;
mod inputs;
mod jury;
mod made;
mod measure;

pub(crate) use inputs::{Inputs, Photographs};
pub(crate) use made::{MadeRequest, NamedJudge};
pub(crate) use measure::JudgeRequest;
