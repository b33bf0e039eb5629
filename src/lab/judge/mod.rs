//! Judges: how well networks recognise prototypes that others made, beside photographs and controls.

mod answers;
mod ask;
mod inputs;
mod jury;
mod made;
mod measure;

pub(crate) use ask::{Judges, NamedJudge};
pub(crate) use inputs::{Inputs, Photographs, Unrecorded};
pub(crate) use made::MadeRequest;
pub(crate) use measure::JudgeRequest;
