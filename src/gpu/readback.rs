//! Copies from the adapter that arrive later, without blocking anyone.

use std::sync::mpsc::{Receiver, TryRecvError, channel};

use super::context::Context;
use crate::error::{Error, Result};

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
        let lost =
            || Error::Device("a readback failed: the device is lost, or its commands were never submitted".into());
        match self.mapped.try_recv() {
            Err(TryRecvError::Empty) => Ok(None),
            Ok(Ok(())) => self.take().map(Some).ok_or_else(lost),
            Ok(Err(_)) | Err(TryRecvError::Disconnected) => Err(lost()),
        }
    }

    fn take(&self) -> Option<Vec<Vec<f32>>> {
        let view = self.staging.get_mapped_range(..).ok()?;
        let mut at = 0;
        let mut part = |len: &usize| {
            let bytes = &view[4 * at..4 * (at + len)];
            at += len;
            bytemuck::pod_collect_to_vec(bytes)
        };
        Some(self.lens.iter().map(&mut part).collect())
    }

    /// Blocks until the tensors are there.
    ///
    /// # Errors
    /// If the device is lost, or the encoder was not submitted before.
    pub fn wait(mut self) -> Result<Vec<Vec<f32>>> {
        // All that was submitted has ended then, and with it the copies.
        self.context.wait()?;
        self.try_take()?.ok_or_else(|| {
            Error::Device("a readback was waited for before the encoder with its copies was submitted".into())
        })
    }
}
