//! An image of a batch as a texture, which a host can show.

use std::sync::Arc;

use super::device::Context;
use super::device::compile::Pipeline;
use super::device::errors::{Errors, checked};
use super::shader::Kernel;
use crate::error::{Error, Result};
use crate::shape::Shape;

crate::params! {
    /// Mirrors `Params` of shaders/image_texture.wgsl.
    struct ImageTextureParams { image: u32, channels: u32, h: u32, w: u32 }
}

/// An `rgba8unorm` texture, written from a buffer of f32 pixels on the GPU.
///
/// A grey image has equal red, green and blue; an image without a fourth channel has alpha 1. The values are those of a PNG, encoded for
/// display (sRGB). The format does not record the encoding, so a shader must decode the values if it draws to an sRGB target. A target
/// that is not sRGB takes them unchanged.
pub struct ImageTexture {
    view: wgpu::TextureView,
    texture: wgpu::Texture,
    pipeline: Arc<Pipeline>,
    bind_group: wgpu::BindGroup,
    groups: [u32; 2],
}

/// The compiled kernel that writes image textures. With it, making one does not wait for the driver.
pub(crate) struct ImagePainter(Arc<Pipeline>);

impl ImagePainter {
    /// Compiles the kernel. The work begins at once; the returned future waits for its end.
    pub(crate) fn prepare(context: &Context) -> impl Future<Output = Result<Self>> + use<> {
        let kernel = Kernel::new("image_texture", "paint");
        let (context, compiling) = (context.clone(), context.compiled().begin(vec![kernel.clone()]));
        async move {
            compiling.await?;
            context.compiled().get(&kernel, &mut Errors::default()).map(Self)
        }
    }
}

impl ImageTexture {
    /// A texture for image number `image` of `pixels`, `[N,C,H,W]`, of the shape of `x`.
    ///
    /// # Errors
    /// If there are not 1, 3 or 4 channels, or the device refuses the texture.
    pub(crate) fn new(
        context: &Context,
        ImagePainter(pipeline): &ImagePainter,
        pixels: &wgpu::Buffer,
        image: usize,
        x: Shape,
    ) -> Result<Self> {
        let [_, channels, h, w] = x.nchw().map(|n| n as u32);
        if !matches!(channels, 1 | 3 | 4) {
            return Err(Error::input(format!("a texture shows images of 1, 3 or 4 channels, not of {channels}")));
        }
        let params = ImageTextureParams { image: image as u32, channels, h, w };
        let (texture, view, bind_group) = checked(context.device(), "making the image's texture", || {
            let device = context.device();
            let texture = device.create_texture(&wgpu::TextureDescriptor {
                label: Some("protogpu image"),
                size: wgpu::Extent3d { width: params.w, height: params.h, depth_or_array_layers: 1 },
                mip_level_count: 1,
                sample_count: 1,
                dimension: wgpu::TextureDimension::D2,
                format: wgpu::TextureFormat::Rgba8Unorm,
                usage: wgpu::TextureUsages::STORAGE_BINDING
                    | wgpu::TextureUsages::TEXTURE_BINDING
                    | wgpu::TextureUsages::COPY_SRC,
                view_formats: &[],
            });
            let view = texture.create_view(&Default::default());
            let uniform = device.create_buffer(&wgpu::BufferDescriptor {
                label: Some("protogpu image"),
                size: size_of_val(&params) as u64,
                usage: wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST,
                mapped_at_creation: false,
            });
            context.queue().write_buffer(&uniform, 0, bytemuck::bytes_of(&params));
            let resource = |name: &str| match name {
                "x" => pixels.as_entire_binding(),
                "params" => uniform.as_entire_binding(),
                _ => wgpu::BindingResource::TextureView(&view),
            };
            let bindings = &pipeline.reflection.bindings;
            let entries =
                bindings.iter().map(|(name, r)| wgpu::BindGroupEntry { binding: r.binding, resource: resource(name) });
            let bind_group = device.create_bind_group(&wgpu::BindGroupDescriptor {
                label: Some("protogpu image"),
                layout: &pipeline.layout,
                entries: &entries.collect::<Vec<_>>(),
            });
            (texture, view, bind_group)
        })?;
        let [x, y, _] = pipeline.reflection.workgroup;
        let groups = [params.w.div_ceil(x), params.h.div_ceil(y)];
        Ok(Self { view, texture, pipeline: Arc::clone(pipeline), bind_group, groups })
    }

    /// Records a copy of the image, clamped to `[0,1]`, in the state that it has at this point of the encoder.
    pub fn record(&self, encoder: &mut wgpu::CommandEncoder) {
        let descriptor = wgpu::ComputePassDescriptor { label: Some("protogpu image"), timestamp_writes: None };
        let mut pass = encoder.begin_compute_pass(&descriptor);
        pass.set_pipeline(&self.pipeline.pipeline);
        pass.set_bind_group(0, &self.bind_group, &[]);
        pass.dispatch_workgroups(self.groups[0], self.groups[1], 1);
    }

    /// The view for the host's shader to sample.
    pub fn view(&self) -> &wgpu::TextureView {
        &self.view
    }

    /// The texture itself.
    pub fn texture(&self) -> &wgpu::Texture {
        &self.texture
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gpu::Params;
    use crate::gpu::shader::reflect;

    #[test]
    fn the_parameters_are_the_shaders() {
        let reflection = reflect(&Kernel::new("image_texture", "paint")).expect("it is valid");
        let fields: Vec<(&str, usize)> = reflection.fields.iter().map(|(name, at)| (name.as_str(), *at)).collect();
        assert_eq!(fields, ImageTextureParams::FIELDS);
        assert_eq!(reflection.params_size, size_of::<ImageTextureParams>());
        let bindings: Vec<&str> = reflection.bindings.keys().map(String::as_str).collect();
        assert_eq!(bindings, ["params", "texture", "x"]);
    }
}
