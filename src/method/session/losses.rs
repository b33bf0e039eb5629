//! Reads losses from the adapter into the histories.

use super::Session;
use crate::error::{Error, Result};
use crate::gpu::Readback;

/// Losses that the adapter delivers, see [`Session::record_losses`].
pub struct Losses {
    pub(super) readback: Readback,
    pub(super) window: u64,
    pub(super) end: u64,
}

impl Session {
    /// Records a copy of the losses of the steps recorded so far. Once the encoder is submitted and the device polled,
    /// [`Session::take_losses`] takes them.
    pub fn record_losses(&self, encoder: &mut wgpu::CommandEncoder) -> Losses {
        let histories: Vec<_> = self.state.microbatches.iter().map(|microbatch| microbatch.history).collect();
        let readback = self.plan.record_read(encoder, &histories).expect("the losses are kept");
        Losses { readback, window: self.window.0, end: self.step }
    }

    /// Appends the losses to [`Session::histories`] and returns `true`, or `false` if they have not arrived. Never blocks.
    ///
    /// # Errors
    /// If a loss is NaN or infinite (the message names the step and the class), or the device is lost. The session is then unusable,
    /// and the histories of images before the failed one may be a step longer.
    pub fn take_losses(&mut self, losses: &mut Losses) -> Result<bool> {
        let Some(parts) = losses.readback.try_take()? else { return Ok(false) };
        self.append(&parts, losses.window, losses.end)?;
        Ok(true)
    }

    /// Appends the losses of the steps before `end`; `window` is the first step of `histories`.
    pub(super) fn append(&mut self, histories: &[Vec<f32>], window: u64, end: u64) -> Result<()> {
        for step in self.read_steps.max(window)..end {
            for image in 0..self.jobs.len() {
                if self.failures[image].is_some() {
                    continue;
                }
                let coarse = self.settings.is_coarse(step);
                let row = self.state.recorded(histories, (step - window) as usize, coarse, image);
                let loss = row[0];
                if !loss.is_finite() {
                    let seed = self.jobs[image].seed;
                    let of = match self.resolved[image].is_class() {
                        true => format!("class {}", self.jobs[image].class),
                        false => self.objectives[image].to_string(),
                    };
                    let why = format!("the loss of {of}, seed {seed} became {loss} at step {step}");
                    if !self.isolate {
                        return Err(Error::diverged(why));
                    }
                    self.failures[image] = Some(why);
                    continue;
                }
                self.histories[image].push(&row);
            }
        }
        self.read_steps = self.read_steps.max(end);
        Ok(())
    }
}
