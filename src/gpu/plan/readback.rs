//! Copies from the adapter that arrive later, without blocking.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

use crate::error::{Error, Result};
use crate::gpu::device::Context;

/// Tensors on their way from the adapter. They leave it when the encoder with the copies is submitted.
///
/// There are three ways to get them: [`Readback::try_take`] looks whether they have arrived, [`Readback::read`] is a future, and
/// [`Readback::wait`] blocks.
pub struct Readback {
    context: Context,
    /// `None` after the elements were taken.
    staging: Option<wgpu::Buffer>,
    lens: Vec<usize>,
    arrival: Arc<Arrival>,
}

/// The state of a copy, which polling the device updates.
#[derive(Default)]
struct Arrival {
    news: Mutex<News>,
    told: Condvar,
}

#[derive(Default)]
struct News {
    /// Whether the copy succeeded, once it has ended.
    succeeded: Option<bool>,
    waker: Option<Waker>,
}

impl Arrival {
    fn news(&self) -> MutexGuard<'_, News> {
        self.news.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reports how a copy ended. If it is dropped before, the copy failed, because its encoder was dropped.
struct Messenger(Arc<Arrival>);

impl Messenger {
    fn tell(&self, succeeded: bool) {
        let mut news = self.0.news();
        news.succeeded.get_or_insert(succeeded);
        let waker = news.waker.take();
        drop(news);
        self.0.told.notify_all();
        waker.into_iter().for_each(Waker::wake);
    }
}

impl Drop for Messenger {
    fn drop(&mut self) {
        self.tell(false);
    }
}

impl Readback {
    /// Records copies of `(buffer, offset, bytes)` into one staging buffer.
    pub(in crate::gpu) fn record(
        context: &Context,
        encoder: &mut wgpu::CommandEncoder,
        parts: &[(&wgpu::Buffer, u64, u64)],
    ) -> Result<Self> {
        let size = parts.iter().map(|p| p.2).sum::<u64>().max(4);
        let staging = context.staging().take(context.device(), size)?;
        let mut at = 0;
        for &(buffer, offset, bytes) in parts {
            encoder.copy_buffer_to_buffer(buffer, offset, &staging, at, bytes);
            at += bytes;
        }
        let lens = parts.iter().map(|p| (p.2 / 4) as usize).collect();
        let arrival = Arc::<Arrival>::default();
        let messenger = Messenger(Arc::clone(&arrival));
        encoder.map_buffer_on_submit(&staging, wgpu::MapMode::Read, ..size, move |result| {
            messenger.tell(result.is_ok());
        });
        Ok(Self { context: context.clone(), staging: Some(staging), lens, arrival })
    }

    /// The tensors in the requested order, if they have arrived. Never blocks; the owner of the device must poll it.
    ///
    /// # Errors
    /// If the copy failed (the device is lost, or the encoder was dropped and not submitted), or the tensors were taken before.
    pub fn try_take(&mut self) -> Result<Option<Vec<Vec<f32>>>> {
        let succeeded = self.arrival.news().succeeded;
        match succeeded {
            None => Ok(None),
            Some(true) => self.take().map(Some),
            Some(false) => Err(lost()),
        }
    }

    fn take(&mut self) -> Result<Vec<Vec<f32>>> {
        let staging = self.staging.take().ok_or_else(|| Error::Device("a readback was taken before".into()))?;
        let bytes = 4 * self.lens.iter().sum::<usize>() as u64;
        let view = staging.get_mapped_range(..bytes.max(4)).map_err(|_| lost())?;
        let mut at = 0;
        let mut part = |len: &usize| {
            let bytes = &view[4 * at..4 * (at + len)];
            at += len;
            bytemuck::pod_collect_to_vec(bytes)
        };
        let parts = self.lens.iter().map(&mut part).collect();
        drop(view);
        staging.unmap();
        self.context.staging().give(staging);
        Ok(parts)
    }

    /// Waits for the tensors without blocking. On native platforms, the owner of the device must poll it meanwhile.
    ///
    /// # Errors
    /// If the device is lost, or the encoder was dropped and not submitted.
    pub async fn read(mut self) -> Result<Vec<Vec<f32>>> {
        std::future::poll_fn(|cx| {
            let mut news = self.arrival.news();
            if news.succeeded.is_some() {
                return Poll::Ready(());
            }
            news.waker = Some(cx.waker().clone());
            Poll::Pending
        })
        .await;
        if let Some(parts) = self.try_take()? { Ok(parts) } else { Err(lost()) }
    }

    /// Blocks until the tensors have arrived.
    ///
    /// # Errors
    /// If the device is lost, or the encoder was not submitted before.
    pub fn wait(mut self) -> Result<Vec<Vec<f32>>> {
        // Everything submitted has ended now, including the copies. But another thread that polls may have received the
        // callback, and may take a moment to report it.
        self.context.wait()?;
        let moment = std::time::Duration::from_secs(5);
        let unknown = |news: &mut News| news.succeeded.is_none();
        drop(self.arrival.told.wait_timeout_while(self.arrival.news(), moment, unknown));
        let early = "a readback was waited for before the encoder with its copies was submitted";
        self.try_take()?.ok_or_else(|| Error::Device(early.into()))
    }
}

impl Drop for Readback {
    /// Unmaps elements that arrived but were not taken, so that the buffer can be used again.
    fn drop(&mut self) {
        if self.arrival.news().succeeded == Some(true)
            && let Some(staging) = self.staging.take()
        {
            staging.unmap();
            self.context.staging().give(staging);
        }
    }
}

fn lost() -> Error {
    Error::Device("a readback failed: the device is lost, or its commands were never submitted".into())
}
