//! Commands of a recording: which kernel, over which tensors, with which parameters, on how many workgroups.

use super::TensorId;
use crate::gpu::shader::Kernel;

/// One tensor as one kernel's binding.
#[derive(Clone, Debug)]
pub(crate) struct Binding {
    /// The variable's name in the shader.
    pub(crate) name: &'static str,
    /// What is bound.
    pub(crate) tensor: TensorId,
    /// How many elements the kernel may touch; a smaller tensor is refused.
    pub(crate) len: usize,
}

/// A uniform struct that mirrors one in a shader, field by field.
pub trait Params: bytemuck::Pod {
    /// Field names and byte offsets, in order, as in WGSL's `struct Params`.
    const FIELDS: &'static [(&'static str, usize)];
}

/// For kernels without a uniform.
#[derive(Clone, Copy, Debug, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub struct NoParams;

impl Params for NoParams {
    const FIELDS: &'static [(&'static str, usize)] = &[];
}

/// How many workgroups a dispatch has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grid {
    /// One invocation for each of so many elements; shaders find theirs with `flat_index` of `shaders/lib/index.wgsl`.
    Each(usize),
    /// One invocation for each element of so many planes: column, row and plane are x, y and z of its global id, which
    /// spares the divisions of a flat index (dear on software adapters).
    Planes {
        /// N·C, or N where an invocation handles all channels.
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
    /// The fields of `params`, compared with the shader's.
    pub(crate) fields: &'static [(&'static str, usize)],
    pub(crate) grid: Grid,
    pub(crate) flops: u64,
}

impl Command {
    /// The layer or part of the step that it belongs to.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// The shader's file in `shaders/` without `.wgsl`, or a custom kernel's name.
    pub fn shader(&self) -> &'static str {
        self.kernel.source.name()
    }

    /// What is bound to a variable of the shader.
    pub fn tensor(&self, name: &str) -> Option<TensorId> {
        self.bindings.iter().find(|binding| binding.name == name).map(|binding| binding.tensor)
    }

    /// How many workgroups.
    pub fn grid(&self) -> Grid {
        self.grid
    }

    /// Floating-point operations that the mathematics needs (not what padding adds).
    pub fn flops(&self) -> u64 {
        self.flops
    }
}

/// The most workgroups a dispatch may have along one dimension (WebGPU's default limit).
pub(crate) const MAX_WORKGROUPS: usize = 65_535;

/// Declares a uniform struct and its mirror list. The WGSL side is `struct Params` in the shader it is dispatched with.
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
