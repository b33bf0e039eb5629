//! Staging buffers for readbacks, which are used again.

use std::sync::{Mutex, PoisonError};

use super::errors::checked;
use crate::error::Result;

/// The most buffers that wait for their next use, and the most bytes of these: enough for several readbacks of losses and of the
/// images of a small batch.
const MOST_BUFFERS: usize = 8;
const MOST_BYTES: u64 = 32 << 20;
/// The length of a buffer is a multiple of this, so that similar readbacks can share it.
const GRAIN_BYTES: u64 = 4 << 10;

/// Unmapped buffers, in the order in which they were returned.
#[derive(Debug, Default)]
pub(in crate::gpu) struct Staging {
    free: Mutex<Vec<wgpu::Buffer>>,
}

impl Staging {
    /// A buffer of at least this many bytes: the smallest that waits, or a new one if all are too short or much too long.
    ///
    /// # Errors
    /// If the device is out of memory.
    pub(in crate::gpu) fn take(&self, device: &wgpu::Device, bytes: u64) -> Result<wgpu::Buffer> {
        let size = bytes.max(1).next_multiple_of(GRAIN_BYTES);
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let fitting = (0..free.len()).filter(|&i| (size..=4 * size).contains(&free[i].size()));
        if let Some(best) = fitting.min_by_key(|&i| free[i].size()) {
            return Ok(free.remove(best));
        }
        drop(free);
        checked(device, &format!("making a buffer of {size} bytes to read through"), || {
            device.create_buffer(&wgpu::BufferDescriptor {
                label: Some("readback"),
                size,
                usage: wgpu::BufferUsages::COPY_DST | wgpu::BufferUsages::MAP_READ,
                mapped_at_creation: false,
            })
        })
    }

    /// Takes an unmapped buffer back. If there are too many, drops those that have waited longest.
    pub(in crate::gpu) fn give(&self, buffer: wgpu::Buffer) {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        free.push(buffer);
        while free.len() > MOST_BUFFERS || free.iter().map(wgpu::Buffer::size).sum::<u64>() > MOST_BYTES {
            free.remove(0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gpu::Context;

    fn sizes(staging: &Staging) -> Vec<u64> {
        staging.free.lock().unwrap().iter().map(wgpu::Buffer::size).collect()
    }

    #[test]
    fn buffers_are_used_again_and_bounded() {
        let (context, staging) = (Context::noop(), Staging::default());
        let take = |bytes| staging.take(context.device(), bytes).expect("memory");
        let first = take(20_000);
        assert_eq!(first.size(), 20_480);
        staging.give(first.clone());
        // Reuses the buffer, but not for a much shorter readback, nor for a longer one.
        assert_eq!(take(18_000), first);
        staging.give(first.clone());
        assert_ne!(take(100), first);
        assert_ne!(take(30_000), first);
        assert_eq!(sizes(&staging), [20_480]);
        // Takes the one that fits best.
        staging.give(take(40_000));
        assert_eq!(take(19_000), first);
        staging.give(first);
        (0..20u64).map(|i| take(100_000 + 4096 * i)).collect::<Vec<_>>().into_iter().for_each(|b| staging.give(b));
        assert_eq!(sizes(&staging).len(), MOST_BUFFERS);
        staging.give(take(MOST_BYTES));
        assert_eq!(sizes(&staging), [MOST_BYTES]);
        staging.give(take(MOST_BYTES + 1));
        assert_eq!(sizes(&staging), [0u64; 0]);
    }
}
