//! Adapter, device, queue, and the pipelines made on them.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use super::pipelines::Pipelines;
use super::record::TEXTURE_WIDTH;
use super::shader::{Access, Kernel, Reflection, Source, TextureFormat, TextureUse, reflect};
use crate::error::{Error, Result};

/// Which adapter to take.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum AdapterChoice {
    /// The fastest kind there is: discrete, integrated, virtual, then software. `WGPU_ADAPTER_NAME` narrows it.
    #[default]
    Best,
    /// By its place in [`list_adapters`].
    Index(usize),
    /// The first whose name or driver contains this text, whatever its case.
    Name(String),
}

impl std::str::FromStr for AdapterChoice {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> std::result::Result<Self, Self::Err> {
        Ok(text.parse().map_or_else(|_| Self::Name(text.to_owned()), Self::Index))
    }
}

/// Storage textures that a kernel over texels may have; WebGPU promises four.
const STORAGE_TEXTURES: u32 = 5;

/// What the choice of kernels depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// The size of every subgroup, where it is the same for all and shuffles are allowed.
    pub subgroup_size: Option<u32>,
    /// Whether tensors lie in textures where that is faster: on software adapters that can read storage textures.
    pub texels: bool,
}

impl Capabilities {
    /// Whether convolutions go over texels: their kernels shuffle between eight lanes.
    pub fn prefers_texels(self) -> bool {
        self.texels && self.subgroup_size == Some(8)
    }
}

/// A device to plan and run on: one of its own, or a host's. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Context {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    device: wgpu::Device,
    queue: wgpu::Queue,
    info: wgpu::AdapterInfo,
    kernels: Mutex<HashMap<Kernel, Arc<Pipeline>>>,
    kept: OnceLock<Pipelines>,
    lost: Arc<AtomicBool>,
}

/// A kernel on a device.
#[derive(Debug)]
pub(super) struct Pipeline {
    pub(super) pipeline: wgpu::ComputePipeline,
    pub(super) layout: wgpu::BindGroupLayout,
    pub(super) reflection: Reflection,
}

fn instance() -> wgpu::Instance {
    let mut descriptor = wgpu::InstanceDescriptor::new_without_display_handle_from_env();
    // The noop backend answers every request and computes nothing: only for those who ask for it by name.
    if std::env::var_os("WGPU_BACKEND").is_none() {
        descriptor.backends = wgpu::Backends::VULKAN | wgpu::Backends::METAL | wgpu::Backends::DX12;
    }
    wgpu::Instance::new(descriptor)
}

fn enumerate(instance: &wgpu::Instance) -> Vec<wgpu::Adapter> {
    pollster::block_on(instance.enumerate_adapters(wgpu::Backends::all()))
}

/// Every adapter that can be chosen, in the order of their indices.
pub fn list_adapters() -> Vec<wgpu::AdapterInfo> {
    enumerate(&instance()).iter().map(wgpu::Adapter::get_info).collect()
}

/// One line: name, kind, backend and driver.
pub fn describe_adapter(info: &wgpu::AdapterInfo) -> String {
    let driver = format!("{} {}", info.driver, info.driver_info);
    format!("{} ({:?}, {}, {})", info.name, info.device_type, info.backend, driver.trim())
}

const NO_ADAPTER: &str = "no graphics adapter with Vulkan, Metal or DX12 was found. Install your card's driver, or a \
    software one: on Debian and Ubuntu `apt-get install mesa-vulkan-drivers libvulkan1`, on Fedora \
    `dnf install mesa-vulkan-drivers vulkan-loader`, on Arch `pacman -S vulkan-swrast vulkan-icd-loader`";

