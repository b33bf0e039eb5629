//! The memory of tensors on the device: storage buffers, and textures for [`Layout::Texels`].

use std::collections::HashMap;

use super::memory::Memory;
use crate::error::{Error, Result};
use crate::gpu::device::Context;
use crate::gpu::device::errors::Errors;
use crate::gpu::recording::{Layout, Recording, Storage, TEXTURE_WIDTH};

/// The bytes of sentinels before and after a tensor in a buffer; a multiple of every adapter's offset alignment.
pub(super) const GUARD_BYTES: u64 = 256;
pub(super) const SENTINEL: u32 = 0x5AFE_C0DE;

/// The memory of one or more tensors.
pub(super) enum Allocation {
    Buffer(wgpu::Buffer),
    Texture(wgpu::TextureView),
}

impl Allocation {
    pub(super) fn buffer(&self) -> Option<&wgpu::Buffer> {
        match self {
            Self::Buffer(buffer) => Some(buffer),
            Self::Texture(_) => None,
        }
    }
}

/// The contents with which memory begins, unless it holds a constant.
#[derive(Clone, Copy)]
pub(super) struct InitialContents {
    /// The bytes of sentinels around the tensor in each buffer.
    pub(super) guard: u64,
    /// Whether memory begins with NaN and not with zeros.
    pub(super) poison: bool,
}

/// The elements of a constant.
type Make<'a> = &'a (dyn Fn() -> Result<Vec<u32>> + Send + Sync);

/// Allocates the memory of a recording, one tensor at a time, and uploads its constants.
pub(super) fn create(
    context: &Context,
    recording: &Recording,
    memory: &Memory,
    contents: InitialContents,
    errors: &mut Errors,
) -> Result<Vec<Allocation>> {
    let mut label_of: HashMap<usize, &str> = HashMap::new();
    let mut fill_of: HashMap<usize, Make> = HashMap::new();
    for (desc, buffer) in recording.tensors.iter().zip(&memory.buffer_of) {
        let Some(buffer) = *buffer else { continue };
        label_of.entry(buffer).or_insert(&desc.label);
        if let Storage::Constant(make) = &desc.storage {
            fill_of.insert(buffer, make.as_ref());
        }
    }
    let mut allocate = |(i, (&len, &layout)): (usize, (&usize, &Layout))| {
        let label = label_of.get(&i).copied().unwrap_or_default();
        let constant = fill_of.get(&i).map(|make| make()).transpose()?;
        let words = layout.words(len);
        if let Some(found) = constant.as_ref().map(Vec::len).filter(|&found| found != words) {
            return Err(Error::Shader(format!("the constant `{label}` is {found} words and not {words}")));
        }
        match layout {
            Layout::Words => buffer(context, label, len, constant, contents, errors),
            Layout::Texels => texture(context, label, len, constant, contents, errors),
        }
    };
    memory.buffer_len.iter().zip(&memory.buffer_layout).enumerate().map(&mut allocate).collect()
}

fn buffer(
    context: &Context,
    label: &str,
    len: usize,
    constant: Option<Vec<u32>>,
    contents: InitialContents,
    errors: &mut Errors,
) -> Result<Allocation> {
    let size = Layout::Words.bytes(len).max(4) + 2 * contents.guard;
    let most = context.device().limits().max_storage_buffer_binding_size;
    if size > most {
        // Weights have the same size for every batch.
        let cure = if constant.is_some() { "another adapter or a smaller network" } else { "a smaller batch" };
        return Err(Error::input(format!(
            "`{label}` takes {size} bytes in one buffer, but this adapter allows {most}: use {cure}"
        )));
    }
    let mut words = constant.or_else(|| contents.poison.then(|| vec![f32::NAN.to_bits(); len]));
    if let Some(words) = words.as_mut().filter(|_| contents.guard > 0) {
        let around = vec![SENTINEL; (contents.guard / 4) as usize];
        words.splice(0..0, around.iter().copied());
        words.extend(around);
    }
    let usage = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC | wgpu::BufferUsages::COPY_DST;
    errors
        .catch(context.device(), &format!("making a buffer of {size} bytes for `{label}`"), || {
            let mapped = words.is_some();
            let descriptor = wgpu::BufferDescriptor { label: Some(label), size, usage, mapped_at_creation: mapped };
            let buffer = context.device().create_buffer(&descriptor);
            if let Some(words) = &words {
                let bytes: &[u8] = bytemuck::cast_slice(words);
                if let Ok(mut view) = buffer.get_mapped_range_mut(..bytes.len() as u64) {
                    view.copy_from_slice(bytes);
                }
                buffer.unmap();
            }
            buffer
        })
        .map(Allocation::Buffer)
}

fn texture(
    context: &Context,
    label: &str,
    len: usize,
    constant: Option<Vec<u32>>,
    contents: InitialContents,
    errors: &mut Errors,
) -> Result<Allocation> {
    let rows = len.div_ceil(TEXTURE_WIDTH).max(1);
    let most = context.device().limits().max_texture_dimension_2d as usize;
    if rows > most {
        return Err(Error::input(format!(
            "`{label}` takes {rows} rows of {TEXTURE_WIDTH} texels, but this adapter allows {most}: use a smaller batch"
        )));
    }
    let words = constant.or_else(|| contents.poison.then(|| vec![f32::NAN.to_bits(); 4 * len]));
    let extent = |height| wgpu::Extent3d { width: TEXTURE_WIDTH as u32, height, depth_or_array_layers: 1 };
    let size = extent(rows as u32);
    let doing = format!("making a texture of {} bytes for `{label}`", Layout::Texels.bytes(len));
    errors
        .catch(context.device(), &doing, || {
            let texture = context.device().create_texture(&wgpu::TextureDescriptor {
                label: Some(label),
                size,
                mip_level_count: 1,
                sample_count: 1,
                dimension: wgpu::TextureDimension::D2,
                format: wgpu::TextureFormat::Rgba32Float,
                usage: wgpu::TextureUsages::STORAGE_BINDING | wgpu::TextureUsages::COPY_DST,
                view_formats: &[],
            });
            if let Some(mut words) = words {
                words.resize(4 * TEXTURE_WIDTH * rows, 0);
                let bytes_per_row = Some(16 * TEXTURE_WIDTH as u32);
                let layout = wgpu::TexelCopyBufferLayout { offset: 0, bytes_per_row, rows_per_image: None };
                context.queue().write_texture(texture.as_image_copy(), bytemuck::cast_slice(&words), layout, size);
                // Submitting frees the staging memory now, and not after the last texture.
                context.queue().submit([]);
            }
            texture.create_view(&Default::default())
        })
        .map(Allocation::Texture)
}
