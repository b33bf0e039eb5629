//! protogpu: Prototype Generation on the GPU.

pub mod atomic;
pub mod error;
pub mod labels;
pub mod picture;
pub mod shape;
mod suggest;
pub mod weights;

pub use error::{Error, Result};
pub use shape::Shape;
