//! Lists and chooses adapters.

use crate::error::{Error, Result};

/// The choice of an adapter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum AdapterChoice {
    /// The fastest kind available: discrete, integrated, virtual, then software. `WGPU_ADAPTER_NAME` narrows the choice.
    #[default]
    Best,
    /// By its index in [`list_adapters`].
    Index(usize),
    /// The first whose name or driver contains this text, ignoring case.
    Name(String),
}

impl std::str::FromStr for AdapterChoice {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> std::result::Result<Self, Self::Err> {
        Ok(text.parse().map_or_else(|_| Self::Name(text.to_owned()), Self::Index))
    }
}

const USUAL_BACKENDS: wgpu::Backends = wgpu::Backends::VULKAN.union(wgpu::Backends::METAL).union(wgpu::Backends::DX12);

fn instance() -> wgpu::Instance {
    let mut descriptor = wgpu::InstanceDescriptor::new_without_display_handle_from_env();
    // The noop backend answers every request and computes nothing, so it must be asked for by name.
    if std::env::var_os("WGPU_BACKEND").is_none() {
        descriptor.backends = USUAL_BACKENDS;
    }
    wgpu::Instance::new(descriptor)
}

async fn enumerate() -> Vec<wgpu::Adapter> {
    instance().enumerate_adapters(wgpu::Backends::all()).await
}

/// Every adapter that can be chosen, by index. Waits for the drivers.
pub fn list_adapters() -> Vec<wgpu::AdapterInfo> {
    pollster::block_on(enumerate()).iter().map(wgpu::Adapter::get_info).collect()
}

/// The chosen adapter.
///
/// # Errors
/// If there is none; the message lists the available adapters.
pub(super) async fn request(choice: &AdapterChoice) -> Result<wgpu::Adapter> {
    choose(enumerate().await, choice)
}

/// One line: name, kind, backend and driver.
pub fn describe_adapter(info: &wgpu::AdapterInfo) -> String {
    let driver = format!("{} {}", info.driver, info.driver_info);
    format!("{} ({:?}, {}, {})", info.name, info.device_type, info.backend, driver.trim())
}

const NO_ADAPTER: &str = "no graphics adapter with Vulkan, Metal or DX12 was found. Install your card's driver, or a \
    software one: on Debian and Ubuntu `apt-get install mesa-vulkan-drivers libvulkan1`, on Fedora \
    `dnf install mesa-vulkan-drivers vulkan-loader`, on Arch `pacman -S vulkan-swrast vulkan-icd-loader`";

fn listed(adapters: &[wgpu::Adapter]) -> String {
    adapters.iter().enumerate().map(|(i, a)| format!("\n  {i}: {}", describe_adapter(&a.get_info()))).collect()
}

/// Why there is no adapter: `WGPU_BACKEND` leaves none, or the machine has none.
fn none_found() -> String {
    let Some(backend) = std::env::var_os("WGPU_BACKEND") else { return NO_ADAPTER.to_owned() };
    let without = wgpu::Instance::new(wgpu::InstanceDescriptor {
        backends: USUAL_BACKENDS,
        ..wgpu::InstanceDescriptor::new_without_display_handle()
    });
    let others = pollster::block_on(without.enumerate_adapters(USUAL_BACKENDS));
    if others.is_empty() {
        return NO_ADAPTER.to_owned();
    }
    format!(
        "WGPU_BACKEND is `{}`, and no adapter has such a backend: set vulkan, metal or dx12, or unset it. Without it, the \
         adapters are:{}",
        backend.to_string_lossy(),
        listed(&others)
    )
}

fn choose(adapters: Vec<wgpu::Adapter>, choice: &AdapterChoice) -> Result<wgpu::Adapter> {
    if adapters.is_empty() {
        return Err(Error::NoAdapter(none_found()));
    }
    let list = listed(&adapters);
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
