//! The functions of a session that wait for the adapter. Each is built on one that does not.

use super::{ImageState, Overrides, Pending, Session, WINDOW};
use crate::error::{Error, Result};
use crate::gpu::{Context, KernelTime};
use crate::method::job::Job;
use crate::method::settings::Settings;
use crate::method::step::section;
use crate::networks::Network;

impl Session {
    /// [`Session::prepare`] without overrides, which waits.
    ///
    /// # Errors
    /// As [`Session::prepare`].
    pub fn new(context: &Context, network: &Network, settings: &Settings, jobs: &[Job]) -> Result<Self> {
        Self::with_overrides(context, network, settings, jobs, Overrides::default())
    }

    /// [`Session::prepare`], which waits.
    ///
    /// # Errors
    /// As [`Session::prepare`].
    pub fn with_overrides(
        context: &Context,
        network: &Network,
        settings: &Settings,
        jobs: &[Job],
        overrides: Overrides,
    ) -> Result<Self> {
        pollster::block_on(Self::prepare(context, network, settings, jobs, overrides))
    }

    /// Makes `steps` steps, or as many as are left, waits for them and reads their losses.
    ///
    /// # Errors
    /// If a loss becomes NaN or infinite, or the device is lost.
    pub fn advance(&mut self, steps: usize) -> Result<()> {
        let end = self.total_steps().min(self.step.saturating_add(steps as u64));
        while self.step < end {
            let wanted = self.submission.min((end - self.step) as usize);
            let mut encoder = self.context.device().create_command_encoder(&Default::default());
            self.record(&mut encoder, wanted)?;
            let last = self.step == end || self.step == self.window.0 + self.window.1 as u64;
            let losses = last.then(|| self.record_losses(&mut encoder));
            self.context.queue().submit([encoder.finish()]);
            self.context.wait()?;
            if let Some(losses) = losses {
                self.append(&losses.readback.wait()?, losses.window, losses.end)?;
            }
        }
        Ok(())
    }

    /// Sets how many steps [`Session::advance`] submits at once, at least one. A submission should take about a tenth of a second: short
    /// enough for a responsive desktop, and long compared with the wait between submissions. Results do not depend on it.
    pub fn submit_at_most(&mut self, steps: usize) {
        self.submission = steps.clamp(1, WINDOW);
    }

    /// Makes one step with a timestamp around every dispatch, waits for it and reads its losses. It is a step like the others.
    ///
    /// # Errors
    /// If the adapter has no timestamps or no step is left, or as [`Session::advance`].
    pub fn profile(&mut self) -> Result<Vec<KernelTime>> {
        if self.step == self.total_steps() {
            return Err(Error::input(format!("all {} steps are done: none is left to profile", self.step)));
        }
        // The next window overwrites the losses of the last one.
        self.read_losses()?;
        self.ready()?;
        let times = self.plan.profile(section(self.settings.is_coarse(self.step)))?;
        self.step += 1;
        self.read_losses()?;
        Ok(times)
    }

    /// Waits for the losses that were not read yet, and reads them.
    pub(super) fn read_losses(&mut self) -> Result<()> {
        if self.read_steps == self.step {
            return Ok(());
        }
        let mut encoder = self.context.device().create_command_encoder(&Default::default());
        let losses = self.record_losses(&mut encoder);
        self.context.queue().submit([encoder.finish()]);
        self.append(&losses.readback.wait()?, losses.window, losses.end)
    }

    /// The states after the steps submitted so far. Waits; see [`Session::record_states`].
    ///
    /// # Errors
    /// If the device is lost.
    pub fn states(&self) -> Result<Vec<ImageState>> {
        self.wait_for(Self::record_states)
    }

    /// The images after the steps submitted so far. Waits; see [`Session::record_images`].
    ///
    /// # Errors
    /// If the device is lost.
    pub fn images(&self) -> Result<Vec<Vec<f32>>> {
        self.wait_for(Self::record_images)
    }

    /// The logits of the images after the steps submitted so far. Waits; see [`Session::record_logits`].
    ///
    /// # Errors
    /// If the device is lost.
    pub fn logits(&self) -> Result<Vec<Vec<f32>>> {
        self.wait_for(Self::record_logits)
    }

    fn wait_for<T>(&self, record: fn(&Self, &mut wgpu::CommandEncoder) -> Result<Pending<T>>) -> Result<T> {
        let mut encoder = self.context.device().create_command_encoder(&Default::default());
        let pending = record(self, &mut encoder)?;
        self.context.queue().submit([encoder.finish()]);
        pending.wait()
    }
}
