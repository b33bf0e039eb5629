//! The only folder that talks to wgpu: adapters, shaders, plans, readback.
//!
//! Ops append commands to a [`Recording`], which is plain data. A [`Plan`] turns it into buffers, pipelines and bind groups once.
//! After that, each step only encodes the list.
//!
//! A function blocks only if its documentation says so. [`Context::new`], [`Plan::new`], [`Plan::read`] and [`Readback::wait`]
//! block; [`Context::request`], [`Plan::prepare`] and [`Readback::read`] do not. The top of `device/compile.rs` explains why safe
//! code cannot make an unchecked kernel reach beyond its tensors.

mod device;
mod image_texture;
mod peak_rates;
mod plan;
mod recording;
mod shader;

pub use bytemuck;
pub use device::{AdapterChoice, Capabilities, Context, describe_adapter, list_adapters};
pub(crate) use image_texture::ImagePainter;
pub use image_texture::ImageTexture;
pub use peak_rates::PeakRates;
#[cfg(test)]
pub(crate) use plan::Memory;
pub use plan::{KernelTime, KernelTotal, Plan, PlanOptions, Readback, RequiredLimits, SectionSummary, Summary};
pub use recording::{Command, Grid, Layout, NoParams, Params, Recording, Sources, TensorId};
pub(crate) use recording::{MAX_ELEMENTS, MAX_WORKGROUPS, VIEW_ALIGN};
pub use shader::CustomKernel;
pub(crate) use shader::Kernel;
#[cfg(test)]
pub(crate) use shader::{Access, SOURCES, Source, reflect};
pub use wgpu::{self, AdapterInfo};
