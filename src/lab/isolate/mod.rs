//! Regions that keep classes, of photographs and prototypes.

mod curves;
mod inputs;
mod measure;

pub(crate) use inputs::{Classes, Inputs};
pub(crate) use measure::{Background, IsolateRequest};
