//! Tensors of a recording as ops see them: a shape, a format, and the channels that they have of a stored tensor.

use std::ops::Range;

use super::nchw;
use crate::error::{Error, Result};
use crate::gpu::{Grid, Layout, Recording, TensorId};
use crate::shape::Shape;

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
    /// The channel of the stored tensor at which this one begins.
    channel_offset: usize,
    /// The number of stored channels per image.
    channel_stride: usize,
}

impl Tensor {
    /// A tensor of any rank in a buffer, row-major.
    pub fn new(id: TensorId, shape: Shape) -> Self {
        Self { id, shape, format: Format::Nchw, channel_offset: 0, channel_stride: channels_of(shape) }
    }

    /// A tensor that lives within the section.
    pub fn transient(rec: &mut Recording, label: &str, shape: Shape) -> Self {
        Self::new(rec.transient(label, shape.len()), shape)
    }

    /// A tensor in a texture that lives within the section.
    pub fn transient_texels(rec: &mut Recording, label: &str, shape: Shape) -> Self {
        let texels = Shape::new(shape.n(), shape.c().div_ceil(4), shape.h(), shape.w()).len();
        let id = rec.transient_of(label, texels, Layout::Texels);
        Self { id, shape, format: Format::Texels, channel_offset: 0, channel_stride: shape.c() }
    }

    /// A tensor that keeps its elements between steps.
    pub fn kept(rec: &mut Recording, label: &str, shape: Shape) -> Self {
        Self::new(rec.kept(label, shape.len()), shape)
    }

    /// `count` of its channels from `first` on, in place. A branch of a concatenation writes to such a tensor, and reads its
    /// gradient from one. Only convolutions and [`Concat`](super::Concat) take such tensors.
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
        Ok(Self { shape: Shape::new(n, count, h, w), channel_offset: self.channel_offset + first, ..self })
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
    pub(super) fn is_whole(self) -> bool {
        self.channel_offset == 0 && self.channel_stride == channels_of(self.shape)
    }

    /// The first channel and the number of stored channels, in quads of channels for texels.
    pub(super) fn offset_and_stride(self) -> [u32; 2] {
        match self.format {
            Format::Nchw => [self.channel_offset as u32, self.channel_stride as u32],
            Format::Texels => [(self.channel_offset / 4) as u32, self.channel_stride.div_ceil(4) as u32],
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
    pub(super) fn bind_stored(self, name: &'static str) -> (&'static str, TensorId, usize) {
        (name, self.id, self.stored_len())
    }

    /// Another tensor of this shape and format that lives within the section.
    pub fn like(self, rec: &mut Recording, label: &str) -> Self {
        match self.format {
            Format::Nchw => Self::transient(rec, label, self.shape),
            Format::Texels => Self::transient_texels(rec, label, self.shape),
        }
    }

    /// The number of stored elements or texels that a kernel may touch. The layout of the stored tensor decides which of these: `format`
    /// is public, so it may be wrong.
    pub(super) fn stored_len(self) -> usize {
        let layout = self.id.layout();
        if layout == Layout::Words && self.is_whole() {
            return self.shape.len();
        }
        // The shape is public: someone may have given the tensor more channels.
        let channels = self.channel_stride.max(self.channel_offset.saturating_add(self.shape.c()));
        let channels = match layout {
            Layout::Words => channels,
            Layout::Texels => channels.div_ceil(4),
        };
        Shape::new(self.shape.n(), channels, self.shape.h(), self.shape.w()).len()
    }

    /// One invocation per element of a tensor in a buffer: x, y and z of the grid are position, channel and image.
    pub(super) fn grid(self) -> Grid {
        Grid::Planes { planes: self.shape.n(), h: self.shape.c(), w: self.shape.plane_len() }
    }
}

/// The number of channels: the second extent, or 1 if there is none.
fn channels_of(shape: Shape) -> usize {
    shape.extents().get(1).copied().unwrap_or(1)
}
