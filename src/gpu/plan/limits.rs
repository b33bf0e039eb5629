//! Checks a plan against the limits of an adapter before it is made.

use serde::Serialize;

use super::memory::Memory;
use crate::gpu::recording::{Layout, Recording, TEXTURE_WIDTH};

/// The limits that a plan requires of an adapter.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct RequiredLimits {
    /// The longest buffer.
    pub buffer_bytes: u64,
    /// Rows of the largest texture.
    pub texture_rows: usize,
    /// The most workgroups along a dimension.
    pub workgroups: usize,
}

impl RequiredLimits {
    /// The limits for a recording and its memory.
    pub(super) fn new(recording: &Recording, memory: &Memory) -> Self {
        let lens = |wanted: Layout| {
            let all = memory.buffer_len.iter().zip(&memory.buffer_layout);
            all.filter(move |&(_, layout)| *layout == wanted).map(|(&len, _)| len).max().unwrap_or(0)
        };
        // With one invocation per workgroup, the count is at least the true one, and exact along the dimension of the images.
        let groups = recording.commands().iter().flat_map(|command| command.grid.workgroups(1));
        Self {
            buffer_bytes: Layout::Words.bytes(lens(Layout::Words)),
            texture_rows: lens(Layout::Texels).div_ceil(TEXTURE_WIDTH),
            workgroups: groups.max().unwrap_or(0),
        }
    }
}
