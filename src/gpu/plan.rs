//! A recording made ready: buffers, pipelines and bind groups, built once; a step only encodes a list of dispatches.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use super::allocation::{self, Allocation, GUARD_BYTES, InitialContents, SENTINEL};
use super::context::{Context, Pipeline};
use super::limits::RequiredLimits;
use super::memory::Memory;
use super::readback::Readback;
use super::record::{Command, Layout, MAX_WORKGROUPS, Recording, Storage, TensorId};
use super::shader::Access;
use crate::error::{Error, Result};

/// How a plan lays out its buffers.
#[derive(Clone, Copy, Debug, Default)]
pub struct PlanOptions {
    /// Surround every tensor with sentinels and give each its own buffer; [`Plan::check_sentinels`] then says whether a
    /// kernel wrote past the end of its output. For tests.
    pub sentinels: bool,
    /// Begin with NaN in every tensor that is not a constant, so that an element that is read before it is written
    /// shows. For tests.
    pub poison: bool,
}

/// Everything that a recording needs on a device.
pub struct Plan {
    context: Context,
    recording: Recording,
    places: Vec<Allocation>,
    memory: Memory,
    guard: u64,
    steps: Vec<Step>,
    _params: Option<wgpu::Buffer>,
}

pub(super) struct Step {
    pub(super) pipeline: Arc<Pipeline>,
    pub(super) bind_group: wgpu::BindGroup,
    pub(super) workgroups: [u32; 3],
}

impl Plan {
    /// Makes the buffers, pipelines and bind groups of a recording and uploads its constants.
    ///
    /// # Errors
    /// If a shader does not compile, a binding's name or a parameter's place differs from the shader's, or the adapter
    /// has not enough memory.
    pub fn new(context: &Context, recording: Recording) -> Result<Self> {
        Self::with_options(context, recording, PlanOptions::default())
    }

    /// [`Plan::new`] with options for tests.
    ///
    /// # Errors
    /// As [`Plan::new`].
    pub fn with_options(context: &Context, recording: Recording, options: PlanOptions) -> Result<Self> {
        let memory = if options.sentinels { Memory::separate(&recording) } else { Memory::plan(&recording) };
        let guard = if options.sentinels { GUARD_BYTES } else { 0 };
        // Constants are made and uploaded while the driver compiles.
        let fresh = InitialContents { guard, poison: options.poison };
        let (places, compiled) = std::thread::scope(|scope| {
            let compiling = scope.spawn(|| compile(context, &recording));
            let places = allocation::create(context, &recording, &memory, fresh);
            (places, compiling.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
        });
        compiled?;
        let places = places?;
        let (params, offsets) = create_params(context, &recording)?;
        let mut plan =
            Self { context: context.clone(), recording, places, memory, guard, steps: Vec::new(), _params: None };
        for (command, offset) in plan.recording.commands.iter().zip(offsets) {
            plan.steps.push(plan.step(command, &params, offset)?);
        }
        plan._params = Some(params);
        Ok(plan)
    }

    fn step(&self, command: &Command, params: &wgpu::Buffer, params_offset: u64) -> Result<Step> {
        let kernel = &command.kernel;
        let pipeline = self.context.pipeline(kernel)?;
        let reflection = &pipeline.reflection;
        let fault = |what: String| Error::Shader(format!("{kernel} ({}): {what}", command.label));
        if command.params.len() != reflection.params_size
            || !reflection.fields.iter().map(|(n, o)| (n.as_str(), *o)).eq(command.fields.iter().copied())
        {
            let (shader, rust) = (&reflection.fields, command.fields);
            return Err(fault(format!("`params` is {shader:?} in the shader but {rust:?} in Rust")));
        }
        let mut entries = Vec::with_capacity(reflection.bindings.len());
        for (name, reflected) in &reflection.bindings {
            let resource = if reflected.access == Access::Uniform {
                let size = wgpu::BufferSize::new(command.params.len() as u64);
                wgpu::BindingResource::Buffer(wgpu::BufferBinding { buffer: params, offset: params_offset, size })
            } else {
                let bound = command.bindings.iter().find(|b| b.name == name);
                let bound = bound.ok_or_else(|| fault(format!("nothing is bound to `{name}`")))?;
                let texture = matches!(reflected.access, Access::Texture(..));
                if texture != (self.recording.desc(bound.tensor).layout == Layout::Texels) {
                    let label = &self.recording.desc(bound.tensor).label;
                    return Err(fault(format!("`{label}` is not what `{name}` is: one is a texture, one is a buffer")));
                }
                self.resource(bound.tensor)
            };
            entries.push(wgpu::BindGroupEntry { binding: reflected.binding, resource });
        }
        if let Some(extra) = command.bindings.iter().find(|b| !reflection.bindings.contains_key(b.name)) {
            return Err(fault(format!("the shader has no binding `{}`", extra.name)));
        }
        let bind_group = self.context.checked(&format!("binding {kernel} ({})", command.label), || {
            self.context.device().create_bind_group(&wgpu::BindGroupDescriptor {
                label: Some(&command.label),
                layout: &pipeline.layout,
                entries: &entries,
            })
        })?;
        let groups = command.grid.workgroups(reflection.workgroup[0]);
        if let Some(most) = groups.iter().find(|&&g| g > MAX_WORKGROUPS) {
            return Err(Error::input(format!(
                "{kernel} ({}): {most} workgroups along one dimension, but at most {MAX_WORKGROUPS} are possible: use a \
                     smaller batch or image",
                command.label
            )));
        }
        Ok(Step { pipeline, bind_group, workgroups: groups.map(|g| g as u32) })
    }

    fn buffer_index(&self, tensor: TensorId) -> Option<usize> {
        self.memory.buffer_of[tensor.0 as usize]
    }

    fn resource(&self, tensor: TensorId) -> wgpu::BindingResource<'_> {
        let index = self.buffer_index(tensor).expect("a bound tensor has a place");
        match &self.places[index] {
            Allocation::Texture(view) => wgpu::BindingResource::TextureView(view),
            Allocation::Buffer(buffer) => {
                // With the sentinels behind it: adapters drop what a kernel writes past a binding's end, and nobody would
                // see it.
                let size = wgpu::BufferSize::new(4 * self.recording.desc(tensor).len as u64 + self.guard);
                wgpu::BindingResource::Buffer(wgpu::BufferBinding { buffer, offset: self.offset(tensor), size })
            }
        }
    }

