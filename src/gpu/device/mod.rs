//! Adapter, device and queue, with the pipelines and staging buffers that belong to them.

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

/// The storage textures of a kernel over texels; WebGPU promises four.
const STORAGE_TEXTURES: u32 = 5;

/// The properties of a device on which the choice of kernels depends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// The size of subgroups, if all have the same and the device allows shuffles.
    pub subgroup_size: Option<u32>,
    /// Whether tensors may lie in textures, because this is faster: on software adapters that can read storage textures.
    pub texels: bool,
}

impl Capabilities {
    /// Whether convolutions use texels. Their kernels shuffle between eight lanes.
    pub fn prefers_texels(self) -> bool {
        self.texels && self.subgroup_size == Some(8)
    }
}

/// A device on which to plan and run: its own, or that of a host. Cheap to clone.
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
    /// The reason why the device failed, for a device of our own.
    fault: Arc<Mutex<Option<String>>>,
}

impl Context {
    /// Opens an adapter with WebGPU's default limits, except that buffers may be as large as the adapter allows; and with
    /// timestamps, subgroups and a pipeline cache if it has them.
    ///
    /// # Errors
    /// If no adapter fits (the message lists the available ones), or it gives no device.
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

    /// [`Context::request`], blocking.
    ///
    /// # Errors
    /// Those of [`Context::request`].
    pub fn new(choice: &AdapterChoice) -> Result<Self> {
        pollster::block_on(Self::request(choice))
    }

    /// Remembers why the device fails, so that the next call returns an error and the process does not end.
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

    /// Uses the device and queue of a host. It installs no error handler and no callbacks, and polls only in blocking calls.
    ///
    /// WebGPU's default limits are enough for small batches. For large ones, the host should ask for the adapter's
    /// `max_buffer_size` and `max_storage_buffer_binding_size`. If a buffer is too large, making a [`crate::method::Session`]
    /// fails with the size that it needs.
    ///
    /// Three features are optional: `SUBGROUP` (faster convolutions), `TIMESTAMP_QUERY` ([`super::Plan::profile`]), and on a
    /// software adapter `TEXTURE_ADAPTER_SPECIFIC_FORMAT_FEATURES` with the adapter's `max_storage_textures_per_shader_stage`
    /// (faster convolutions).
    pub fn from_device(device: wgpu::Device, queue: wgpu::Queue) -> Self {
        let info = device.adapter_info();
        let pipelines = Pipelines::new(&device);
        let (staging, fault) = Default::default();
        Self { inner: Arc::new(Inner { device, queue, info, pipelines, staging, fault }) }
    }

    /// A device that computes nothing, with WebGPU's default limits, for checking plans without an adapter.
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

    /// The properties of a device on which the choice of kernels depends.
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

    /// Whether the adapter is software on the processor.
    pub fn is_software(&self) -> bool {
        self.info().device_type == wgpu::DeviceType::Cpu
    }

    /// Whether the adapter shares the memory of the processor.
    pub fn shares_memory(&self) -> bool {
        self.is_software() || self.info().device_type == wgpu::DeviceType::IntegratedGpu
    }

    /// Whether the device has timestamps, which [`super::Plan::profile`] needs.
    pub fn has_timestamps(&self) -> bool {
        self.device().features().contains(wgpu::Features::TIMESTAMP_QUERY)
    }

    /// The pipelines compiled for this device.
    pub(in crate::gpu) fn compiled(&self) -> &Arc<Pipelines> {
        &self.inner.pipelines
    }

    /// Staging buffers for readbacks.
    pub(in crate::gpu) fn staging(&self) -> &Staging {
        &self.inner.staging
    }

    /// Waits for everything submitted so far.
    ///
    /// # Errors
    /// If the device is lost.
    pub fn wait(&self) -> Result<()> {
        let polled = self.device().poll(wgpu::PollType::wait_indefinitely());
        self.check_lost()?;
        polled.map(|_| ()).map_err(|e| Error::Device(format!("waiting for {}: {e}", describe_adapter(self.info()))))
    }

    /// Reports a failed device. A context notices only if it opened the device itself.
    ///
    /// # Errors
    /// If the device failed; the message says why.
    pub fn check_lost(&self) -> Result<()> {
        match &*self.inner.fault.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(why) => Err(Error::Device(format!("{}: {why}", describe_adapter(self.info())))),
            None => Ok(()),
        }
    }
}

impl Context {
    /// Adapter, driver and version of the crate: the key for which compiled code is kept. `None` if this device cannot keep any.
    pub fn pipelines_key(&self) -> Option<String> {
        let info = self.info();
        let key = wgpu::util::pipeline_cache_key(info)?;
        let offered = self.device().features().contains(wgpu::Features::PIPELINE_CACHE);
        offered.then(|| format!("{key}, {}, protogpu {}", describe_adapter(info), env!("CARGO_PKG_VERSION")))
    }

    /// Collects the code that the driver compiles from now on. `kept` is the result of [`Context::pipelines`] in an earlier process;
    /// it is empty the first time. Does nothing if this device cannot keep code, or on a second call.
    ///
    /// # Safety
    /// Drivers trust this data. Its checksum detects damage, missing parts and another key, but no forgery: `kept` must come from
    /// a place to which only those may write who may also run code here.
    ///
    /// # Errors
    /// If `kept` was not made for this key. It is then ignored.
    pub unsafe fn keep_pipelines(&self, kept: &[u8]) -> Result<()> {
        let Some(key) = self.pipelines_key().filter(|_| self.inner.pipelines.driver_cache.get().is_none()) else {
            return Ok(());
        };
        // SAFETY: the caller guarantees it.
        let (cache, taken) = unsafe { DriverCache::begin(self.device(), &key, kept) }?;
        let _ = self.inner.pipelines.driver_cache.set(cache);
        taken
    }

    /// The code that the driver compiled, for [`Context::keep_pipelines`] in a later process; `None` if there is nothing new.
    pub fn pipelines(&self) -> Option<Vec<u8>> {
        let kept = self.inner.pipelines.driver_cache.get().filter(|_| !self.inner.pipelines.is_empty())?;
        kept.sealed(&self.pipelines_key()?)
    }
}
