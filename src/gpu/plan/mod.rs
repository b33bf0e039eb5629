//! Buffers, pipelines and bind groups of a recording, made once. After that, a step only encodes a list of dispatches.

mod allocation;
mod limits;
mod memory;
mod profile;
mod readback;
mod summary;

use std::collections::HashSet;
use std::ops::Range;
use std::sync::Arc;

pub use limits::RequiredLimits;
pub(crate) use memory::Memory;
pub use profile::{KernelTime, KernelTotal};
pub use readback::Readback;
pub use summary::{SectionSummary, Summary};

use self::allocation::{Allocation, GUARD_BYTES, InitialContents, SENTINEL};
use super::device::Context;
use super::device::compile::Pipeline;
use super::device::errors::Errors;
use super::recording::{Binding, Command, Layout, Recording, Storage, TensorId};
use super::shader::{Access, Kernel, Reflection, TextureUse};
use crate::error::{Error, Result};

/// How a plan lays out its buffers.
#[derive(Clone, Copy, Debug, Default)]
pub struct PlanOptions {
    /// Surround every tensor with sentinels, and give each its own buffer. [`Plan::check_sentinels`] then finds writes outside a
    /// tensor. For tests.
    pub sentinels: bool,
    /// Begin with NaN in every tensor that is not a constant, to find elements that are read before they are written. For tests.
    pub poison: bool,
}

/// Everything that a recording needs on a device.
pub struct Plan {
    context: Context,
    recording: Recording,
    allocations: Vec<Allocation>,
    memory: Memory,
    guard: u64,
    steps: Vec<Step>,
    _params: Option<wgpu::Buffer>,
}

struct Step {
    pipeline: Arc<Pipeline>,
    bind_group: wgpu::BindGroup,
    workgroups: [u32; 3],
}

impl Plan {
    /// Makes the buffers, pipelines and bind groups of a recording, and uploads its constants. The driver compiles all pipelines
    /// together, while constants are made. Only this blocks, for as long as packing the weights takes.
    ///
    /// # Errors
    /// If a shader does not compile, the name of a binding or the offset of a parameter differs from the shader, or the adapter is
    /// out of memory.
    pub async fn prepare(context: &Context, recording: Recording) -> Result<Self> {
        Self::prepare_with(context, recording, PlanOptions::default()).await
    }

    /// [`Plan::prepare`], blocking.
    ///
    /// # Errors
    /// Those of [`Plan::prepare`].
    pub fn new(context: &Context, recording: Recording) -> Result<Self> {
        pollster::block_on(Self::prepare(context, recording))
    }

    /// [`Plan::new`] with options for tests. Blocks.
    ///
    /// # Errors
    /// Those of [`Plan::prepare`].
    pub fn with_options(context: &Context, recording: Recording, options: PlanOptions) -> Result<Self> {
        pollster::block_on(Self::prepare_with(context, recording, options))
    }

    async fn prepare_with(context: &Context, recording: Recording, options: PlanOptions) -> Result<Self> {
        let compiling = context.compiled().begin(kernels(&recording));
        let memory = if options.sentinels { Memory::separate(&recording) } else { Memory::plan(&recording) };
        let guard = if options.sentinels { GUARD_BYTES } else { 0 };
        let contents = InitialContents { guard, poison: options.poison };
        let mut errors = Errors::default();
        // Makes and uploads constants while the driver compiles.
        let allocations = allocation::create(context, &recording, &memory, contents, &mut errors);
        compiling.await?;
        let allocations = allocations?;
        let (params, offsets) = create_params(context, &recording, &mut errors)?;
        let mut plan =
            Self { context: context.clone(), recording, allocations, memory, guard, steps: Vec::new(), _params: None };
        for (command, offset) in plan.recording.commands.iter().zip(offsets) {
            plan.steps.push(plan.step(command, &params, offset, &mut errors)?);
        }
        plan._params = Some(params);
        errors.finish().await?;
        Ok(plan)
    }

