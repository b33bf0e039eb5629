//! Converts between buffers, `[N,C,H,W]`, and texels: textures `[N,⌈C/4⌉,H,W]` of vec4f, four channels each.

use super::{Format, GradEpilogue, Tensor, nchw, same};
use crate::error::Result;
use crate::gpu::{Grid, Kernel, Layout, MAX_WORKGROUPS, Recording};

crate::params! {
    /// Mirrors `Params` of shaders/texels.wgsl.
    struct TexelsParams {
        channels: u32, channel_offset: u32, channel_stride: u32, quads: u32, plane: u32, relu: u32, epilogue: u32,
    }
}

crate::params! {
    /// Mirrors `Params` of shaders/finish_texels.wgsl and relu_texels.wgsl.
    pub(super) struct PlaneParams { quads: u32, plane: u32 }
}

impl PlaneParams {
    pub(super) fn of(x: Tensor) -> Self {
        Self { quads: x.shape.c().div_ceil(4) as u32, plane: x.shape.plane_len() as u32 }
    }
}

/// The parameters; x is the tensor in a buffer.
fn params(x: Tensor, relu: bool, epilogue: GradEpilogue) -> TexelsParams {
    let [channel_offset, channel_stride] = x.offset_and_stride();
    TexelsParams {
        channels: x.shape.c() as u32,
        channel_offset,
        channel_stride,
        quads: x.shape.c().div_ceil(4) as u32,
        plane: x.shape.plane_len() as u32,
        relu: u32::from(relu),
        epilogue: epilogue.flags(),
    }
}

/// The largest plane, in elements, for kernels over texels: a plane is one row of the grid, with eight positions per workgroup.
pub const TEXELS_MAX_PLANE: usize = 8 * MAX_WORKGROUPS;

/// One invocation per texel.
pub(super) fn grid(x: Tensor) -> Grid {
    Grid::Planes { planes: x.shape.n(), h: x.shape.c().div_ceil(4), w: x.shape.plane_len() }
}

/// x as texels, or x itself if it has that format already.
///
/// # Errors
/// If a tensor is shorter than its shape.
pub fn pack(rec: &mut Recording, label: &str, x: Tensor) -> Result<Tensor> {
    if x.format == Format::Texels {
        return Ok(x);
    }
    nchw("texels", label, x.shape)?;
    let packed = Tensor::transient_texels(rec, &format!("{label} packed"), x.shape);
    let bindings = [x.bind_stored("x"), packed.bind("packed")];
    let params = params(x, false, GradEpilogue::default());
    rec.dispatch(&format!("{label} pack"), Kernel::new("texels", "pack"), &bindings, &params, grid(x), 0)?;
    Ok(packed)
}

/// `y = relu(epilogue(x))`: x is texels, y and the tensors of the epilogue are buffers.
///
/// # Errors
/// If a tensor is shorter than its shape.
pub fn unpack(
    rec: &mut Recording,
    label: &str,
    x: Tensor,
    y: Tensor,
    epilogue: GradEpilogue,
    relu: bool,
) -> Result<()> {
    same("unpack", label, ["x", "y"], x.shape, y.shape)?;
    // A part of the epilogue that does not apply is bound to a buffer that the kernel does not write.
    let spare = match epilogue.add.or(epilogue.mask) {
        Some(id) => id,
        None => rec.table("zero", Layout::Words, vec![0]),
    };
    let [add, mask] = epilogue.bind(spare, y.shape.len());
    let bindings = [x.bind("texels"), y.bind_stored("y"), add, mask];
    let params = params(y, relu, epilogue);
    rec.dispatch(&format!("{label} unpack"), Kernel::new("texels", "unpack"), &bindings, &params, grid(x), 0)
}

/// `y = relu(epilogue(x))`, the relu only if `relu`: all are texels.
pub(super) fn finish_texels(
    rec: &mut Recording,
    label: &str,
    x: Tensor,
    y: Tensor,
    epilogue: GradEpilogue,
    relu: bool,
) -> Result<()> {
    same("finish_texels", label, ["x", "y"], x.shape, y.shape)?;
    let [add, mask] = epilogue.bind(x.id, x.stored_len());
    let kernel = Kernel::new("finish_texels", "forward").with("EPILOGUE", epilogue.flags());
    let kernel = if relu { kernel.with("RELU", 1) } else { kernel };
    let bindings = [x.bind("x"), y.bind("y"), add, mask];
    rec.dispatch(label, kernel, &bindings, &PlaneParams::of(x), grid(x), 0)
}
