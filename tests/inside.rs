//! Tests that see the crate from inside: ops, graphs, whole networks, memory and files. `cargo test --lib tests::ops::conv2d` runs
//! those of one op. What a user of the library or the binary sees is tested from outside, in the other files of this folder.

mod harness;
mod shared;
pub(crate) mod twin;

mod coarse;
mod graphs;
mod images;
#[cfg(feature = "cli")]
mod isolation;
#[cfg(feature = "cli")]
mod kid;
mod memory;
#[path = "networks.rs"]
mod networks;
mod objectives;
mod onnx;
#[path = "ops.rs"]
mod ops;
#[cfg(feature = "cli")]
mod report;
mod shaders;
mod spearman;
#[cfg(feature = "cli")]
mod statistics;
#[cfg(feature = "cli")]
mod study;
mod tuning;
#[path = "twins.rs"]
mod twins;
mod weights_checkpoints;
