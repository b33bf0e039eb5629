//! The work and the memory of a plan, counted from its recording.

use std::fmt;
use std::ops::Range;

use super::limits::RequiredLimits;
use super::memory::Memory;
use crate::gpu::device::Context;
use crate::gpu::recording::{MAX_WORKGROUPS, Recording, Storage};

/// The work and the memory of a plan, known before it is made.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Summary {
    /// One row per section.
    pub sections: Vec<SectionSummary>,
    /// Bytes of all buffers on the adapter.
    pub memory_bytes: u64,
    /// Bytes of constants among these: packed weights and tables.
    pub constant_bytes: u64,
    /// Bytes of the transients if none shared a buffer.
    pub transient_bytes_unshared: u64,
    /// The limits that the plan requires.
    pub extremes: RequiredLimits,
}

/// One section of a plan.
#[derive(Clone, Debug, serde::Serialize)]
pub struct SectionSummary {
    /// `step`, `evaluate`, ...
    pub name: &'static str,
    /// The number of dispatches.
    pub dispatches: usize,
    /// Floating-point operations that the mathematics needs.
    pub flops: u64,
    /// Bytes that the kernels touch at least.
    pub bytes: u64,
}

impl Summary {
    /// Whether the limits of an adapter allow the plan. This says nothing about its memory.
    pub fn fits(&self, context: &Context) -> bool {
        let (limits, extremes) = (context.device().limits(), &self.extremes);
        extremes.buffer_bytes <= limits.max_storage_buffer_binding_size.min(limits.max_buffer_size)
            && extremes.texture_rows <= limits.max_texture_dimension_2d as usize
            && extremes.workgroups <= MAX_WORKGROUPS
    }
}

impl Summary {
    /// Counts a recording. Needs no device.
    pub fn new(recording: &Recording) -> Self {
        let section = |(name, range): &(&'static str, Range<usize>)| {
            let commands = &recording.commands[range.clone()];
            SectionSummary {
                name,
                dispatches: commands.len(),
                flops: commands.iter().map(|c| c.flops).sum(),
                bytes: commands.iter().map(|c| recording.bytes_of(c)).sum(),
            }
        };
        let sum = |wanted: fn(&Storage) -> bool| {
            recording.tensors.iter().filter(|t| wanted(&t.storage)).map(|t| t.layout.bytes(t.len)).sum()
        };
        let memory = Memory::plan(recording);
        Self {
            sections: recording.sections.iter().map(section).collect(),
            memory_bytes: memory.bytes(),
            extremes: RequiredLimits::new(recording, &memory),
            constant_bytes: sum(|s| matches!(s, Storage::Constant(_))),
            transient_bytes_unshared: sum(|s| matches!(s, Storage::Transient)),
        }
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mib = |bytes: u64| bytes as f64 / (1 << 20) as f64;
        for section in &self.sections {
            let (gflop, touched) = (section.flops as f64 / 1e9, mib(section.bytes));
            let (name, dispatches) = (section.name, section.dispatches);
            writeln!(f, "{name:<9} {dispatches:>4} dispatches  {gflop:>8.3} GFLOP  {touched:>9.1} MiB touched")?;
        }
        let (all, constant, unshared) = (self.memory_bytes, self.constant_bytes, self.transient_bytes_unshared);
        write!(
            f,
            "memory    {:.1} MiB on the adapter, of it {:.1} MiB weights; activations would take {:.1} MiB unshared",
            mib(all),
            mib(constant),
            mib(unshared)
        )
    }
}
