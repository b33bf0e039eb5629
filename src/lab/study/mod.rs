//! Studies: what a network makes of groups of pictures, and whether they differ.

mod demo;
mod folders;
mod prototypes;
mod request;
mod run;

pub(crate) use prototypes::Given;
pub(crate) use request::{StudyRequest, Subject};
pub(crate) use run::CheckedStudy;