    fn step(&self, command: &Command, params: &wgpu::Buffer, params_offset: u64, errors: &mut Errors) -> Result<Step> {
        let kernel = &command.kernel;
        let pipeline = self.context.compiled().get(kernel, errors)?;
        let reflection = &pipeline.reflection;
        let fault = |what: String| Error::Shader(format!("{kernel} ({}): {what}", command.label));
        if command.params.len() != reflection.params_size
            || !reflection.fields.iter().map(|(n, o)| (n.as_str(), *o)).eq(command.fields.iter().copied())
        {
            let (shader, rust) = (&reflection.fields, command.fields);
            return Err(fault(format!("`params` is {shader:?} in the shader but {rust:?} in Rust")));
        }
        self.check_uses(command, reflection).map_err(&fault)?;
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
        let device = self.context.device();
        let bind_group = errors.catch(device, &format!("binding {kernel} ({})", command.label), || {
            device.create_bind_group(&wgpu::BindGroupDescriptor {
                label: Some(&command.label),
                layout: &pipeline.layout,
                entries: &entries,
            })
        })?;
        let groups = command.grid.workgroups(reflection.workgroup[0]);
        let most = self.context.device().limits().max_compute_workgroups_per_dimension as usize;
        if let Some(groups) = groups.iter().find(|&&groups| groups > most) {
            return Err(Error::input(format!(
                "{kernel} ({}): {groups} workgroups along one dimension, but at most {most} are possible: \
                 use a smaller batch or image",
                command.label
            )));
        }
        Ok(Step { pipeline, bind_group, workgroups: groups.map(|g| g as u32) })
    }

    /// Checks that a kernel writes no constant, and no memory that another of its bindings uses.
    fn check_uses(&self, command: &Command, reflection: &Reflection) -> Result<(), String> {
        let used = |binding: &Binding| {
            let access = reflection.bindings.get(binding.name)?.access;
            let written = matches!(access, Access::ReadWrite | Access::Texture(_, TextureUse::Write));
            Some((self.buffer_index(binding.tensor)?, written))
        };
        for (i, binding) in command.bindings.iter().enumerate() {
            let Some((written, true)) = used(binding) else { continue };
            let label = &self.recording.desc(binding.tensor).label;
            if self.is_constant(binding.tensor) {
                return Err(format!("`{}` would write `{label}`, which is a constant", binding.name));
            }
            let mut others = command.bindings.iter().enumerate().filter(|&(j, _)| j != i).map(|(_, other)| other);
            if let Some(other) = others.find(|other| used(other).is_some_and(|(at, _)| at == written)) {
                return Err(format!("`{}` writes `{label}`, which is bound to `{}` as well", binding.name, other.name));
            }
        }
        Ok(())
    }

    /// Whether a tensor is a constant, or a view of one.
    fn is_constant(&self, tensor: TensorId) -> bool {
        matches!(self.recording.desc(self.recording.stored(tensor).0).storage, Storage::Constant(_))
    }

    fn buffer_index(&self, tensor: TensorId) -> Option<usize> {
        self.recording.find(tensor).ok()?;
        self.memory.buffer_of[self.recording.index(tensor)]
    }