    /// Where a tensor's elements begin in its buffer, in bytes.
    fn offset(&self, tensor: TensorId) -> u64 {
        self.guard + 4 * self.recording.stored(tensor).1 as u64
    }

    /// The recording that the plan was made of.
    pub fn recording(&self) -> &Recording {
        &self.recording
    }

    /// The buffer that holds a tensor, or `None` if nothing uses it or it is a texture. A transient's buffer is shared. The tensor
    /// begins at offset 0 (behind the sentinels, where the plan has some), and a view where it begins in what it is of.
    pub fn buffer(&self, tensor: TensorId) -> Option<&wgpu::Buffer> {
        self.places[self.buffer_index(tensor)?].buffer()
    }

    /// The device that the plan was made on.
    pub fn context(&self) -> &Context {
        &self.context
    }

    pub(super) fn range(&self, section: &str) -> Range<usize> {
        let sections = &self.recording.sections;
        match sections.iter().find(|(name, _)| *name == section) {
            Some((_, range)) => range.clone(),
            // Nothing was recorded.
            None if sections.is_empty() => 0..0,
            None => {
                let names: Vec<&str> = sections.iter().map(|(name, _)| *name).collect();
                panic!("the plan has no section `{section}`, but {}", names.join(", "))
            }
        }
    }

    pub(super) fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// Encodes a section's dispatches.
    ///
    /// # Panics
    /// If the recording has no such section, as do [`Plan::submit`] and [`Plan::profile`].
    pub fn encode(&self, pass: &mut wgpu::ComputePass<'_>, section: &str) {
        for step in &self.steps[self.range(section)] {
            pass.set_pipeline(&step.pipeline.pipeline);
            pass.set_bind_group(0, &step.bind_group, &[]);
            let [x, y, z] = step.workgroups;
            pass.dispatch_workgroups(x, y, z);
        }
    }

    /// Encodes and submits a section `times` over, without waiting.
    pub fn submit(&self, section: &str, times: usize) -> wgpu::SubmissionIndex {
        let mut encoder = self.context.device().create_command_encoder(&Default::default());
        {
            let descriptor = wgpu::ComputePassDescriptor { label: Some(section), timestamp_writes: None };
            let mut pass = encoder.begin_compute_pass(&descriptor);
            (0..times).for_each(|_| self.encode(&mut pass, section));
        }
        self.context.queue().submit([encoder.finish()])
    }

    /// Queues a write of the whole tensor or its beginning, effective before the next submission.
    ///
    /// # Errors
    /// If `data` is longer than the tensor, or nothing uses the tensor.
    pub fn write<T: bytemuck::NoUninit>(&self, tensor: TensorId, data: &[T]) -> Result<()> {
        let desc = self.recording.desc(tensor);
        let bytes: &[u8] = bytemuck::cast_slice(data);
        let Some(buffer) = self.buffer(tensor).filter(|_| bytes.len() <= 4 * desc.len) else {
            let (have, label) = (4 * desc.len, &desc.label);
            return Err(Error::input(format!("{} bytes do not fit `{label}` of {have} bytes", bytes.len())));
        };
        self.context.queue().write_buffer(buffer, self.offset(tensor), bytes);
        Ok(())
    }

    /// Begins to copy tensors to where the processor can read them; what comes back delivers them later.
    ///
    /// # Errors
    /// If nothing uses one of them, or it is a texture.
    pub fn read_later(&self, tensors: &[TensorId]) -> Result<Readback> {
        let mut encoder = self.context.device().create_command_encoder(&Default::default());
        let readback = self.record_read(&mut encoder, tensors)?;
        self.context.queue().submit([encoder.finish()]);
        Ok(readback)
    }

