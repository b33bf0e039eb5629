//! Reads images, logits and states from the adapter.

use super::{ImageState, Session};
use crate::error::Result;
use crate::gpu::{Readback, TensorId};

/// A value that the adapter delivers after the encoder with its copy is submitted.
///
/// [`Pending::try_take`] checks whether it has arrived, and [`Pending::read`] is a future.
pub struct Pending<T> {
    readback: Readback,
    of_parts: Box<dyn Fn(Vec<Vec<f32>>) -> T + Send + Sync>,
}

impl<T> Pending<T> {
    /// The value, if it has arrived. Never blocks; the device's owner must poll the device.
    ///
    /// # Errors
    /// If the device is lost, the encoder was dropped instead of submitted, or the value was taken before.
    pub fn try_take(&mut self) -> Result<Option<T>> {
        Ok(self.readback.try_take()?.map(&self.of_parts))
    }

    /// The value, when it arrives. On native platforms, the device's owner must poll the device meanwhile.
    ///
    /// # Errors
    /// If the device is lost, or the encoder was dropped instead of submitted.
    pub async fn read(self) -> Result<T> {
        Ok((self.of_parts)(self.readback.read().await?))
    }

    /// The value, after waiting for all submitted work.
    #[cfg(feature = "native")]
    pub(super) fn wait(self) -> Result<T> {
        Ok((self.of_parts)(self.readback.wait()?))
    }
}

impl Session {
    /// Records a copy of each image's pixels, `[C,H,W]`, unclamped, after the steps recorded so far. It copies nothing else.
    ///
    /// # Errors
    /// If the device has no memory for the copy.
    pub fn record_images(&self, encoder: &mut wgpu::CommandEncoder) -> Result<Pending<Vec<Vec<f32>>>> {
        self.record_rows(encoder, self.state.image.id, self.image.len())
    }

    /// Records a forward pass without transforms and a copy of each image's logits, `[K]`, after the steps recorded so far.
    ///
    /// # Errors
    /// If the device has no memory for the copy.
    pub fn record_logits(&self, encoder: &mut wgpu::CommandEncoder) -> Result<Pending<Vec<Vec<f32>>>> {
        let descriptor = wgpu::ComputePassDescriptor { label: Some("evaluate"), timestamp_writes: None };
        self.plan.encode(&mut encoder.begin_compute_pass(&descriptor), "evaluate");
        self.record_rows(encoder, self.state.logits.id, self.state.logits.shape.c())
    }

    /// Records a copy of each image's pixels, parameters and Adam's moments, after the steps recorded so far.
    ///
    /// # Errors
    /// If the device has no memory for the copy.
    pub fn record_states(&self, encoder: &mut wgpu::CommandEncoder) -> Result<Pending<Vec<ImageState>>> {
        let state = &self.state;
        let tensors = [state.image, state.m, state.v, state.parameters];
        // The parameters are read only if they are not the image.
        let made = state.parameters.id != state.image.id;
        let count = if made { 4 } else { 3 };
        let ids: Vec<TensorId> = tensors[..count].iter().map(|t| t.id).collect();
        let readback = self.plan.record_read(encoder, &ids)?;
        let (lens, images) = (tensors.map(|t| t.shape.image_len()), self.jobs.len());
        let of_parts = move |parts: Vec<Vec<f32>>| {
            let of = |part: usize, i: usize| parts[part][i * lens[part]..(i + 1) * lens[part]].to_vec();
            let state =
                |i| ImageState { image: of(0, i), m: of(1, i), v: of(2, i), parameters: made.then(|| of(3, i)) };
            (0..images).map(state).collect()
        };
        Ok(Pending { readback, of_parts: Box::new(of_parts) })
    }

    /// Records a copy of a tensor with `len` elements per image.
    fn record_rows(
        &self,
        encoder: &mut wgpu::CommandEncoder,
        tensor: TensorId,
        len: usize,
    ) -> Result<Pending<Vec<Vec<f32>>>> {
        let readback = self.plan.record_read(encoder, &[tensor])?;
        let rows = move |parts: Vec<Vec<f32>>| parts[0].chunks_exact(len).map(<[f32]>::to_vec).collect();
        Ok(Pending { readback, of_parts: Box::new(rows) })
    }
}
