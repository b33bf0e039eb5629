//! The weights and values of a term. The counterpart of shaders/lib/term.wgsl.

use crate::error::{Error, Result};
use crate::gpu::{TensorId, bytemuck};
use crate::ops::Clock;

/// Mirrors `Term` of shaders/lib/term.wgsl. It is the first field of a term's `params` and is called `term`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
pub struct TermParams {
    pub(super) steps: u32,
    pub(super) weights: u32,
    pub(super) values: u32,
    pub(super) stride: u32,
}

/// The place for a term's values at a step, and its weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    pub(super) clock: Clock,
    /// `[terms,steps]`, and the number of elements.
    pub(super) weights: (TensorId, usize),
    /// `[N,stride]`.
    pub(super) values: TensorId,
    /// N, and the number of the term's values per image.
    pub(super) extents: [usize; 2],
    pub(super) params: TermParams,
}

/// A binding: the variable in the shader, the tensor, and the number of elements that the kernel may touch.
pub type Bound = (&'static str, TensorId, usize);

impl Slot {
    /// The value for `params.term`.
    pub fn params(&self) -> TermParams {
        self.params
    }

    /// The bindings of a kernel that calls `weight_now`.
    pub fn weight(&self) -> [Bound; 2] {
        [("weights", self.weights.0, self.weights.1), ("clock", self.clock.step, 1)]
    }

    /// The binding of a kernel that writes `count` values for each of `images` images.
    ///
    /// # Errors
    /// If the slot is smaller. [`LossTerm::columns`](super::LossTerm::columns) determines its size.
    pub fn values(&self, images: usize, count: usize) -> Result<Bound> {
        let [most, room] = self.extents;
        if images > most || count > room {
            let what = format!(
                "a term writes {count} values for each of {images} images, but there is room for {room} for each of {most}"
            );
            return Err(Error::input(what));
        }
        Ok(("values", self.values, most * self.params.stride as usize))
    }
}
