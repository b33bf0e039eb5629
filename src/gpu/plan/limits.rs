//! Whether a plan is within an adapter's limits, found out before it is made.

use serde::Serialize;

use super::memory::Memory;
use crate::gpu::recording::{Layout, Recording, TEXTURE_WIDTH};

/// What of a plan an adapter limits.
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
    /// Of a recording with its memory.
    pub(super) fn new(recording: &Recording, memory: &Memory) -> Self {
        let lens = |wanted: Layout| {
            let all = memory.buffer_len.iter().zip(&memory.buffer_layout);
            all.filter(move |&(_, layout)| *layout == wanted).map(|(&len, _)| len).max().unwrap_or(0)
        };
        // Workgroups of one invocation are at least as many as there will be, and along the dimension that counts the
        // images no more.
        let groups = recording.commands().iter().flat_map(|command| command.grid.workgroups(1));
        Self {
            buffer_bytes: Layout::Words.bytes(lens(Layout::Words)),
            texture_rows: lens(Layout::Texels).div_ceil(TEXTURE_WIDTH),
            workgroups: groups.max().unwrap_or(0),
        }
    }
}
