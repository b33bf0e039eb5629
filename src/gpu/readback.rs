//! Copies from the adapter that arrive later, without blocking anyone.

use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError, channel};
use std::time::Duration;

use super::context::Context;
use crate::error::{Error, Result};

/// How long another thread may take to tell what it was handed.
const NEWS: Duration = Duration::from_secs(5);

/// Tensors on their way from the adapter, from the moment at which the encoder with the copies is submitted.
pub struct Readback {
    context: Context,
    staging: wgpu::Buffer,
    lens: Vec<usize>,
    mapped: Receiver<std::result::Result<(), wgpu::BufferAsyncError>>,
}

impl Readback {
    /// Records copies of `(buffer, offset, bytes)` into one staging buffer.
    pub(super) fn record(
        context: &Context,
        encoder: &mut wgpu::CommandEncoder,
        parts: &[(&wgpu::Buffer, u64, u64)],
    ) -> Self {
        let size = parts.iter().map(|p| p.2).sum::<u64>().max(4);
        let staging = context.device().create_buffer(&wgpu::BufferDescriptor {
            label: Some("readback"),
            size,
            usage: wgpu::BufferUsages::COPY_DST | wgpu::BufferUsages::MAP_READ,
            mapped_at_creation: false,
        });
        let mut at = 0;
        for &(buffer, offset, bytes) in parts {
            encoder.copy_buffer_to_buffer(buffer, offset, &staging, at, bytes);
            at += bytes;
        }
        let lens = parts.iter().map(|p| (p.2 / 4) as usize).collect();
        let (sender, mapped) = channel();
        encoder.map_buffer_on_submit(&staging, wgpu::MapMode::Read, .., move |result| {
            // Nobody may wait any more; then there is nobody to tell.
            let _ = sender.send(result);
        });
        Self { context: context.clone(), staging, lens, mapped }
    }

    /// The tensors, in the order asked for, if they have arrived. Never blocks; the device must be polled by its owner.
    ///
    /// # Errors
    /// If the copy failed: the device is lost, or the encoder was dropped instead of submitted.
    pub fn try_take(&mut self) -> Result<Option<Vec<Vec<f32>>>> {
        match self.mapped.try_recv() {
            Err(TryRecvError::Empty) => Ok(None),
            Ok(Ok(())) => self.take().map(Some),
            Ok(Err(_)) | Err(TryRecvError::Disconnected) => Err(lost()),
        }
    }

    fn take(&self) -> Result<Vec<Vec<f32>>> {
        let view = self.staging.get_mapped_range(..).map_err(|_| lost())?;
        let mut at = 0;
        let mut part = |len: &usize| {
            let bytes = &view[4 * at..4 * (at + len)];
            at += len;
            bytemuck::pod_collect_to_vec(bytes)
        };
        Ok(self.lens.iter().map(&mut part).collect())
    }

    /// Blocks until the tensors are there.
    ///
    /// # Errors
    /// If the device is lost, or the encoder was not submitted before.
    pub fn wait(self) -> Result<Vec<Vec<f32>>> {
        // All that was submitted has ended then, and with it the copies; but another thread that polls may have been handed the news.
        self.context.wait()?;
        match self.mapped.recv_timeout(NEWS) {
            Ok(Ok(())) => self.take(),
            Ok(Err(_)) | Err(RecvTimeoutError::Disconnected) => Err(lost()),
            Err(RecvTimeoutError::Timeout) => {
                Err(Error::Device("a readback was waited for before the encoder with its copies was submitted".into()))
            }
        }
    }
}

fn lost() -> Error {
    Error::Device("a readback failed: the device is lost, or its commands were never submitted".into())
}
