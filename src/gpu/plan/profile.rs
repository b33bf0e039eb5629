//! The duration of each dispatch, by the clock of the adapter.

use super::{Plan, Readback};
use crate::error::{Error, Result};
use crate::gpu::recording::Command;

/// One dispatch and its time.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct KernelTime {
    /// The kernel, `file.entry` with overrides.
    pub kernel: String,
    /// The layer or the part of the step.
    pub label: String,
    /// The duration in milliseconds.
    pub time_ms: f64,
    /// Floating-point operations that the mathematics needs.
    pub flops: u64,
    /// Bytes that the kernels touch at least.
    pub bytes: u64,
}

impl KernelTime {
    /// Each dispatch with the median of its durations in several profiles of one section.
    pub fn medians(profiles: &[Vec<Self>]) -> Vec<Self> {
        let median = |at: usize| {
            let mut times: Vec<f64> = profiles.iter().map(|profile| profile[at].time_ms).collect();
            times.sort_by(f64::total_cmp);
            times[times.len() / 2]
        };
        let first = profiles.first().map_or(&[][..], Vec::as_slice);
        first.iter().enumerate().map(|(at, row)| Self { time_ms: median(at), ..row.clone() }).collect()
    }
}

/// All dispatches of one kernel.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct KernelTotal {
    /// The kernel, `file.entry` with overrides.
    pub kernel: String,
    /// How many dispatches.
    pub dispatches: usize,
    /// The sum of their durations, in milliseconds.
    pub time_ms: f64,
    /// Floating-point operations that the mathematics needs.
    pub flops: u64,
    /// Bytes that the kernels touch at least.
    pub bytes: u64,
}

impl KernelTotal {
    /// Sums over the dispatches of each kernel; the kernel with the longest sum comes first.
    pub fn of(times: &[KernelTime]) -> Vec<Self> {
        let mut totals: Vec<Self> = Vec::new();
        for KernelTime { kernel, time_ms, flops, bytes, .. } in times {
            let at = totals.iter().position(|total| total.kernel == *kernel).unwrap_or_else(|| {
                totals.push(Self { kernel: kernel.clone(), dispatches: 0, time_ms: 0.0, flops: 0, bytes: 0 });
                totals.len() - 1
            });
            let total = &mut totals[at];
            total.dispatches += 1;
            total.time_ms += time_ms;
            total.flops += flops;
            total.bytes += bytes;
        }
        totals.sort_by(|a, b| b.time_ms.total_cmp(&a.time_ms));
        totals
    }
}

impl Plan {
    /// Runs a section once, with timestamps around every dispatch. Blocks.
    ///
    /// # Errors
    /// If the adapter has no timestamps, or the device is lost.
    pub fn profile(&self, section: &str) -> Result<Vec<KernelTime>> {
        if !self.context().has_timestamps() {
            return Err(Error::input("this adapter has no timestamps"));
        }
        let range = self.range(section);
        // A query set holds 4,096 timestamps at most.
        let mut times = Vec::with_capacity(range.len());
        for chunk in range.clone().step_by(2048).map(|from| from..range.end.min(from + 2048)) {
            times.extend(self.profile_chunk(chunk)?);
        }
        let commands = &self.recording().commands()[range];
        let row = |(command, time_ms): (&Command, f64)| KernelTime {
            kernel: command.kernel.to_string(),
            label: command.label.clone(),
            time_ms,
            flops: command.flops,
            bytes: self.recording().bytes_of(command),
        };
        Ok(commands.iter().zip(times).map(row).collect())
    }

    fn profile_chunk(&self, range: std::ops::Range<usize>) -> Result<Vec<f64>> {
        let context = self.context();
        let device = context.device();
        let count = 2 * range.len() as u32;
        let queries = device.create_query_set(&wgpu::QuerySetDescriptor {
            label: Some("profile"),
            ty: wgpu::QueryType::Timestamp,
            count: count.max(2),
        });
        let usage = wgpu::BufferUsages::QUERY_RESOLVE | wgpu::BufferUsages::COPY_SRC;
        let size = 8 * u64::from(count.max(2));
        let resolved = device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("profile"),
            size,
            usage,
            mapped_at_creation: false,
        });
        let mut encoder = device.create_command_encoder(&Default::default());
        for (i, step) in self.steps()[range].iter().enumerate() {
            let writes = wgpu::ComputePassTimestampWrites {
                query_set: &queries,
                beginning_of_pass_write_index: Some(2 * i as u32),
                end_of_pass_write_index: Some(2 * i as u32 + 1),
            };
            let descriptor = wgpu::ComputePassDescriptor { label: None, timestamp_writes: Some(writes) };
            let mut pass = encoder.begin_compute_pass(&descriptor);
            pass.set_pipeline(&step.pipeline.pipeline);
            pass.set_bind_group(0, &step.bind_group, &[]);
            let [x, y, z] = step.workgroups;
            pass.dispatch_workgroups(x, y, z);
        }
        encoder.resolve_query_set(&queries, 0..count, &resolved, 0);
        let readback = Readback::record(context, &mut encoder, &[(&resolved, 0, size)])?;
        context.queue().submit([encoder.finish()]);
        let words: Vec<u32> = readback.wait()?.concat().into_iter().map(f32::to_bits).collect();
        let ticks: Vec<u64> = words.chunks_exact(2).map(|w| u64::from(w[0]) | u64::from(w[1]) << 32).collect();
        let period_ms = f64::from(context.queue().get_timestamp_period()) * 1e-6;
        Ok(ticks
            .chunks_exact(2)
            .take(count as usize / 2)
            .map(|t| t[1].saturating_sub(t[0]) as f64 * period_ms)
            .collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(kernel: &str, label: &str, time_ms: f64) -> KernelTime {
        KernelTime { kernel: kernel.into(), label: label.into(), time_ms, flops: 10, bytes: 7 }
    }

    #[test]
    fn dispatches_add_up_by_kernel_the_slowest_first() {
        let totals = KernelTotal::of(&[time("a", "1", 1.0), time("b", "2", 4.0), time("a", "3", 2.0)]);
        let total = |kernel: &str, dispatches, time_ms, flops, bytes| KernelTotal {
            kernel: kernel.into(),
            dispatches,
            time_ms,
            flops,
            bytes,
        };
        assert_eq!(totals, [total("b", 1, 4.0, 10, 7), total("a", 2, 3.0, 20, 14)]);
        assert!(KernelTotal::of(&[]).is_empty());
    }

    #[test]
    fn medians_are_taken_dispatch_by_dispatch() {
        let profile = |times: [f64; 2]| vec![time("a", "1", times[0]), time("a", "2", times[1])];
        let medians = KernelTime::medians(&[profile([9.0, 1.0]), profile([2.0, 5.0]), profile([3.0, 4.0])]);
        assert_eq!(medians, profile([3.0, 4.0]));
        assert!(KernelTime::medians(&[]).is_empty());
    }
}
