//! Work as plain data: tensors and dispatches, without a wgpu type in sight.
//!
//! Ops write [`Command`]s into a [`Recording`]; [`super::Plan`] makes buffers, pipelines and bind groups of it, once.

use std::any::Any;
use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use super::shader::Kernel;
use crate::error::{Error, Result};

/// A tensor of a [`Recording`]: a handle, meaningful in that recording only.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub struct TensorId(pub(crate) u32);

/// Where a tensor's elements come from and how long they live.
#[derive(Clone)]
pub enum Storage {
    /// Written and read within one section; its memory is shared with others whose lifetimes do not overlap.
    Transient,
    /// Keeps its elements between steps and may be read and written from outside. Starts as zeros.
    Kept,
    /// Never changes; made when the plan is built, one at a time, so that packed weights are not all in memory twice.
    Constant(Arc<dyn Fn() -> Result<Vec<u32>> + Send + Sync>),
    /// Some elements of another tensor, in place.
    View {
        /// The tensor whose elements they are, which is no view itself.
        of: TensorId,
        /// The element with which they begin, a multiple of [`VIEW_ALIGN`].
        first: usize,
    },
}

/// Elements of a tensor at whose multiples a view may begin: as many as WebGPU's default alignment of storage buffers' offsets.
pub const VIEW_ALIGN: usize = 64;

/// What a tensor's elements are, and in what they lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Layout {
    /// Words of 32 bits in a storage buffer.
    Words,
    /// `vec4f` in a texture, [`TEXTURE_WIDTH`] to a row. Software adapters fetch a texel several times faster than they
    /// load from a buffer. Shaders address it with `texel` of `shaders/lib/texels.wgsl`.
    Texels,
}

impl Layout {
    /// Bytes that `len` elements take.
    pub fn bytes(self, len: usize) -> u64 {
        match self {
            Self::Words => 4 * len as u64,
            Self::Texels => 16 * len.next_multiple_of(TEXTURE_WIDTH) as u64,
        }
    }
}

/// Texels in a row of a tensor's texture; a power of two that every adapter allows.
pub const TEXTURE_WIDTH: usize = 4096;

/// Name, size and storage of one tensor.
#[derive(Clone)]
pub struct TensorDesc {
    /// What it is, for labels and messages: `layer1.0.conv1 y`.
    pub label: String,
    /// Number of elements.
    pub len: usize,
    /// What the elements are.
    pub layout: Layout,
    /// Where its elements come from.
    pub storage: Storage,
}

/// One tensor as one kernel's binding.
#[derive(Clone, Debug)]
pub struct Binding {
    /// The variable's name in the shader.
    pub name: &'static str,
    /// What is bound.
    pub tensor: TensorId,
    /// How many elements the kernel may touch; the plan refuses a smaller tensor.
    pub len: usize,
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
    /// The layer or part of the step that it belongs to.
    pub label: String,
    /// Shader, entry point and overrides.
    pub kernel: Kernel,
    /// Storage buffers and textures by name.
    pub bindings: Vec<Binding>,
    /// The uniform `params`, if the kernel has one.
    pub params: Vec<u8>,
    /// The fields of `params`, compared with the shader's.
    pub fields: &'static [(&'static str, usize)],
    /// How many workgroups.
    pub grid: Grid,
    /// Floating-point operations that the mathematics needs (not what padding adds).
    pub flops: u64,
}

/// The most workgroups a dispatch may have along one dimension (WebGPU's default limit).
pub const MAX_WORKGROUPS: usize = 65_535;

/// A list of commands over tensors, in named sections that can be encoded one by one.
#[derive(Clone, Default)]
pub struct Recording {
    pub(crate) tensors: Vec<TensorDesc>,
    pub(crate) commands: Vec<Command>,
    pub(crate) sections: Vec<(&'static str, Range<usize>)>,
    constants: HashMap<Identity, TensorId>,
}

/// What a constant is, whatever its label.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Identity {
    /// Values at these addresses, and how they are packed.
    Sources { addresses: Vec<usize>, packing: String, len: usize, layout: Layout },
    /// The words themselves.
    Words(Layout, Arc<[u32]>),
}

