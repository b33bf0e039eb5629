//! One file per op: its shapes, FLOPs and dispatches, forward then backward. Gradients go to the input; weights get none.
//!
//! An op appends to a [`Recording`] and knows nothing about networks. Each backward writes through a [`Sink`].

mod adam;
mod add;
mod affine_warp;
mod conv2d;
mod global_avg_pool2d;
mod linear;
mod max_pool2d;
mod objective;
mod relu;
mod scale_shift;
mod texels;
mod total_variation;

pub use adam::Adam;
pub use add::Add;
pub use affine_warp::{AffineWarp, Interpolation};
pub use conv2d::{Algorithm, Choices, Conv2d, Epilogue, Tile, Variant};
pub use global_avg_pool2d::GlobalAvgPool2d;
pub use linear::Linear;
pub use max_pool2d::MaxPool2d;
pub use objective::{Objective, PvForm};
pub use relu::Relu;
pub use scale_shift::ScaleShift;
pub use texels::{TEXELS_MAX_PLANE, pack, sink_texels, unpack};
pub use total_variation::{HfForm, TotalVariation};

use crate::error::{Error, Result};
use crate::gpu::{Layout, Recording, TensorId};
use crate::shape::Shape;

/// How a tensor's elements are laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `[N,C,H,W]`, row-major, in a buffer.
    Nchw,
    /// `[N,⌈C/4⌉,H,W]` of vec4f with four channels each, in a texture; channels past the last are zero. For software adapters,
    /// see [`Layout::Texels`].
    Texels,
}

/// A tensor and its shape.
#[derive(Clone, Copy, Debug)]
pub struct Tensor {
    /// The tensor.
    pub id: TensorId,
    /// Its shape, `[N, C, H, W]`; vectors are `[N, C, 1, 1]`.
    pub shape: Shape,
    /// How it is laid out.
    pub format: Format,
}

impl Tensor {
    /// `[N,C,H,W]` in a buffer.
    pub fn new(id: TensorId, shape: Shape) -> Self {
        Self { id, shape, format: Format::Nchw }
    }

    /// A tensor that lives within the section.
    pub fn transient(rec: &mut Recording, label: &str, shape: Shape) -> Self {
        Self::new(rec.transient(label, shape.len()), shape)
    }

    /// A tensor in a texture that lives within the section.
    pub fn transient_texels(rec: &mut Recording, label: &str, shape: Shape) -> Self {
        let id = rec.transient_of(label, texels_of(shape), Layout::Texels);
        Self { id, shape, format: Format::Texels }
    }

    /// A tensor that keeps its elements between steps.
    pub fn kept(rec: &mut Recording, label: &str, shape: Shape) -> Self {
        Self::new(rec.kept(label, shape.len()), shape)
    }

    /// The binding of the whole tensor to the variable `name`.
    pub fn bind(self, name: &'static str) -> (&'static str, TensorId, usize) {
        let len = match self.format {
            Format::Nchw => self.shape.len(),
            Format::Texels => self.texels(),
        };
        (name, self.id, len)
    }

    /// Texels that it takes, or would take.
    fn texels(self) -> usize {
        texels_of(self.shape)
    }
}

fn texels_of(shape: Shape) -> usize {
    shape.n() * shape.c().div_ceil(4) * shape.plane_len()
}

/// How a backward kernel writes the gradient of its input: `dx = (v + add) * [mask > 0]`, see `shaders/lib/sink.wgsl`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sink {
    /// What another consumer of the input sent back (fan-in).
    pub add: Option<TensorId>,
    /// The input itself, where it is the output of a fused relu.
    pub mask: Option<TensorId>,
}

impl Sink {
    /// The value of `params.sink`.
    fn flags(self) -> u32 {
        u32::from(self.add.is_some()) | u32::from(self.mask.is_some()) << 1
    }

    /// Bindings for `len` elements; what does not apply is bound to `spare`, a tensor that the kernel reads anyway.
    fn bind(self, spare: TensorId, len: usize) -> [(&'static str, TensorId, usize); 2] {
        let part =
            |name, tensor: Option<TensorId>| (name, tensor.unwrap_or(spare), if tensor.is_some() { len } else { 0 });
        [part("sink_add", self.add), part("sink_mask", self.mask)]
    }
}

/// An input error in the house's form: `conv2d (layer1.0.conv1): what`.
fn misfit(op: &str, label: &str, what: impl std::fmt::Display) -> Error {
    Error::input(format!("{op} ({label}): {what}"))
}

/// Checks that two shapes agree.
fn same(op: &str, label: &str, names: [&str; 2], a: Shape, b: Shape) -> Result<()> {
    if a == b { Ok(()) } else { Err(misfit(op, label, format!("{} is {a} but {} is {b}", names[0], names[1]))) }
}

/// f32 values as a constant's words.
fn words(values: &[f32]) -> Vec<u32> {
    bytemuck::cast_slice(values).to_vec()
}
