//! Tensors of a recording: handles, layouts, and where elements come from.

use std::sync::Arc;

use crate::error::Result;

/// A tensor of a [`super::Recording`]: a handle that only this recording and its plan accept.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub struct TensorId {
    pub(super) recording: u32,
    pub(super) index: u32,
}

/// The most elements a tensor may have: shaders count in u32, and whole workgroups must not wrap around.
pub(crate) const MAX_ELEMENTS: usize = 1 << 31;

/// Where a tensor's elements come from and how long they live.
#[derive(Clone)]
pub(crate) enum Storage {
    /// Written and read within one section; its memory is shared with others whose lifetimes do not overlap.
    Transient,
    /// Keeps its elements between steps and may be read and written from outside. Starts as zeros.
    Kept,
    /// Never changes; made when the plan is built, one at a time, so that packed weights are not all in memory twice.
    Constant(Arc<dyn Fn() -> Result<Vec<u32>> + Send + Sync>),
    /// Some elements of another tensor, in place.
    View {
        /// The tensor whose elements they are, which is no view itself.
        of: TensorId,
        /// The element with which they begin, a multiple of [`VIEW_ALIGN`].
        first: usize,
    },
}

/// Elements of a tensor at whose multiples a view may begin: as many as WebGPU's default alignment of storage buffers' offsets.
pub(crate) const VIEW_ALIGN: usize = 64;

/// What a tensor's elements are, and in what they lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Layout {
    /// Words of 32 bits in a storage buffer.
    Words,
    /// `vec4f` in a texture, 4096 to a row. Software adapters fetch a texel several times faster than they
    /// load from a buffer. Shaders address it with `texel` of `shaders/lib/texels.wgsl`.
    Texels,
}

impl Layout {
    /// Words that `len` elements have.
    pub(crate) fn words(self, len: usize) -> usize {
        match self {
            Self::Words => len,
            Self::Texels => 4 * len,
        }
    }

    /// Bytes that `len` elements take.
    pub(crate) fn bytes(self, len: usize) -> u64 {
        match self {
            Self::Words => 4 * len as u64,
            Self::Texels => 16 * len.next_multiple_of(TEXTURE_WIDTH) as u64,
        }
    }
}

/// Texels in a row of a tensor's texture; a power of two that every adapter allows.
pub(crate) const TEXTURE_WIDTH: usize = 4096;

/// Name, size and storage of one tensor.
#[derive(Clone)]
pub(crate) struct TensorDesc {
    /// What it is, for labels and messages: `layer1.0.conv1 y`.
    pub(crate) label: String,
    /// Number of elements.
    pub(crate) len: usize,
    /// What the elements are.
    pub(crate) layout: Layout,
    /// Where its elements come from.
    pub(crate) storage: Storage,
}
