//! adam: one step of Adam on the pixels (Kingma and Ba, 2015), in PyTorch's order of operations.

use super::{Clock, Tensor, nchw, same, words};
use crate::error::{Error, Result};
use crate::gpu::{Grid, Kernel, Layout, Recording, TensorId, bytemuck};

crate::params! {
    /// Mirrors `Params` of shaders/adam.wgsl.
    struct AdamParams {
        steps: u32, len: u32, beta1: f32, beta2: f32, one_minus_beta1: f32, one_minus_beta2: f32, eps: f32, clamp: u32,
        plane: u32, channels: u32,
    }
}

/// The numbers of one step; mirrors `AdamRow` of shaders/adam.wgsl.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, bytemuck::Pod, bytemuck::Zeroable)]
pub struct AdamRow {
    /// `lr / (1 − beta1^t)`, annealed.
    pub step_size: f32,
    /// `lr · weight_decay`, annealed like lr.
    pub decay: f32,
    /// `1 / sqrt(1 − beta2^t)`.
    pub inv_sqrt_bias2: f32,
    /// 1 if the moments are set to zero before the step, otherwise 0.
    pub reset: f32,
}

impl AdamRow {
    /// The number of 32-bit words in a row.
    pub const LEN: usize = 4;

    /// The row of update `t`, counted from 1 since the moments were zero, with this learning rate and without decay.
    pub fn of(t: u64, lr: f64, [beta1, beta2]: [f64; 2]) -> Self {
        Self {
            step_size: (lr / (1.0 - libm::pow(beta1, t as f64))) as f32,
            decay: 0.0,
            inv_sqrt_bias2: (1.0 / (1.0 - libm::pow(beta2, t as f64)).sqrt()) as f32,
            reset: 0.0,
        }
    }
}

/// The rows of consecutive steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// `[steps]` of [`AdamRow`].
    pub rows: TensorId,
    /// The clock that selects a row.
    pub clock: Clock,
}

/// `torch.optim.AdamW`, except that weight decay pulls towards a colour and not towards 0. The learning rate, the decay and the
/// bias corrections come from the schedule.
#[derive(Clone, Debug, PartialEq)]
pub struct Adam {
    /// Decay of the first moment.
    pub beta1: f64,
    /// Decay of the second moment.
    pub beta2: f64,
    /// The number added to the root of the second moment.
    pub eps: f64,
    /// Whether x is clamped to `[0,1]` after the step.
    pub clamp: bool,
    /// The colour towards which weight decay pulls, one value per channel.
    pub towards: Vec<f32>,
}

impl Adam {
    /// x, dx, m, v: `[N,C,H,W]`.
    ///
    /// # Errors
    /// If the shapes differ, or the colour does not have a value for each channel.
    pub fn step(&self, rec: &mut Recording, dx: Tensor, [x, m, v]: [Tensor; 3], schedule: Schedule) -> Result<()> {
        for (name, tensor) in [("x", x), ("m", m), ("v", v)] {
            same("adam", "adam", ["dx", name], dx.shape, tensor.shape)?;
        }
        let [_, channels, ..] = nchw("adam", "adam", x.shape)?;
        if channels != self.towards.len() {
            let colour = self.towards.len();
            return Err(Error::input(format!(
                "adam: x has {channels} channels, but the colour that it decays towards has {colour}"
            )));
        }
        let len = x.shape.len();
        let params = AdamParams {
            steps: schedule.clock.count(),
            len: len as u32,
            beta1: self.beta1 as f32,
            beta2: self.beta2 as f32,
            one_minus_beta1: (1.0 - self.beta1) as f32,
            one_minus_beta2: (1.0 - self.beta2) as f32,
            eps: self.eps as f32,
            clamp: u32::from(self.clamp),
            plane: (x.shape.h() * x.shape.w()) as u32,
            channels: channels as u32,
        };
        let clock = schedule.clock.bind();
        let schedule_rows = ("schedule", schedule.rows, schedule.clock.rows(AdamRow::LEN));
        let towards = ("towards", rec.table("adam towards", Layout::Words, words(&self.towards)), channels);
        let bindings = [dx.bind("dx"), x.bind("x"), m.bind("m"), v.bind("v"), schedule_rows, clock, towards];
        rec.dispatch("adam", Kernel::new("adam", "step"), &bindings, &params, Grid::Each(len), 14 * len as u64)
    }
}
