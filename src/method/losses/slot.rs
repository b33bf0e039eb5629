//! Where a term of the loss finds its weight and leaves its values; the other side of shaders/lib/term.wgsl.

use crate::error::{Error, Result};
use crate::gpu::{TensorId, bytemuck};
use crate::ops::Clock;

/// Mirrors `Term` of shaders/lib/term.wgsl: the first field of a term's `params`, called `term`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
pub struct TermParams {
    pub(super) steps: u32,
    pub(super) weights: u32,
    pub(super) values: u32,
    pub(super) stride: u32,
}

/// A term's place among the terms of a step: its weights and its values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    pub(super) clock: Clock,
    /// `[terms,steps]`, and how many these are.
    pub(super) weights: (TensorId, usize),
    /// `[N,stride]`.
    pub(super) values: TensorId,
    /// N, and how many of an image's values are the term's own.
    pub(super) extents: [usize; 2],
    pub(super) params: TermParams,
}

/// A tensor of a step as a binding: the variable in the shader, the tensor, and how many elements the kernel may touch.
pub type Bound = (&'static str, TensorId, usize);

impl Slot {
    /// The value of `params.term`.
    pub fn params(&self) -> TermParams {
        self.params
    }

    /// The bindings of a kernel that calls `weight_now`.
    pub fn weight(&self) -> [Bound; 2] {
        [("weights", self.weights.0, self.weights.1), ("clock", self.clock.step, 1)]
    }

    /// The binding of a kernel that leaves so many values for each of so many images.
    ///
    /// # Errors
    /// If the term has no room for them: [`LossTerm::columns`](super::LossTerm::columns) says how many it leaves.
    pub fn values(&self, images: usize, count: usize) -> Result<Bound> {
        let [most, room] = self.extents;
        if images > most || count > room {
            let what =
                format!("a term leaves {count} values for {images} images, and there is room for {room} for {most}");
            return Err(Error::input(what));
        }
        Ok(("values", self.values, most * self.params.stride as usize))
    }
}
