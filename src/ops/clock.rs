//! clock: the number of the step, for kernels that read a row per step of an uploaded tensor.

use crate::gpu::TensorId;

/// The number of the step, and the number of steps for which there are rows.
///
/// A host may have written the step, so a kernel never trusts it: past the last row, it reads the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clock {
    /// `[1]` of u32: the step.
    pub step: TensorId,
    /// The number of rows in each tensor that a kernel reads with this clock, at least 1.
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

    /// The number of elements in a tensor with a row of `row` elements per step.
    pub(crate) fn rows(self, row: usize) -> usize {
        self.steps.max(1).saturating_mul(row)
    }
}
