//! How long each dispatch takes, by the adapter's own clock.

use super::plan::Plan;
use crate::error::{Error, Result};

/// One dispatch and its time.
#[derive(Clone, Debug, serde::Serialize)]
pub struct KernelTime {
    /// The kernel, `file.entry` with overrides.
    pub kernel: String,
    /// The layer or part of the step.
    pub label: String,
    /// Milliseconds.
    pub time_ms: f64,
    /// Floating-point operations that the mathematics needs.
    pub flops: u64,
    /// Bytes touched at least.
    pub bytes: u64,
}

impl Plan {
    /// Runs a section once with a timestamp around every dispatch; waits for it.
    ///
    /// # Errors
    /// If the adapter has no timestamps, or the device is lost.
    pub fn profile(&self, section: &str) -> Result<Vec<KernelTime>> {
        let context = self.context();
        let device = context.device();
        if !device.features().contains(wgpu::Features::TIMESTAMP_QUERY) {
            return Err(Error::input("this adapter has no timestamps"));
        }
        let range = self.range(section);
        // A query set holds 4,096 timestamps at most.
        let mut times = Vec::with_capacity(range.len());
        for chunk in range.clone().step_by(2048).map(|from| from..range.end.min(from + 2048)) {
            times.extend(self.profile_chunk(chunk)?);
        }
        let commands = &self.recording().commands()[range];
        let row = |(command, time_ms): (&super::Command, f64)| KernelTime {
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
        let readback = super::Readback::record(context, &mut encoder, &[(&resolved, 0, size)]);
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
