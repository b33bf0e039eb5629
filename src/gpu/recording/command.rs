//! Commands of a recording: a kernel, its tensors, its parameters, and the number of workgroups.

use super::TensorId;
use crate::gpu::shader::Kernel;

/// A tensor bound to a kernel.
#[derive(Clone, Debug)]
pub(crate) struct Binding {
    /// The name of the variable in the shader.
    pub(crate) name: &'static str,
    /// The bound tensor.
    pub(crate) tensor: TensorId,
    /// The number of elements that the kernel may touch. The recording refuses a smaller tensor.
    pub(crate) len: usize,
}

/// A uniform struct that mirrors one in a shader, field by field.
pub trait Params: bytemuck::Pod {
    /// Field names and byte offsets, in order, as in `struct Params` of the shader.
    const FIELDS: &'static [(&'static str, usize)];
}

/// For kernels without a uniform.
#[derive(Clone, Copy, Debug, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub struct NoParams;

impl Params for NoParams {
    const FIELDS: &'static [(&'static str, usize)] = &[];
}

/// The number of workgroups of a dispatch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grid {
    /// One invocation for each of this many elements. Shaders find their element with `flat_index` of `shaders/lib/index.wgsl`.
    Each(usize),
    /// One invocation for each element of several planes: x, y and z of its global id are column, row and plane. This avoids the
    /// divisions of a flat index, which are slow on software adapters.
    Planes {
        /// N·C, or N if an invocation handles all channels.
        planes: usize,
        /// Rows.
        h: usize,
        /// Columns.
        w: usize,
    },
    /// Workgroups in x, y and z.
    Workgroups([usize; 3]),
}

impl Grid {
    /// Workgroups in x, y and z for a kernel whose workgroup has `size` invocations along x.
    pub fn workgroups(self, size: u32) -> [usize; 3] {
        match self {
            Self::Workgroups(groups) => groups,
            Self::Planes { planes, h, w } => [w.div_ceil(size as usize), h, planes],
            Self::Each(len) => {
                let groups = len.div_ceil(size as usize).max(1);
                let x = groups.min(MAX_WORKGROUPS);
                [x, groups.div_ceil(x), 1]
            }
        }
    }
}

/// One dispatch.
#[derive(Clone, Debug)]
pub struct Command {
    pub(crate) label: String,
    pub(crate) kernel: Kernel,
    /// Storage buffers and textures by name.
    pub(crate) bindings: Vec<Binding>,
    /// The uniform `params`, if the kernel has one.
    pub(crate) params: Vec<u8>,
    /// The fields of `params`, which a plan compares with those of the shader.
    pub(crate) fields: &'static [(&'static str, usize)],
    pub(crate) grid: Grid,
    pub(crate) flops: u64,
}

impl Command {
    /// The layer or the part of the step to which it belongs.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// The file of the shader in `shaders/`, without `.wgsl`, or the name of a custom kernel.
    pub fn shader(&self) -> &'static str {
        self.kernel.source.name()
    }

    /// The tensor bound to a variable of the shader.
    pub fn tensor(&self, name: &str) -> Option<TensorId> {
        self.bindings.iter().find(|binding| binding.name == name).map(|binding| binding.tensor)
    }

    /// The number of workgroups.
    pub fn grid(&self) -> Grid {
        self.grid
    }

    /// Floating-point operations that the mathematics needs, without those that padding adds.
    pub fn flops(&self) -> u64 {
        self.flops
    }
}

/// The most workgroups a dispatch may have along one dimension (WebGPU's default limit).
pub(crate) const MAX_WORKGROUPS: usize = 65_535;

/// Declares a struct that mirrors `struct Params` of a shader, with the list of its fields.
#[macro_export]
macro_rules! params {
    ($(#[$meta:meta])* $vis:vis struct $name:ident { $($field:ident: $ty:ty),* $(,)? }) => {
        $(#[$meta])*
        #[repr(C)]
        #[derive(Clone, Copy, Debug, $crate::gpu::bytemuck::Pod, $crate::gpu::bytemuck::Zeroable)]
        #[bytemuck(crate = "::protogpu::gpu::bytemuck")]
        $vis struct $name { $($vis $field: $ty),* }

        impl $crate::gpu::Params for $name {
            const FIELDS: &'static [(&'static str, usize)] =
                &[$((stringify!($field), ::std::mem::offset_of!($name, $field))),*];
        }
    };
}