fn choose(adapters: Vec<wgpu::Adapter>, choice: &AdapterChoice) -> Result<wgpu::Adapter> {
    if adapters.is_empty() {
        return Err(Error::NoAdapter(NO_ADAPTER.to_owned()));
    }
    let list = adapters.iter().enumerate().map(|(i, a)| format!("\n  {i}: {}", describe_adapter(&a.get_info())));
    let list: String = list.collect();
    let named = |name: &str| {
        let name = name.to_lowercase();
        adapters.iter().position(|a| describe_adapter(&a.get_info()).to_lowercase().contains(&name))
    };
    let rank = |a: &wgpu::Adapter| match a.get_info().device_type {
        wgpu::DeviceType::DiscreteGpu => 0,
        wgpu::DeviceType::IntegratedGpu => 1,
        wgpu::DeviceType::VirtualGpu => 2,
        wgpu::DeviceType::Cpu => 3,
        wgpu::DeviceType::Other => 4,
    };
    let (found, wanted) = match choice {
        AdapterChoice::Index(i) => ((*i < adapters.len()).then_some(*i), i.to_string()),
        AdapterChoice::Name(name) => (named(name), format!("`{name}`")),
        AdapterChoice::Best => match std::env::var("WGPU_ADAPTER_NAME") {
            Ok(name) => (named(&name), format!("`{name}` (WGPU_ADAPTER_NAME)")),
            Err(_) => ((0..adapters.len()).min_by_key(|&i| rank(&adapters[i])), String::new()),
        },
    };
    let found =
        found.ok_or_else(|| Error::NoAdapter(format!("there is no adapter {wanted}; the adapters are:{list}")))?;
    Ok(adapters.into_iter().nth(found).expect("the index was just found"))
}

impl Context {
    /// Opens an adapter with WebGPU's default limits, except that buffers may be as large as the adapter allows, and
    /// with timestamps, subgroups and a pipeline cache where it has them.
    ///
    /// # Errors
    /// If no adapter fits (the message lists those there are), or it gives no device.
    pub fn new(choice: &AdapterChoice) -> Result<Self> {
        let adapter = choose(enumerate(&instance()), choice)?;
        let info = adapter.get_info();
        let wanted = wgpu::Features::TIMESTAMP_QUERY
            | wgpu::Features::SUBGROUP
            | wgpu::Features::PIPELINE_CACHE
            | wgpu::Features::TEXTURE_ADAPTER_SPECIFIC_FORMAT_FEATURES;
        let offered = adapter.limits();
        let limits = wgpu::Limits {
            max_buffer_size: offered.max_buffer_size,
            max_storage_buffer_binding_size: offered.max_storage_buffer_binding_size,
            max_storage_textures_per_shader_stage: offered.max_storage_textures_per_shader_stage.min(STORAGE_TEXTURES),
            ..wgpu::Limits::default()
        };
        let descriptor = wgpu::DeviceDescriptor {
            label: Some("protogpu"),
            required_features: adapter.features() & wanted,
            required_limits: limits,
            memory_hints: wgpu::MemoryHints::MemoryUsage,
            ..Default::default()
        };
        let (device, queue) = pollster::block_on(adapter.request_device(&descriptor))
            .map_err(|e| Error::Device(format!("{} gives no device: {e}", describe_adapter(&info))))?;
        let context = Self::from_device(device, queue);
        let lost = Arc::clone(&context.inner.lost);
        context.device().set_device_lost_callback(move |_, _| lost.store(true, Ordering::Relaxed));
        Ok(context)
    }

    /// Lives on a host's device and queue. Nothing of the host's is changed: no error handler, no callbacks, no polling
    /// unless a blocking call asks for it.
    ///
    /// WebGPU's default limits are enough. A large batch needs buffers as large as `max_buffer_size` and
    /// `max_storage_buffer_binding_size` of the adapter, if the host asks for them; making an [`crate::method::Optimizer`] fails with
    /// the size that is missing. Features that are used where the device has them: `SUBGROUP` (faster convolutions),
    /// `TIMESTAMP_QUERY` ([`super::Plan::profile`]), and on a software adapter `TEXTURE_ADAPTER_SPECIFIC_FORMAT_FEATURES` with the
    /// adapter's `max_storage_textures_per_shader_stage` (faster convolutions).
    pub fn from_device(device: wgpu::Device, queue: wgpu::Queue) -> Self {
        let info = device.adapter_info();
        let (kernels, kept, lost) = Default::default();
        Self { inner: Arc::new(Inner { device, queue, info, kernels, kept, lost }) }
    }