/// The shared values that a constant is made of. Two constants have the same sources if these are the same allocations;
/// equal values elsewhere are other sources.
#[derive(Clone, Default)]
pub struct Sources {
    addresses: Vec<usize>,
    alive: Vec<Arc<dyn Any + Send + Sync>>,
}

impl Sources {
    /// One source.
    pub fn of<T: ?Sized + Send + Sync + 'static>(source: &Arc<T>) -> Self {
        Self::default().and(source)
    }

    /// These and one more.
    #[must_use]
    pub fn and<T: ?Sized + Send + Sync + 'static>(mut self, source: &Arc<T>) -> Self {
        self.addresses.push(Arc::as_ptr(source).cast::<()>() as usize);
        self.alive.push(Arc::new(Arc::clone(source)));
        self
    }
}

impl Recording {
    /// An empty recording.
    pub fn new() -> Self {
        Self::default()
    }

    fn tensor(&mut self, label: String, len: usize, layout: Layout, storage: Storage) -> TensorId {
        let id = TensorId(u32::try_from(self.tensors.len()).expect("fewer than 2^32 tensors"));
        self.tensors.push(TensorDesc { label, len, layout, storage });
        id
    }

    /// A tensor of `len` elements that lives within a section.
    pub fn transient(&mut self, label: impl Into<String>, len: usize) -> TensorId {
        self.transient_of(label, len, Layout::Words)
    }

    /// A tensor of `len` elements of this layout that lives within a section.
    pub fn transient_of(&mut self, label: impl Into<String>, len: usize, layout: Layout) -> TensorId {
        self.tensor(label.into(), len, layout, Storage::Transient)
    }

    /// A tensor of `len` elements that keeps its contents between steps.
    pub fn kept(&mut self, label: impl Into<String>, len: usize) -> TensorId {
        self.tensor(label.into(), len, Layout::Words, Storage::Kept)
    }

    /// A constant of `len` elements, made of `sources`, which `make` packs. A second constant of the same sources, packing and
    /// layout is the first one, so that sections share weights; `label` is only for people. `make` gives a word for each
    /// element, or four for each texel.
    ///
    /// The constant keeps its sources alive, so none can be mistaken for a later one at the same address. Where `packing`
    /// alone says what the values are, there are no sources.
    pub fn constant(
        &mut self,
        label: impl Into<String>,
        sources: Sources,
        packing: impl Into<String>,
        len: usize,
        layout: Layout,
        make: impl Fn() -> Result<Vec<u32>> + Send + Sync + 'static,
    ) -> TensorId {
        let Sources { addresses, alive } = sources;
        let make = move || {
            let _alive = &alive;
            make()
        };
        self.constant_of(Identity::Sources { addresses, packing: packing.into(), len, layout }, label, make)
    }

    /// A constant with these words, four for each texel. One with the same words and layout is the same tensor.
    pub fn table(&mut self, label: impl Into<String>, layout: Layout, words: Vec<u32>) -> TensorId {
        let words: Arc<[u32]> = words.into();
        let made = Arc::clone(&words);
        self.constant_of(Identity::Words(layout, words), label, move || Ok(made.to_vec()))
    }

    fn constant_of(
        &mut self,
        identity: Identity,
        label: impl Into<String>,
        make: impl Fn() -> Result<Vec<u32>> + Send + Sync + 'static,
    ) -> TensorId {
        if let Some(&id) = self.constants.get(&identity) {
            return id;
        }
        let (len, layout) = match &identity {
            Identity::Sources { len, layout, .. } => (*len, *layout),
            Identity::Words(Layout::Words, words) => (words.len(), Layout::Words),
            Identity::Words(Layout::Texels, words) => (words.len() / 4, Layout::Texels),
        };
        let id = self.tensor(label.into(), len, layout, Storage::Constant(Arc::new(make)));
        self.constants.insert(identity, id);
        id
    }

