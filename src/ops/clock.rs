//! clock: which step it is, for kernels that read what was uploaded for many steps beforehand.

use crate::gpu::TensorId;

/// Which step it is, and for how many steps there are rows to read.
///
/// The step is a number in a buffer, so a kernel never trusts it: past the last row it reads the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clock {
    /// `[1]` of u32: the step.
    pub step: TensorId,
    /// Rows of each tensor that is read with this clock, at least 1.
    pub steps: usize,
}

impl Clock {
    /// The binding of the step.
    pub(crate) fn bind(self) -> (&'static str, TensorId, usize) {
        ("clock", self.step, 1)
    }

    /// The value of `params.steps`.
    pub(crate) fn count(self) -> u32 {
        u32::try_from(self.steps.max(1)).unwrap_or(u32::MAX)
    }

    /// Elements of a tensor with a row of `row` elements for each step.
    pub(crate) fn rows(self, row: usize) -> usize {
        self.steps.max(1).saturating_mul(row)
    }
}