    /// A device that computes nothing, with WebGPU's default limits: for checking plans where there is no adapter.
    pub fn noop() -> Self {
        let descriptor = wgpu::DeviceDescriptor { required_limits: wgpu::Limits::default(), ..Default::default() };
        let (device, queue) = wgpu::Device::noop(&descriptor);
        Self::from_device(device, queue)
    }

    /// The device.
    pub fn device(&self) -> &wgpu::Device {
        &self.inner.device
    }

    /// The queue.
    pub fn queue(&self) -> &wgpu::Queue {
        &self.inner.queue
    }

    /// Name, driver and backend of the adapter.
    pub fn info(&self) -> &wgpu::AdapterInfo {
        &self.inner.info
    }

    /// What the choice of kernels depends on.
    pub fn capabilities(&self) -> Capabilities {
        let info = self.info();
        let same = info.subgroup_min_size == info.subgroup_max_size;
        let usable = same && self.device().features().contains(wgpu::Features::SUBGROUP);
        let readable = self.device().features().contains(wgpu::Features::TEXTURE_ADAPTER_SPECIFIC_FORMAT_FEATURES)
            && self.device().limits().max_storage_textures_per_shader_stage >= STORAGE_TEXTURES
            && self.device().limits().max_texture_dimension_2d as usize >= TEXTURE_WIDTH;
        Capabilities {
            subgroup_size: usable.then_some(info.subgroup_max_size),
            texels: readable && info.device_type == wgpu::DeviceType::Cpu,
        }
    }

    /// Whether the adapter is the processor itself.
    pub fn is_software(&self) -> bool {
        self.info().device_type == wgpu::DeviceType::Cpu
    }

    /// Whether the adapter's memory is the processor's own.
    pub fn shares_memory(&self) -> bool {
        self.is_software() || self.info().device_type == wgpu::DeviceType::IntegratedGpu
    }

    /// Whether the device has the timestamps that [`super::Plan::profile`] needs.
    pub fn has_timestamps(&self) -> bool {
        self.device().features().contains(wgpu::Features::TIMESTAMP_QUERY)
    }

    /// The pipeline of a kernel, made at its first use.
    pub(super) fn pipeline(&self, kernel: &Kernel) -> Result<Arc<Pipeline>> {
        let mut kernels = self.inner.kernels.lock().unwrap_or_else(PoisonError::into_inner);
        match kernels.entry(kernel.clone()) {
            Entry::Occupied(entry) => Ok(Arc::clone(entry.get())),
            Entry::Vacant(entry) => Ok(Arc::clone(entry.insert(Arc::new(self.build(kernel)?)))),
        }
    }