    fn resource(&self, tensor: TensorId) -> wgpu::BindingResource<'_> {
        let index = self.buffer_index(tensor).expect("a bound tensor has a buffer");
        match &self.allocations[index] {
            Allocation::Texture(view) => wgpu::BindingResource::TextureView(view),
            Allocation::Buffer(buffer) => {
                // The binding includes the sentinels after the tensor: adapters drop writes past the end of a binding, and no
                // test would see them.
                let size = wgpu::BufferSize::new(4 * self.recording.desc(tensor).len as u64 + self.guard);
                wgpu::BindingResource::Buffer(wgpu::BufferBinding { buffer, offset: self.offset(tensor), size })
            }
        }
    }

    /// The offset of a tensor in its buffer, in bytes.
    fn offset(&self, tensor: TensorId) -> u64 {
        self.guard + 4 * self.recording.stored(tensor).1 as u64
    }

    /// The recording from which the plan was made.
    pub fn recording(&self) -> &Recording {
        &self.recording
    }

    /// The buffer that holds a tensor. `None` if nothing uses the tensor, or it is a constant, a texture or from another recording.
    /// Transients share buffers. A tensor begins at offset 0 (or after the sentinels, if the plan has some), and a view at its
    /// offset in the tensor that it is part of.
    pub fn buffer(&self, tensor: TensorId) -> Option<&wgpu::Buffer> {
        let index = self.buffer_index(tensor)?;
        if self.is_constant(tensor) { None } else { self.allocations[index].buffer() }
    }

    /// [`Plan::buffer`] for any tensor, to read it.
    pub(super) fn source(&self, tensor: TensorId) -> Option<&wgpu::Buffer> {
        self.allocations[self.buffer_index(tensor)?].buffer()
    }

    /// The device on which the plan was made.
    pub fn context(&self) -> &Context {
        &self.context
    }

    fn range(&self, section: &str) -> Range<usize> {
        let sections = &self.recording.sections;
        match sections.iter().find(|(name, _)| *name == section) {
            Some((_, range)) => range.clone(),
            // The section is empty.
            None if sections.is_empty() => 0..0,
            None => {
                let names: Vec<&str> = sections.iter().map(|(name, _)| *name).collect();
                panic!("the plan has no section `{section}`, but {}", names.join(", "))
            }
        }
    }

    fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// Encodes the dispatches of a section.
    ///
    /// # Panics
    /// If the recording has no such section. [`Plan::submit`] and [`Plan::profile`] panic then, too.
    pub fn encode(&self, pass: &mut wgpu::ComputePass<'_>, section: &str) {
        for step in &self.steps[self.range(section)] {
            pass.set_pipeline(&step.pipeline.pipeline);
            pass.set_bind_group(0, &step.bind_group, &[]);
            let [x, y, z] = step.workgroups;
            pass.dispatch_workgroups(x, y, z);
        }
    }

    /// Encodes a section `times` times and submits it, without waiting.
    pub fn submit(&self, section: &str, times: usize) -> wgpu::SubmissionIndex {
        let mut encoder = self.context.device().create_command_encoder(&Default::default());
        {
            let descriptor = wgpu::ComputePassDescriptor { label: Some(section), timestamp_writes: None };
            let mut pass = encoder.begin_compute_pass(&descriptor);
            (0..times).for_each(|_| self.encode(&mut pass, section));
        }
        self.context.queue().submit([encoder.finish()])
    }

    /// [`Plan::write`] for any tensor, even a constant: for tests that give a kernel contents that it should never see.
    #[cfg(test)]
    pub(crate) fn overwrite<T: bytemuck::NoUninit>(&self, tensor: TensorId, data: &[T]) {
        let buffer = self.source(tensor).expect("a tensor in a buffer");
        self.context.queue().write_buffer(buffer, self.offset(tensor), bytemuck::cast_slice(data));
    }

    /// Queues a write to a tensor, from its beginning; it happens before the next submission.
    ///
    /// # Errors
    /// If `data` is longer than the tensor, nothing uses the tensor, or it is a constant, a texture or from another recording.
    pub fn write<T: bytemuck::NoUninit>(&self, tensor: TensorId, data: &[T]) -> Result<()> {
        let desc = self.recording.find(tensor)?;
        if self.is_constant(tensor) {
            return Err(Error::input(format!("`{}` is a constant, which cannot be written", desc.label)));
        }
        let bytes: &[u8] = bytemuck::try_cast_slice(data).map_err(|e| Error::input(e.to_string()))?;
        if !bytes.len().is_multiple_of(4) {
            return Err(Error::input(format!("`{}` holds words of 4 bytes, not {} bytes", desc.label, bytes.len())));
        }
        let Some(buffer) = self.buffer(tensor).filter(|_| bytes.len() <= 4 * desc.len) else {
            let (have, label) = (4 * desc.len, &desc.label);
            return Err(Error::input(format!("{} bytes do not fit `{label}` of {have} bytes", bytes.len())));
        };
        self.context.queue().write_buffer(buffer, self.offset(tensor), bytes);
        Ok(())
    }

    /// Begins to copy tensors to memory that the processor can read. The returned readback delivers them later.
    ///
    /// # Errors
    /// If nothing uses one of them, or it is a texture or from another recording.
    pub fn read_later(&self, tensors: &[TensorId]) -> Result<Readback> {
        let mut encoder = self.context.device().create_command_encoder(&Default::default());
        let readback = self.record_read(&mut encoder, tensors)?;
        self.context.queue().submit([encoder.finish()]);
        Ok(readback)
    }

    /// Records the copies into the encoder of a host. They arrive some time after the host submits it.
    ///
    /// # Errors
    /// If nothing uses one of them, or it is a texture or from another recording.
    pub fn record_read(&self, encoder: &mut wgpu::CommandEncoder, tensors: &[TensorId]) -> Result<Readback> {
        let part = |&tensor: &TensorId| {
            let desc = self.recording.find(tensor)?;
            let buffer = self.source(tensor).ok_or_else(|| {
                Error::input(format!("`{}` cannot be read: nothing uses it, or it is a texture", desc.label))
            })?;
            Ok((buffer, self.offset(tensor), 4 * desc.len as u64))
        };
        let parts = tensors.iter().map(part).collect::<Result<Vec<_>>>()?;
        Readback::record(&self.context, encoder, &parts)
    }

    /// Waits for everything submitted, and returns the elements of a tensor as f32. Blocks.
    ///
    /// # Errors
    /// If nothing uses the tensor, it is a texture or from another recording, or the device is lost.
    pub fn read(&self, tensor: TensorId) -> Result<Vec<f32>> {
        let parts = self.read_later(&[tensor])?.wait()?;
        Ok(parts.into_iter().next().unwrap_or_default())
    }

    /// For a plan with sentinels: finds the first tensor outside which a kernel wrote.
    ///
    /// # Errors
    /// If a sentinel changed; the message has the label of the tensor and the offset.
    pub fn check_sentinels(&self) -> Result<()> {
        for (i, desc) in self.recording.tensors.iter().enumerate() {
            if matches!(desc.storage, Storage::View { .. }) {
                continue;
            }
            let Some(buffer) = self.memory.buffer_of[i].and_then(|b| self.allocations[b].buffer()) else { continue };
            let mut encoder = self.context.device().create_command_encoder(&Default::default());
            let readback = Readback::record(&self.context, &mut encoder, &[(buffer, 0, buffer.size())])?;
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

    /// The dispatches, FLOPs, bytes and memory of the plan.
    pub fn summary(&self) -> Summary {
        Summary::new(&self.recording)
    }
}

/// Each kernel of a recording once, in order.
fn kernels(recording: &Recording) -> Vec<Kernel> {
    let mut seen = HashSet::new();
    recording.commands.iter().map(|command| &command.kernel).filter(|kernel| seen.insert(*kernel)).cloned().collect()
}

/// The uniforms of all commands in one buffer, each at an aligned offset.
fn create_params(context: &Context, recording: &Recording, errors: &mut Errors) -> Result<(wgpu::Buffer, Vec<u64>)> {
    let align = context.device().limits().min_uniform_buffer_offset_alignment as usize;
    let mut bytes = Vec::new();
    let mut offsets = Vec::with_capacity(recording.commands.len());
    for command in &recording.commands {
        bytes.resize(bytes.len().next_multiple_of(align), 0);
        offsets.push(bytes.len() as u64);
        bytes.extend_from_slice(&command.params);
    }
    bytes.resize(bytes.len().next_multiple_of(align).max(align), 0);
    let buffer = errors.catch(context.device(), "making the parameters' buffer", || {
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
