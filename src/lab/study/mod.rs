//! Studies: comparisons of how a network classifies groups of images.

mod demo;
mod folders;
mod prototypes;
mod request;
mod run;

pub(crate) use prototypes::Given;
pub(crate) use request::{StudyRequest, Subject};
pub(crate) use run::CheckedStudy;
