//! protogpu: Prototype Generation on the GPU.

// `params!` names the crate from inside and from outside alike.
extern crate self as protogpu;

pub mod error;
pub mod gpu;
pub mod graph;
pub mod ops;
pub mod shape;

pub use error::{Error, Result};
pub use shape::Shape;
