//! The only folder that talks to wgpu: adapters, shaders, plans, readback.
//!
//! The path of work: ops append commands to a [`Recording`] (plain data), a [`Plan`] turns it into buffers, pipelines and
//! bind groups once, and every step only encodes the list.

mod allocation;
mod context;
mod limits;
mod memory;
mod peak_rates;
mod pipelines;
mod plan;
mod profile;
mod readback;
mod record;
mod shader;
mod texture;

pub use bytemuck;
pub use context::{AdapterChoice, Capabilities, Context, describe_adapter, list_adapters};
pub use limits::RequiredLimits;
pub use memory::Memory;
pub use peak_rates::PeakRates;
pub use plan::{Plan, PlanOptions, SectionSummary, Summary};
pub use profile::{KernelTime, KernelTotal};
pub use readback::Readback;
pub use record::{
    Binding, Command, Grid, Layout, MAX_WORKGROUPS, NoParams, Params, Recording, Sources, Storage, TEXTURE_WIDTH,
    TensorDesc, TensorId, VIEW_ALIGN,
};
pub use shader::{Access, Kernel, Reflected, Reflection, SOURCES, Source, TextureFormat, TextureUse, reflect};
pub use texture::ImageTexture;
pub use wgpu::{self, AdapterInfo};
