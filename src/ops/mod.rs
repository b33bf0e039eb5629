//! One file per op: its shapes, FLOPs and dispatches, forward then backward. The backward computes the gradient of the input, and
//! none of the weights.
//!
//! An op appends to a [`Recording`](crate::gpu::Recording) and knows nothing about networks. Each backward kernel writes through
//! a [`GradEpilogue`].

mod adam;
mod add;
mod affine_warp;
mod avg_pool2d;
mod axes;
mod binary;
mod cat;
mod channel_affine;
mod check;
mod clock;
mod colour;
mod concat;
mod constant;
mod conv2d;
mod finish;
mod global_avg_pool2d;
mod grad_epilogue;
mod group_norm;
mod irfft2;
mod linear;
mod local_response_norm;
mod masked;
mod matmul;
mod max_pool2d;
mod moves;
mod noise;
mod op;
mod phase;
mod reduce;
mod relu;
mod reshape;
mod reveal;
mod roll;
mod scale_shift;
mod silu;
mod soft_top_k;
mod softmax;
mod tensor;
mod texels;
mod unary;

pub use adam::{Adam, AdamRow, Schedule};
pub use add::Add;
pub use affine_warp::{AffineWarp, Interpolation};
pub use avg_pool2d::{AdaptiveAvgPool2d, AvgPool2d};
pub use binary::{Binary, BinaryConstant, BinaryFunction};
pub use cat::Cat;
pub use channel_affine::ChannelAffine;
pub use clock::Clock;
pub use colour::Colour;
pub use concat::Concat;
pub(crate) use constant::words;
pub use conv2d::{Conv2d, ConvAlgorithm, ConvAlgorithms, ConvKey, Direction, TexelsAlgorithm, Tile};
pub use finish::finish_gradient;
pub use global_avg_pool2d::GlobalAvgPool2d;
pub use grad_epilogue::GradEpilogue;
pub use group_norm::{GroupNorm, LayerNorm};
pub use irfft2::{Irfft2, MAX_FFT_SIDE};
pub use linear::Linear;
pub use local_response_norm::LocalResponseNorm;
pub use masked::{Condition, MaskedFill, Where};
pub use matmul::{MatMul, MatMulConstant};
pub use max_pool2d::MaxPool2d;
pub use moves::{Move, PadMode, Range};
pub use noise::Noise;
pub(crate) use op::Gradients;
pub use op::{Backward, Convolution, Formats, Forward, Fusable, InputFormat, Op, Saved, backward_alone, inputs, only};
pub use phase::Phase;
pub use reduce::{Reduce, Reduction};
pub use relu::Relu;
pub use reshape::Reshape;
pub use reveal::Reveal;
pub use roll::Roll;
pub use scale_shift::ScaleShift;
pub use silu::Silu;
pub use soft_top_k::SoftTopK;
pub use softmax::Softmax;
pub use tensor::{Format, Tensor};
pub use texels::{TEXELS_MAX_PLANE, pack, unpack};
pub use unary::{Unary, UnaryFunction};

use check::{countable, nchw, same, shape_error};
use constant::plain_constant;

/// Ops with one input that treat every element alike. The tests compare each with the twin of its name.
pub const ACTIVATIONS: &[&dyn Op] = &[
    &Relu,
    &Silu,
    &Unary::new(UnaryFunction::Relu6),
    &Unary::clamp(-1.0, 1.0),
    &Unary::new(UnaryFunction::LeakyRelu),
    &Unary::new(UnaryFunction::Elu),
    &Unary::new(UnaryFunction::Celu),
    &Unary::new(UnaryFunction::Selu),
    &Unary::new(UnaryFunction::Sigmoid),
    &Unary::new(UnaryFunction::Hardsigmoid),
    &Unary::new(UnaryFunction::Hardswish),
    &Unary::new(UnaryFunction::Gelu),
    &Unary::new(UnaryFunction::GeluTanh),
    &Unary::new(UnaryFunction::Tanh),
    &Unary::new(UnaryFunction::Softplus),
    &Unary::new(UnaryFunction::Mish),
    &Unary::new(UnaryFunction::Exp),
    &Unary::new(UnaryFunction::Log),
    &Unary::new(UnaryFunction::Sqrt),
    &Unary::new(UnaryFunction::Abs),
    &Unary::new(UnaryFunction::Neg),
    &Unary::new(UnaryFunction::Reciprocal),
    &Unary::new(UnaryFunction::Erf),
    &Unary::pow(2.0),
];
