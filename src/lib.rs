//! protogpu: Prototype Generation on the GPU.

pub mod error;
pub mod shape;

pub use error::{Error, Result};
pub use shape::Shape;