    /// Records the copies into a host's encoder; they arrive some time after it was submitted.
    ///
    /// # Errors
    /// If nothing uses one of them, or it is a texture.
    pub fn record_read(&self, encoder: &mut wgpu::CommandEncoder, tensors: &[TensorId]) -> Result<Readback> {
        let part = |&tensor: &TensorId| {
            let desc = self.recording.desc(tensor);
            let buffer = self.buffer(tensor).ok_or_else(|| {
                Error::input(format!("`{}` cannot be read: nothing uses it, or it is a texture", desc.label))
            })?;
            Ok((buffer, self.offset(tensor), 4 * desc.len as u64))
        };
        let parts = tensors.iter().map(part).collect::<Result<Vec<_>>>()?;
        Ok(Readback::record(&self.context, encoder, &parts))
    }

    /// Waits for everything submitted and gives a tensor's elements as f32.
    ///
    /// # Errors
    /// If nothing uses it, it is a texture, or the device is lost.
    pub fn read(&self, tensor: TensorId) -> Result<Vec<f32>> {
        let parts = self.read_later(&[tensor])?.wait()?;
        Ok(parts.into_iter().next().unwrap_or_default())
    }

    /// For a plan with sentinels: names the first tensor outside of which something was written.
    ///
    /// # Errors
    /// With the tensor's label and the offset, if a sentinel changed.
    pub fn check_sentinels(&self) -> Result<()> {
        for (i, desc) in self.recording.tensors.iter().enumerate() {
            if matches!(desc.storage, Storage::View { .. }) {
                continue;
            }
            let Some(buffer) = self.memory.buffer_of[i].and_then(|b| self.places[b].buffer()) else { continue };
            let mut encoder = self.context.device().create_command_encoder(&Default::default());
            let readback = Readback::record(&self.context, &mut encoder, &[(buffer, 0, buffer.size())]);
            self.context.queue().submit([encoder.finish()]);
            let words = readback.wait()?.into_iter().next().unwrap_or_default();
            let guard = (self.guard / 4) as usize;
            let inside = guard..guard + desc.len;
            if let Some(at) = (0..words.len()).find(|at| !inside.contains(at) && words[*at].to_bits() != SENTINEL) {
                let at = at as i64 - guard as i64;
                return Err(Error::Shader(format!(
                    "`{}` of {} elements: element {at} was written",
                    desc.label, desc.len
                )));
            }
        }
        Ok(())
    }

    /// Dispatches, FLOPs, bytes and memory.
    pub fn summary(&self) -> Summary {
        Summary::new(&self.recording)
    }
}

/// Makes every kernel's pipeline, which the context keeps.
fn compile(context: &Context, recording: &Recording) -> Result<()> {
    recording.commands.iter().try_for_each(|command| context.pipeline(&command.kernel).map(|_| ()))
}

/// All commands' uniforms in one buffer, each at an aligned offset.
fn create_params(context: &Context, recording: &Recording) -> Result<(wgpu::Buffer, Vec<u64>)> {
    let align = context.device().limits().min_uniform_buffer_offset_alignment as usize;
    let mut bytes = Vec::new();
    let mut offsets = Vec::with_capacity(recording.commands.len());
    for command in &recording.commands {
        bytes.resize(bytes.len().next_multiple_of(align), 0);
        offsets.push(bytes.len() as u64);
        bytes.extend_from_slice(&command.params);
    }
    bytes.resize(bytes.len().next_multiple_of(align).max(align), 0);
    let buffer = context.checked("making the parameters' buffer", || {
        context.device().create_buffer(&wgpu::BufferDescriptor {
            label: Some("params"),
            size: bytes.len() as u64,
            usage: wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        })
    })?;
    context.queue().write_buffer(&buffer, 0, &bytes);
    Ok((buffer, offsets))
}

/// What a plan does and takes, for printing before anything is made.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Summary {
    /// One row for each section.
    pub sections: Vec<SectionSummary>,
    /// Bytes of all buffers on the adapter.
    pub memory_bytes: u64,
    /// The part of it that never changes: packed weights and tables.
    pub constant_bytes: u64,
    /// What the transients would take if none shared a buffer.
    pub transient_bytes_unshared: u64,
    /// What of it adapters limit.
    pub extremes: RequiredLimits,
}

/// One section of a plan.
#[derive(Clone, Debug, serde::Serialize)]
pub struct SectionSummary {
    /// `step`, `evaluate`, ...
    pub name: &'static str,
    /// Number of dispatches.
    pub dispatches: usize,
    /// Floating-point operations that the mathematics needs.
    pub flops: u64,
    /// Bytes that the kernels touch at least.
    pub bytes: u64,
}

impl Summary {
    /// Counts a recording; needs no device.
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
