//! Tensors of a recording: handles, layouts and storage.

use std::sync::Arc;

use crate::error::Result;

/// The handle of a tensor. Only its [`super::Recording`] and the plan of that accept it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub struct TensorId {
    pub(super) recording: u32,
    pub(super) index: u32,
    pub(super) layout: Layout,
}

impl TensorId {
    /// The layout of the tensor's elements.
    pub(crate) fn layout(self) -> Layout {
        self.layout
    }
}

/// The most elements of a tensor: shaders count in u32, and rounding up to whole workgroups must not wrap around.
pub(crate) const MAX_ELEMENTS: usize = (1 << 31) - 1;

/// The origin and the lifetime of the elements of a tensor.
#[derive(Clone)]
pub(crate) enum Storage {
    /// Written and read within one section. Tensors whose lifetimes do not overlap share memory.
    Transient,
    /// Keeps its elements between steps, and may be read and written from outside. Begins as zeros.
    Kept,
    /// Never changes. The plan makes constants one at a time, so that packed weights are never all in memory twice.
    Constant(Arc<dyn Fn() -> Result<Vec<u32>> + Send + Sync>),
    /// Some elements of another tensor, in place.
    View {
        /// The tensor with the elements, which is not a view itself.
        of: TensorId,
        /// The index of the first element there, a multiple of [`VIEW_ALIGN`].
        first: usize,
    },
}

/// A view begins at a multiple of this many elements: WebGPU's default alignment for offsets of storage buffers.
pub(crate) const VIEW_ALIGN: usize = 64;

/// The type of the elements, and the kind of memory that holds them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Layout {
    /// 32-bit words in a storage buffer.
    Words,
    /// `vec4f` in a texture, 4096 per row. A software adapter fetches a texel several times faster than it loads from a buffer.
    /// Shaders address texels with `texel` of `shaders/lib/texels.wgsl`.
    Texels,
}

impl Layout {
    /// The number of words in `len` elements.
    pub(crate) fn words(self, len: usize) -> usize {
        match self {
            Self::Words => len,
            Self::Texels => 4 * len,
        }
    }

    /// The number of bytes in `len` elements.
    pub(crate) fn bytes(self, len: usize) -> u64 {
        match self {
            Self::Words => 4 * len as u64,
            Self::Texels => 16 * len.next_multiple_of(TEXTURE_WIDTH) as u64,
        }
    }
}

/// The texels in a row of a texture: a power of two that every adapter allows.
pub(crate) const TEXTURE_WIDTH: usize = 4096;

/// Name, size and storage of one tensor.
#[derive(Clone)]
pub(crate) struct TensorDesc {
    /// A name for labels and messages: `layer1.0.conv1 y`.
    pub(crate) label: String,
    /// The number of elements.
    pub(crate) len: usize,
    /// The layout of the elements.
    pub(crate) layout: Layout,
    /// The origin and the lifetime of the elements.
    pub(crate) storage: Storage,
}
