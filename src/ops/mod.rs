//! One file per op: its shapes, FLOPs and dispatches, forward then backward. The backward computes the gradient of the input, and
//! none of the weights.
//!
//! An op appends to a [`Recording`] and knows nothing about networks. Each backward kernel writes through a [`GradEpilogue`].

mod adam;
mod add;
mod affine_warp;
mod channel_affine;
mod clock;
mod colour;
mod concat;
mod conv2d;
mod finish;
mod global_avg_pool2d;
mod irfft2;
mod linear;
mod local_response_norm;
mod max_pool2d;
mod op;
mod relu;
mod scale_shift;
mod silu;
mod texels;

pub use adam::{Adam, AdamRow, Schedule};
pub use add::Add;
pub use affine_warp::{AffineWarp, Interpolation};
pub use channel_affine::ChannelAffine;
pub use clock::Clock;
pub use colour::Colour;
pub use concat::Concat;
pub use conv2d::{Conv2d, ConvAlgorithm, ConvAlgorithms, ConvKey, Direction, TexelsAlgorithm, Tile};
pub use finish::finish_gradient;
pub use global_avg_pool2d::GlobalAvgPool2d;
pub use irfft2::{Irfft2, MAX_FFT_SIDE};
pub use linear::Linear;
pub use local_response_norm::LocalResponseNorm;
pub use max_pool2d::MaxPool2d;
pub(crate) use op::Gradients;
pub use op::{Backward, Convolution, Formats, Forward, Fusable, InputFormat, Op, Saved, backward_alone, inputs, only};
pub use relu::Relu;
pub use scale_shift::ScaleShift;
pub use silu::Silu;
pub use texels::{TEXELS_MAX_PLANE, pack, unpack};

use std::ops::Range;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::gpu::{Grid, Layout, MAX_ELEMENTS, Recording, Sources, TensorId};
use crate::shape::Shape;

/// Ops with one input that treat every element alike. The tests compare each with the twin of its name.
pub const ACTIVATIONS: &[&dyn Op] = &[&Relu, &Silu];

/// How a tensor's elements are laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `[N,C,H,W]`, row-major, in a buffer.
    Nchw,
    /// `[N,⌈C/4⌉,H,W]` of vec4f, four channels each, in a texture; channels past the last are zero. For software adapters, see
    /// [`Layout::Texels`].
    Texels,
}

/// A tensor with its shape, or some channels of a tensor, see [`Tensor::channels`].
#[derive(Clone, Copy, Debug)]
pub struct Tensor {
    /// The stored tensor.
    pub id: TensorId,
    /// The shape: `[N,C,H,W]` in all networks so far, with vectors as `[N,C,1,1]`.
    pub shape: Shape,
    /// The layout of its elements.
    pub format: Format,
    /// The channel of the stored tensor at which this one begins, and the number of stored channels per image.
    slice: [usize; 2],
}

impl Tensor {
    /// A tensor of any rank in a buffer, row-major.
    pub fn new(id: TensorId, shape: Shape) -> Self {
        Self { id, shape, format: Format::Nchw, slice: [0, channels_of(shape)] }
    }

    /// A tensor that lives within the section.
    pub fn transient(rec: &mut Recording, label: &str, shape: Shape) -> Self {
        Self::new(rec.transient(label, shape.len()), shape)
    }

    /// A tensor in a texture that lives within the section.
    pub fn transient_texels(rec: &mut Recording, label: &str, shape: Shape) -> Self {
        let texels = Shape::new(shape.n(), shape.c().div_ceil(4), shape.h(), shape.w()).len();
        let id = rec.transient_of(label, texels, Layout::Texels);
        Self { id, shape, format: Format::Texels, slice: [0, shape.c()] }
    }

    /// A tensor that keeps its elements between steps.
    pub fn kept(rec: &mut Recording, label: &str, shape: Shape) -> Self {
        Self::new(rec.kept(label, shape.len()), shape)
    }

    /// `count` of its channels from `first` on, in place. A branch of a concatenation writes to such a tensor, and reads its
    /// gradient from one. Only convolutions and [`Concat`] take such tensors.
    ///
    /// # Errors
    /// If the tensor has fewer channels. For texels, also if `first` is no multiple of four, or `count` is none and these are not
    /// the last channels.
    pub fn channels(self, first: usize, count: usize) -> Result<Self> {
        let [n, c, h, w] = nchw("channels", "in place", self.shape)?;
        let aligned = |count: usize| self.format == Format::Nchw || count.is_multiple_of(4);
        let end = first.checked_add(count).filter(|&end| end <= c && aligned(first) && (end == c || aligned(count)));
        if end.is_none() {
            let what =
                format!("no {count} channels from {first} on in place: it is {} as {:?}", self.shape, self.format);
            return Err(Error::input(what));
        }
        let [at, stored] = self.slice;
        Ok(Self { shape: Shape::new(n, count, h, w), slice: [at + first, stored], ..self })
    }

    /// Some of its images, in place.
    ///
    /// # Errors
    /// If the tensor has fewer images, or a view cannot begin there, see [`Recording::view`].
    pub fn images(self, rec: &mut Recording, images: Range<usize>) -> Result<Self> {
        if self.shape.extents().first() == Some(&images.len()) && images.start == 0 {
            return Ok(self);
        }
        let len = self.shape.image_len();
        let id = rec.view(self.id, images.start * len, images.len() * len)?;
        Ok(Self { id, shape: self.shape.with_batch(images.len()), ..self })
    }