    /// Whether any pipeline was made.
    pub(super) fn has_compiled(&self) -> bool {
        !self.inner.kernels.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    pub(super) fn kept_pipelines(&self) -> &OnceLock<Pipelines> {
        &self.inner.kept
    }

    fn build(&self, kernel: &Kernel) -> Result<Pipeline> {
        let reflection = reflect(kernel)?;
        let label = kernel.to_string();
        let text = kernel.source.resolve()?;
        let checks = match kernel.source {
            Source::Builtin(_) => wgpu::ShaderRuntimeChecks {
                bounds_checks: false,
                force_loop_bounding: false,
                ..wgpu::ShaderRuntimeChecks::checked()
            },
            // A custom op's shader is not ours to vouch for.
            Source::Custom(..) => wgpu::ShaderRuntimeChecks::checked(),
        };
        let descriptor =
            wgpu::ShaderModuleDescriptor { label: Some(&label), source: wgpu::ShaderSource::Wgsl(text.into()) };
        let device = self.device();
        self.checked(&format!("compiling {label}"), || {
            // SAFETY: a custom shader keeps all checks. In the crate's own, every loop has a bound that the invocation does
            // not change, and every index is below an extent that `Recording::dispatch` compares with the tensor's length
            // (the op tests surround each buffer with sentinels to see that).
            let module = unsafe { device.create_shader_module_trusted(descriptor, checks) };
            let layout = device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
                label: Some(&label),
                entries: &reflection.bindings.values().map(layout_entry).collect::<Vec<_>>(),
            });
            let pipeline_layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
                label: Some(&label),
                bind_group_layouts: &[Some(&layout)],
                immediate_size: 0,
            });
            let constants: Vec<_> = kernel.overrides.iter().map(|&(n, v)| (n, f64::from(v))).collect();
            let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
                label: Some(&label),
                layout: Some(&pipeline_layout),
                module: &module,
                entry_point: Some(kernel.entry),
                compilation_options: wgpu::PipelineCompilationOptions {
                    constants: &constants,
                    zero_initialize_workgroup_memory: false,
                },
                cache: self.inner.kept.get().map(|kept| &kept.cache),
            });
            Pipeline { pipeline, layout, reflection }
        })
    }

    /// Runs `make` and turns what the device refused in it into an [`Error::Device`] that says what was being done.
    pub(crate) fn checked<T>(&self, doing: &str, make: impl FnOnce() -> T) -> Result<T> {
        let device = self.device();
        let scopes = [wgpu::ErrorFilter::Validation, wgpu::ErrorFilter::OutOfMemory, wgpu::ErrorFilter::Internal]
            .map(|filter| device.push_error_scope(filter));
        let made = make();
        let mut first = None;
        for scope in scopes.into_iter().rev() {
            first = first.or(pollster::block_on(scope.pop()));
        }
        match first {
            None => Ok(made),
            Some(wgpu::Error::OutOfMemory { .. }) => Err(Error::OutOfMemory(format!(
                "the adapter ran out of memory while {doing}: use a smaller --batch, or close other programs"
            ))),
            Some(error) => Err(Error::Device(format!("while {doing}: {error}"))),
        }
    }

    /// Waits until everything submitted so far is done.
    ///
    /// # Errors
    /// If the device is lost.
    pub fn wait(&self) -> Result<()> {
        let polled = self.device().poll(wgpu::PollType::wait_indefinitely());
        self.check_lost()?;
        polled.map(|_| ()).map_err(|e| Error::Device(format!("waiting for {}: {e}", describe_adapter(self.info()))))
    }

    /// An error if the device is known to be lost (known for contexts of [`Context::new`]).
    pub fn check_lost(&self) -> Result<()> {
        if self.inner.lost.load(Ordering::Relaxed) {
            let adapter = describe_adapter(self.info());
            return Err(Error::Device(format!("the device was lost ({adapter}): the driver was reset or removed it")));
        }
        Ok(())
    }
}

fn layout_entry(reflected: &super::shader::Reflected) -> wgpu::BindGroupLayoutEntry {
    let buffer = |ty| wgpu::BindingType::Buffer { ty, has_dynamic_offset: false, min_binding_size: None };
    let ty = match reflected.access {
        Access::Uniform => buffer(wgpu::BufferBindingType::Uniform),
        Access::Read => buffer(wgpu::BufferBindingType::Storage { read_only: true }),
        Access::ReadWrite => buffer(wgpu::BufferBindingType::Storage { read_only: false }),
        Access::Texture(format, usage) => wgpu::BindingType::StorageTexture {
            access: match usage {
                TextureUse::Read => wgpu::StorageTextureAccess::ReadOnly,
                TextureUse::Write => wgpu::StorageTextureAccess::WriteOnly,
            },
            format: match format {
                TextureFormat::Rgba8Unorm => wgpu::TextureFormat::Rgba8Unorm,
                TextureFormat::Rgba32Float => wgpu::TextureFormat::Rgba32Float,
            },
            view_dimension: wgpu::TextureViewDimension::D2,
        },
    };
    wgpu::BindGroupLayoutEntry { binding: reflected.binding, visibility: wgpu::ShaderStages::COMPUTE, ty, count: None }
}
