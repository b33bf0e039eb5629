//! protogpu: Prototype Generation on the GPU.

// `params!` names the crate from inside and from outside alike.
extern crate self as protogpu;

pub mod analysis;
pub mod atomic;
pub mod error;
pub mod gpu;
pub mod graph;
pub mod labels;
mod named;
pub mod nets;
pub mod ops;
pub mod optimize;
pub mod picture;
pub mod shape;
mod suggest;
pub mod tensor_file;
pub mod weights;
#[cfg(feature = "cli")]
pub mod world;

pub use error::{Error, Result};
pub use shape::Shape;