    /// Whether this is the whole stored tensor.
    fn is_whole(self) -> bool {
        self.slice == [0, channels_of(self.shape)]
    }

    /// The first channel and the number of stored channels, in quads of channels for texels.
    fn slice(self) -> [u32; 2] {
        let [first, stored] = self.slice;
        match self.format {
            Format::Nchw => [first as u32, stored as u32],
            Format::Texels => [(first / 4) as u32, stored.div_ceil(4) as u32],
        }
    }

    /// The binding of the whole tensor to the variable `name`.
    ///
    /// # Panics
    /// If this is only some channels of a tensor: the kernel would compute with the wrong ones.
    pub fn bind(self, name: &'static str) -> (&'static str, TensorId, usize) {
        assert!(self.is_whole(), "`{name}` is only some channels of a tensor, which this op does not take");
        self.bind_stored(name)
    }

    /// The binding of the stored tensor, for kernels that know where this one begins in it.
    fn bind_stored(self, name: &'static str) -> (&'static str, TensorId, usize) {
        (name, self.id, self.stored())
    }

    /// Another tensor of this shape and format that lives within the section.
    pub fn like(self, rec: &mut Recording, label: &str) -> Self {
        match self.format {
            Format::Nchw => Self::transient(rec, label, self.shape),
            Format::Texels => Self::transient_texels(rec, label, self.shape),
        }
    }

    /// The number of stored elements or texels that a kernel may touch.
    fn stored(self) -> usize {
        if self.format == Format::Nchw && self.is_whole() {
            return self.shape.len();
        }
        let [first, stored] = self.slice;
        // The shape is public: since the tensor became a slice, someone may have given it more channels.
        let channels = stored.max(first.saturating_add(self.shape.c()));
        let channels = match self.format {
            Format::Nchw => channels,
            Format::Texels => channels.div_ceil(4),
        };
        Shape::new(self.shape.n(), channels, self.shape.h(), self.shape.w()).len()
    }

    /// One invocation per element of a tensor in a buffer: x, y and z of the grid are position, channel and image.
    fn grid(self) -> Grid {
        Grid::Planes { planes: self.shape.n(), h: self.shape.c(), w: self.shape.plane_len() }
    }
}

/// The number of channels: the second extent, or 1 if there is none.
fn channels_of(shape: Shape) -> usize {
    shape.extents().get(1).copied().unwrap_or(1)
}

/// How a backward kernel writes the gradient of its input: `dx = (v + add) * [mask > 0]`, see `shaders/lib/sink.wgsl`.
#[derive(Clone, Copy, Debug, Default)]
pub struct GradEpilogue {
    /// The gradient that other consumers of the input delivered before.
    pub add: Option<TensorId>,
    /// The input itself, if it is the output of a fused ReLU.
    pub mask: Option<TensorId>,
}

impl GradEpilogue {
    /// Whether there is nothing to add and no mask.
    pub fn is_empty(self) -> bool {
        self.add.is_none() && self.mask.is_none()
    }

    /// The value of `params.sink` for a kernel that imports `lib/sink`.
    pub fn flags(self) -> u32 {
        u32::from(self.add.is_some()) | u32::from(self.mask.is_some()) << 1
    }

    /// The bindings, for `len` elements. A part that does not apply is bound to `spare`, a tensor that the kernel reads anyway.
    pub fn bind(self, spare: TensorId, len: usize) -> [(&'static str, TensorId, usize); 2] {
        let part =
            |name, tensor: Option<TensorId>| (name, tensor.unwrap_or(spare), if tensor.is_some() { len } else { 0 });
        [part("sink_add", self.add), part("sink_mask", self.mask)]
    }
}

/// An input error of an op and its layer: `conv2d (layer1.0.conv1): what`.
fn shape_error(op: &str, label: &str, what: impl std::fmt::Display) -> Error {
    Error::input(format!("{op} ({label}): {what}"))
}

/// The four extents of `[N,C,H,W]`, or an error.
fn nchw(op: &str, label: &str, x: Shape) -> Result<[usize; 4]> {
    match x.rank() {
        4 => Ok(x.nchw()),
        rank => Err(shape_error(op, label, format!("x is {x}, of rank {rank}, and must be [N,C,H,W]"))),
    }
}

/// Checks that two shapes agree, and that the number of elements is neither zero (kernels always read the first) nor too large to
/// count.
fn same(op: &str, label: &str, names: [&str; 2], a: Shape, b: Shape) -> Result<()> {
    if !(1..=MAX_ELEMENTS).contains(&a.len()) {
        let what = format!("{} is {a}: it must have between 1 and {MAX_ELEMENTS} elements", names[0]);
        return Err(shape_error(op, label, what));
    }
    if a == b { Ok(()) } else { Err(shape_error(op, label, format!("{} is {a} but {} is {b}", names[0], names[1]))) }
}

/// A constant with these values, unchanged.
fn plain_constant(rec: &mut Recording, label: String, values: &Arc<[f32]>) -> TensorId {
    let (source, len, values) = (Sources::of(values), values.len(), Arc::clone(values));
    rec.constant(label, source, "as it is", len, Layout::Words, move || Ok(words(&values)))
}

/// f32 values as the words of a constant.
pub(crate) fn words(values: &[f32]) -> Vec<u32> {
    bytemuck::cast_slice(values).to_vec()
}
