//! Files and time: runs, sweeps, similarity, studies and benches as functions of typed requests.
//!
//! An [`observer::Observer`] learns of progress and may stop the work. Nothing here prints, handles signals or knows options: errors
//! name fields, and `cli` words what people read on a terminal.

pub(crate) mod about;
pub(crate) mod activations;
pub(crate) mod bench;
pub(crate) mod cache;
pub(crate) mod classify;
pub(crate) mod compare;
pub(crate) mod controls;
pub(crate) mod disk;
pub(crate) mod download;
pub(crate) mod drive;
pub(crate) mod entangle;
pub(crate) mod gallery;
pub(crate) mod gradient;
pub(crate) mod isolate;
pub(crate) mod judge;
pub(crate) mod kernels;
pub(crate) mod mean_activations;
pub(crate) mod observer;
pub(crate) mod pictures;
pub(crate) mod pipelines;
pub(crate) mod presets;
pub(crate) mod pull;
pub(crate) mod run;
pub(crate) mod similarity;
pub(crate) mod statistics;
pub(crate) mod strip;
pub(crate) mod study;
pub(crate) mod sweep;
pub(crate) mod synth;
pub(crate) mod top;