    /// `len` elements of a tensor from `first` on, in place. A dispatch may write a view while it reads another tensor, and not
    /// another part of the same one: WebGPU counts uses by buffers.
    ///
    /// # Errors
    /// If there are not so many, they do not begin at a multiple of [`VIEW_ALIGN`], or the tensor is a view or in a texture.
    pub fn view(&mut self, of: TensorId, first: usize, len: usize) -> Result<TensorId> {
        let TensorDesc { label, len: all, layout, storage } = self.desc(of).clone();
        let inside = first.checked_add(len).is_some_and(|end| end <= all);
        if !inside
            || !first.is_multiple_of(VIEW_ALIGN)
            || layout != Layout::Words
            || matches!(storage, Storage::View { .. })
        {
            return Err(Error::input(format!(
                "no view of {len} elements from {first} on in `{label}` of {all} as {layout:?}"
            )));
        }
        Ok(self.tensor(label, len, layout, Storage::View { of, first }))
    }

    /// The tensor that holds a tensor's elements, and the element with which they begin there.
    pub(crate) fn stored(&self, id: TensorId) -> (TensorId, usize) {
        match self.desc(id).storage {
            Storage::View { of, first } => (of, first),
            _ => (id, 0),
        }
    }

    /// What is known of a tensor.
    pub fn desc(&self, id: TensorId) -> &TensorDesc {
        &self.tensors[id.0 as usize]
    }

    /// Begins a section; the commands that follow belong to it.
    pub fn section(&mut self, name: &'static str) {
        let at = self.commands.len();
        self.sections.push((name, at..at));
    }

    /// Appends a dispatch of `kernel` for `label`.
    ///
    /// # Errors
    /// If a tensor is shorter than the kernel may touch.
    pub fn dispatch<P: Params>(
        &mut self,
        label: &str,
        kernel: Kernel,
        bindings: &[(&'static str, TensorId, usize)],
        params: &P,
        grid: Grid,
        flops: u64,
    ) -> Result<()> {
        if self.sections.is_empty() {
            self.section("step");
        }
        for &(name, tensor, len) in bindings {
            let desc = self.desc(tensor);
            if desc.len < len {
                let have = desc.len;
                return Err(Error::Shader(format!(
                    "{kernel} ({label}): `{name}` needs {len} elements but `{}` has {have}",
                    desc.label
                )));
            }
        }
        self.commands.push(Command {
            label: label.to_owned(),
            kernel,
            bindings: bindings.iter().map(|&(name, tensor, len)| Binding { name, tensor, len }).collect(),
            params: bytemuck::bytes_of(params).to_vec(),
            fields: P::FIELDS,
            grid,
            flops,
        });
        if let Some((_, range)) = self.sections.last_mut() {
            range.end = self.commands.len();
        }
        Ok(())
    }

    /// The commands, in order.
    pub fn commands(&self) -> &[Command] {
        &self.commands
    }

    /// Bytes that one dispatch touches at least: the extents of its bindings.
    pub fn bytes_of(&self, command: &Command) -> u64 {
        let element = |tensor| match self.desc(tensor).layout {
            Layout::Words => 4,
            Layout::Texels => 16,
        };
        command.bindings.iter().map(|b| element(b.tensor) * b.len as u64).sum()
    }
}

/// Declares a uniform struct and its mirror list. The WGSL side is `struct Params` in the shader it is dispatched with.
#[macro_export]
macro_rules! params {
    ($(#[$meta:meta])* $vis:vis struct $name:ident { $($field:ident: $ty:ty),* $(,)? }) => {
        $(#[$meta])*
        #[repr(C)]
        #[derive(Clone, Copy, Debug, $crate::gpu::bytemuck::Pod, $crate::gpu::bytemuck::Zeroable)]
        #[bytemuck(crate = "::protogpu::gpu::bytemuck")]
        $vis struct $name { $($field: $ty),* }

        impl $crate::gpu::Params for $name {
            const FIELDS: &'static [(&'static str, usize)] =
                &[$((stringify!($field), ::std::mem::offset_of!($name, $field))),*];
        }
    };
}
