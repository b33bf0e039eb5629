//! Adapter, device, queue, and what is kept with them: pipelines, buffers to read through.

mod adapter;
pub(in crate::gpu) mod compile;
mod driver_cache;
pub(in crate::gpu) mod errors;
pub(in crate::gpu) mod staging;
mod work;

use std::sync::{Arc, Mutex, PoisonError};

pub use adapter::{AdapterChoice, describe_adapter, list_adapters};

use self::compile::Pipelines;
use self::driver_cache::DriverCache;
use self::staging::Staging;
use super::recording::TEXTURE_WIDTH;
use crate::error::{Error, Result};

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
    pipelines: Arc<Pipelines>,
    staging: Staging,
    /// Why the device can no longer be used, where it is our own.
    fault: Arc<Mutex<Option<String>>>,
}

impl Context {
    /// Opens an adapter with WebGPU's default limits, except that buffers may be as large as the adapter allows, and
    /// with timestamps, subgroups and a pipeline cache where it has them.
    ///
    /// # Errors
    /// If no adapter fits (the message lists those there are), or it gives no device.
    pub async fn request(choice: &AdapterChoice) -> Result<Self> {
        let adapter = adapter::request(choice).await?;
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
        let (device, queue) = adapter
            .request_device(&descriptor)
            .await
            .map_err(|e| Error::Device(format!("{} gives no device: {e}", describe_adapter(&info))))?;
        let context = Self::from_device(device, queue);
        context.watch();
        Ok(context)
    }

    /// [`Context::request`], waited for.
    ///
    /// # Errors
    /// As [`Context::request`].
    pub fn new(choice: &AdapterChoice) -> Result<Self> {
        pollster::block_on(Self::request(choice))
    }

    /// Remembers why the device fails, so that the next call says it instead of the process ending.
    fn watch(&self) {
        let remember = |fault: &Arc<Mutex<Option<String>>>, why: String| {
            fault.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(why);
        };
        let fault = Arc::clone(&self.inner.fault);
        self.device().set_device_lost_callback(move |_, _| {
            remember(&fault, "the device was lost: the driver was reset or removed it".into());
        });
        let fault = Arc::clone(&self.inner.fault);
        self.device().on_uncaptured_error(Arc::new(move |error| remember(&fault, error.to_string())));
    }

    /// Lives on a host's device and queue. Nothing of the host's is changed: no error handler, no callbacks, no polling
    /// unless a blocking call asks for it.
    ///
    /// WebGPU's default limits are enough. A large batch needs buffers as large as `max_buffer_size` and
    /// `max_storage_buffer_binding_size` of the adapter, if the host asks for them; making a [`crate::method::Session`] fails with
    /// the size that is missing. Features that are used where the device has them: `SUBGROUP` (faster convolutions),
    /// `TIMESTAMP_QUERY` ([`super::Plan::profile`]), and on a software adapter `TEXTURE_ADAPTER_SPECIFIC_FORMAT_FEATURES` with the
    /// adapter's `max_storage_textures_per_shader_stage` (faster convolutions).
    pub fn from_device(device: wgpu::Device, queue: wgpu::Queue) -> Self {
        let info = device.adapter_info();
        let pipelines = Pipelines::new(&device);
        let (staging, fault) = Default::default();
        Self { inner: Arc::new(Inner { device, queue, info, pipelines, staging, fault }) }
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

    /// What was compiled for this device.
    pub(in crate::gpu) fn compiled(&self) -> &Arc<Pipelines> {
        &self.inner.pipelines
    }

    /// Buffers to read through.
    pub(in crate::gpu) fn staging(&self) -> &Staging {
        &self.inner.staging
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

    /// An error if the device is known to have failed (known for contexts of [`Context::new`]).
    ///
    /// # Errors
    /// Says so, and why.
    pub fn check_lost(&self) -> Result<()> {
        match &*self.inner.fault.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(why) => Err(Error::Device(format!("{}: {why}", describe_adapter(self.info())))),
            None => Ok(()),
        }
    }
}

impl Context {
    /// Adapter, driver and version of the crate: kept data is for this key only. `None` where nothing can be kept.
    pub fn pipelines_key(&self) -> Option<String> {
        let info = self.info();
        let key = wgpu::util::pipeline_cache_key(info)?;
        let offered = self.device().features().contains(wgpu::Features::PIPELINE_CACHE);
        offered.then(|| format!("{key}, {}, protogpu {}", describe_adapter(info), env!("CARGO_PKG_VERSION")))
    }

    /// Collects what the driver compiles from now on, beyond what [`Context::pipelines`] gave in another process; `kept` is
    /// empty the first time. Does nothing where nothing can be kept, nor when called again.
    ///
    /// # Safety
    /// Drivers trust this data. Its checksum tells what is damaged, cut off or of another key, but no forgery: `kept` must
    /// come from where only those write who may run code here.
    ///
    /// # Errors
    /// If `kept` is not what was given for this key; it is then left out.
    pub unsafe fn keep_pipelines(&self, kept: &[u8]) -> Result<()> {
        let Some(key) = self.pipelines_key().filter(|_| self.inner.pipelines.driver_cache.get().is_none()) else {
            return Ok(());
        };
        // SAFETY: the caller vouches for it.
        let (cache, taken) = unsafe { DriverCache::begin(self.device(), &key, kept) }?;
        let _ = self.inner.pipelines.driver_cache.set(cache);
        taken
    }

    /// What the driver compiled, for [`Context::keep_pipelines`] of another process; `None` if that is nothing new.
    pub fn pipelines(&self) -> Option<Vec<u8>> {
        let kept = self.inner.pipelines.driver_cache.get().filter(|_| !self.inner.pipelines.is_empty())?;
        kept.sealed(&self.pipelines_key()?)
    }
}
