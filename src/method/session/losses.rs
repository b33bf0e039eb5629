//! Losses on their way from the adapter to the histories.

use super::Session;
use crate::error::{Error, Result};
use crate::gpu::Readback;

/// Losses on their way back, see [`Session::record_losses`].
pub struct Losses {
    pub(super) readback: Readback,
    pub(super) window: u64,
    pub(super) end: u64,
}

impl Session {
    /// Records a copy of the losses of the steps recorded so far, which [`Session::take_losses`] delivers when the
    /// encoder was submitted and the device polled.
    pub fn record_losses(&self, encoder: &mut wgpu::CommandEncoder) -> Losses {
        let histories: Vec<_> = self.state.microbatches.iter().map(|microbatch| microbatch.history).collect();
        let readback = self.plan.record_read(encoder, &histories).expect("the losses are kept");
        Losses { readback, window: self.window.0, end: self.step }
    }

    /// Appends losses that have arrived to [`Session::histories`]; `false` if they have not. Never blocks.
    ///
    /// # Errors
    /// If a loss is NaN or infinite (the message names the step and the class), or the device is lost. The session has then come
    /// to its end, and the histories of images before the one at fault may be a step longer.
    pub fn take_losses(&mut self, losses: &mut Losses) -> Result<bool> {
        let Some(parts) = losses.readback.try_take()? else { return Ok(false) };
        self.append(&parts, losses.window, losses.end)?;
        Ok(true)
    }

    /// Appends the losses up to a step; `window` is the step with which the histories begin.
    pub(super) fn append(&mut self, histories: &[Vec<f32>], window: u64, end: u64) -> Result<()> {
        for step in self.read_steps.max(window)..end {
            for image in 0..self.jobs.len() {
                if self.failures[image].is_some() {
                    continue;
                }
                let row = self.state.recorded(histories, (step - window) as usize, image);
                let loss = row[0];
                if !loss.is_finite() {
                    let seed = self.jobs[image].seed;
                    let of = match self.aims[image].is_class() {
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
                self.histories[image].push(row);
            }
        }
        self.read_steps = self.read_steps.max(end);
        Ok(())
    }
}
