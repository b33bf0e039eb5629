//! history: the losses of each step, kept on the device until somebody asks for them, and the clock's tick that ends a step.

use super::{Clock, Schedule};
use crate::error::Result;
use crate::gpu::{Grid, Kernel, NoParams, Recording, TensorId};

crate::params! {
    /// Mirrors `Params` of shaders/history.wgsl.
    struct HistoryParams { steps: u32, images: u32, partials: u32 }
}

/// What each step leaves behind for each image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct History {
    /// Images.
    pub images: usize,
    /// Partial sums of an image's total variation.
    pub partials: usize,
}

impl History {
    /// Numbers of an image and step: loss, loss_hf, loss_pv, logit, probability; or in place of the last two the objective's
    /// value and nothing.
    pub const ROW: usize = 5;

    /// `history[step,n]` from the step's losses. partial: `[N,P]`, values: `[N,4]`, history: `[steps,N,ROW]`.
    ///
    /// # Errors
    /// If a tensor is shorter than that.
    pub fn write(
        self,
        rec: &mut Recording,
        [partial, values]: [TensorId; 2],
        schedule: Schedule,
        history: TensorId,
    ) -> Result<()> {
        let Self { images, partials } = self;
        let [rows, clock] = schedule.bind();
        let bindings = [
            ("partial", partial, images * partials),
            ("values", values, 4 * images),
            rows,
            clock,
            ("history", history, schedule.clock.rows(images * Self::ROW)),
        ];
        let params = HistoryParams { steps: schedule.clock.count(), images: images as u32, partials: partials as u32 };
        let grid = Grid::Workgroups([images, 1, 1]);
        rec.dispatch("history", Kernel::new("history", "write"), &bindings, &params, grid, (images * partials) as u64)
    }

    /// Moves the clock on by one step.
    ///
    /// # Errors
    /// If the clock is no tensor of the recording with an element.
    pub fn tick(rec: &mut Recording, clock: Clock) -> Result<()> {
        let tick = Kernel::new("history", "tick");
        rec.dispatch("history", tick, &[("ticking", clock.step, 1)], &NoParams, Grid::Workgroups([1, 1, 1]), 0)
    }
}
