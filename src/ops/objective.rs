//! objective: the losses on the logits, class logit and probability variance, and their gradient.

use super::{Schedule, Tensor, nchw, same, shape_error};
use crate::error::Result;
use crate::gpu::{Grid, Kernel, Recording, TensorId};
use crate::named::named;

crate::params! {
    /// Mirrors `Params` of shaders/objective.wgsl.
    struct ObjectiveParams { steps: u32, classes: u32, pv_logits: u32, rivals: f32, terms: u32 }
}

named! {
    /// What the baseline stage takes the variance of, over the classes.
    PvForm {
        /// The probabilities.
        Softmax = "softmax",
        /// The logits.
        Logits = "logits",
    }
}

/// A term of [`Objective::weighted`]; mirrors `Term` of shaders/objective.wgsl.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, bytemuck::Pod, bytemuck::Zeroable)]
pub struct LogitRow {
    /// What the term is multiplied by.
    pub weight: f32,
    /// The class.
    pub class: u32,
    /// 0: its logit, 1: its probability, 2: the logarithm of that.
    pub form: u32,
}

impl LogitRow {
    /// 32-bit words of a row.
    pub const LEN: usize = 3;
}

/// Weighted losses of the logits, each image towards its own class.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Objective {
    /// Form of the probability variance.
    pub pv_form: PvForm,
    /// r in `L_c = −z_c + r log Σ exp z`: 0 maximises the class's logit, 1 its log-probability.
    pub rivals: f64,
}

impl Objective {
    /// `values[n] = (L_pv, logit, probability, L_c)` and `dlogits`, weighted by the schedule's row of the step.
    /// logits, dlogits: `[N,K,1,1]`, class_of: `[N]` of u32, values: `[N,4]`.
    ///
    /// # Errors
    /// If the shapes differ.
    pub fn step(
        self,
        rec: &mut Recording,
        logits: Tensor,
        class_of: TensorId,
        schedule: Schedule,
        dlogits: Tensor,
        values: TensorId,
    ) -> Result<()> {
        same("objective", "objective", ["logits", "dlogits"], logits.shape, dlogits.shape)?;
        let (n, classes) = extents(logits)?;
        let [schedule_rows, clock] = schedule.bind();
        let bindings = [
            logits.bind("logits"),
            ("class_of", class_of, n),
            schedule_rows,
            clock,
            dlogits.bind("dlogits"),
            ("values", values, 4 * n),
        ];
        let pv_logits = u32::from(self.pv_form == PvForm::Logits);
        let params = ObjectiveParams {
            steps: schedule.clock.count(),
            classes: classes as u32,
            pv_logits,
            rivals: self.rivals as f32,
            terms: 0,
        };
        let grid = Grid::Workgroups([n, 1, 1]);
        rec.dispatch(
            "objective",
            Kernel::new("objective", "step"),
            &bindings,
            &params,
            grid,
            20 * logits.shape.len() as u64,
        )
    }

    /// The same with a weighted sum of `terms` terms in place of the class's loss: `values[n] = (L_pv, Σ w f, 0, −Σ w f)`.
    /// terms: `[N,T]` of [`LogitRow`].
    ///
    /// # Errors
    /// If the shapes differ.
    pub fn weighted(
        self,
        rec: &mut Recording,
        logits: Tensor,
        (rows, terms): (TensorId, usize),
        schedule: Schedule,
        dlogits: Tensor,
        values: TensorId,
    ) -> Result<()> {
        same("objective", "objective", ["logits", "dlogits"], logits.shape, dlogits.shape)?;
        let (n, classes) = extents(logits)?;
        let [schedule_rows, clock] = schedule.bind();
        let bindings = [
            logits.bind("logits"),
            ("terms", rows, LogitRow::LEN * n * terms),
            schedule_rows,
            clock,
            dlogits.bind("dlogits"),
            ("values", values, 4 * n),
        ];
        let pv_logits = u32::from(self.pv_form == PvForm::Logits);
        let params = ObjectiveParams {
            steps: schedule.clock.count(),
            classes: classes as u32,
            pv_logits,
            rivals: 0.0,
            terms: terms as u32,
        };
        let (grid, flops) = (Grid::Workgroups([n, 1, 1]), (20 + 8 * terms as u64) * logits.shape.len() as u64);
        rec.dispatch("objective", Kernel::new("objective", "weighted"), &bindings, &params, grid, flops)
    }
}

/// Images and classes.
fn extents(logits: Tensor) -> Result<(usize, usize)> {
    nchw("objective", "objective", logits.shape)?;
    match logits.shape.image_len() {
        0 => Err(shape_error("objective", "objective", format!("logits is {}, without a class", logits.shape))),
        classes => Ok((logits.shape.n(), classes)),
    }
}
