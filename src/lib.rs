//! protogpu: Prototype Generation on the GPU.

pub mod atomic;
pub mod error;
pub mod optimize;
pub mod shape;
pub mod tensor_file;

pub use error::{Error, Result};
pub use shape::Shape;
