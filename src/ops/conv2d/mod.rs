//! conv2d: any window, stride, padding, dilation and groups, forward and backward to the input; without dilation and groups, both
//! as one matrix product.
//!
//! Forward: `y[n,o,p] = Σ_{c,k} w[o,c,k] x[n,c,p·stride + k − pad] + b[o]`.
//! Backward: `dx[n,c,q] = Σ_{o,k} w[o,c,k] dy[n,o,(q + pad − k)/stride]`, over the k for which the division is exact.
//!
//! [`layer`] holds the layer and [`op`] makes an op of it. [`gemm`] lays both directions out as the product that the kernels
//! compute. A [`pass`] is one direction over its tensors, and one file per kind of kernel records it: [`multiply`], [`tiles`],
//! [`texels`], and [`window`] for groups and dilation.

mod algorithm;
mod algorithms;
mod gemm;
mod key;
mod layer;
mod multiply;
mod op;
mod pass;
mod texels;
mod tiles;
mod window;
mod winograd;

pub use algorithm::{ConvAlgorithm, TexelsAlgorithm, Tile};
pub use algorithms::ConvAlgorithms;
pub use key::{ConvKey, Direction};
pub use layer::Conv2d;
