//! Work as plain data: tensors and dispatches, without wgpu types.
//!
//! Ops append [`Command`]s to a [`Recording`]. [`super::Plan`] turns it into buffers, pipelines and bind groups, once.

mod command;
mod tensor;

use std::any::Any;
use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

pub(crate) use command::{Binding, MAX_WORKGROUPS};
pub use command::{Command, Grid, NoParams, Params};
pub use tensor::{Layout, TensorId};
pub(crate) use tensor::{MAX_ELEMENTS, Storage, TEXTURE_WIDTH, TensorDesc, VIEW_ALIGN};

use super::shader::{CustomKernel, Kernel};
use crate::error::{Error, Result};

/// A list of commands over tensors. Named sections can be encoded one by one.
pub struct Recording {
    /// A number that differs between recordings; its handles carry it.
    id: u32,
    pub(crate) tensors: Vec<TensorDesc>,
    pub(crate) commands: Vec<Command>,
    pub(crate) sections: Vec<(&'static str, Range<usize>)>,
    constants: HashMap<Identity, TensorId>,
}

/// The identity of a constant. Its label does not matter.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Identity {
    /// Values at these addresses, and how they are packed.
    Sources { addresses: Vec<usize>, packing: String, len: usize, layout: Layout },
    /// The words themselves.
    Words(Layout, Arc<[u32]>),
}

/// The shared values from which a constant is made. Sources are the same if they are the same allocations; equal values elsewhere
/// are other sources.
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

    /// These sources and one more.
    #[must_use]
    pub fn and<T: ?Sized + Send + Sync + 'static>(mut self, source: &Arc<T>) -> Self {
        self.addresses.push(Arc::as_ptr(source).cast::<()>() as usize);
        self.alive.push(Arc::new(Arc::clone(source)));
        self
    }
}

impl Default for Recording {
    fn default() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let (tensors, commands, sections, constants) = Default::default();
        Self { id: NEXT.fetch_add(1, Ordering::Relaxed), tensors, commands, sections, constants }
    }
}

impl Recording {
    /// An empty recording.
    pub fn new() -> Self {
        Self::default()
    }

    fn tensor(&mut self, label: String, len: usize, layout: Layout, storage: Storage) -> TensorId {
        let index = u32::try_from(self.tensors.len()).expect("fewer than 2^32 tensors");
        self.tensors.push(TensorDesc { label, len, layout, storage });
        TensorId { recording: self.id, index, layout }
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

    /// A constant of `len` elements, which `make` packs from `sources`. A second constant with the same sources, packing, length and
    /// layout is the first one, so that sections share weights. `label` is for people only. `make` returns one word per element, or
    /// four per texel.
    ///
    /// The constant keeps its sources alive, so that a later allocation cannot have the same address. If `packing` alone determines
    /// the values, there are no sources.
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

    /// A constant with these words, four per texel. A second one with the same words and layout is the same tensor.
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

    /// `len` elements of a tensor from `first` on, in place. A dispatch that writes a view must not read another part of the same
    /// tensor, because WebGPU counts uses by buffer.
    ///
    /// # Errors
    /// If the tensor has fewer elements, `first` is no multiple of 64, or the tensor is a view, a texture or from another
    /// recording.
    pub fn view(&mut self, of: TensorId, first: usize, len: usize) -> Result<TensorId> {
        let TensorDesc { label, len: all, layout, storage } = self.find(of)?.clone();
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

    /// The tensor that holds the elements, and the index of the first one there.
    pub(crate) fn stored(&self, id: TensorId) -> (TensorId, usize) {
        match self.desc(id).storage {
            Storage::View { of, first } => (of, first),
            _ => (id, 0),
        }
    }

    /// The properties of a tensor of this recording.
    pub(crate) fn desc(&self, id: TensorId) -> &TensorDesc {
        &self.tensors[self.index(id)]
    }

    /// The index of a tensor in this recording.
    pub(crate) fn index(&self, id: TensorId) -> usize {
        debug_assert_eq!(id.recording, self.id, "a tensor of another recording");
        id.index as usize
    }

    /// The properties of a tensor.
    ///
    /// # Errors
    /// If it belongs to another recording.
    pub(crate) fn find(&self, id: TensorId) -> Result<&TensorDesc> {
        let own = id.recording == self.id;
        own.then(|| self.desc(id)).ok_or_else(|| Error::input("the tensor belongs to another recording"))
    }

    /// Begins a section. The commands after this belong to it.
    pub fn section(&mut self, name: &'static str) {
        let at = self.commands.len();
        self.sections.push((name, at..at));
    }

    /// Appends a dispatch of a kernel from outside the crate. `label` names the layer. A binding is the name of the variable, the
    /// tensor, and the number of elements that the kernel needs; `flops` is the number of operations that the mathematics needs,
    /// for profiles.
    ///
    /// # Errors
    /// If a tensor is shorter than that or belongs to another recording. The plan compares names, kinds and the fields of `params`
    /// with the shader.
    pub fn dispatch_custom<P: Params>(
        &mut self,
        label: &str,
        kernel: CustomKernel,
        bindings: &[(&'static str, TensorId, usize)],
        params: &P,
        grid: Grid,
        flops: u64,
    ) -> Result<()> {
        self.dispatch(label, kernel.into(), bindings, params, grid, flops)
    }

    /// Appends a dispatch of a kernel of the crate. These run without checks: the op guarantees that the kernel touches no more than
    /// the elements stated here, see `gpu/device/compile.rs`.
    ///
    /// # Errors
    /// If a tensor is shorter than the kernel may touch, has too many elements to count, or belongs to another recording.
    pub(crate) fn dispatch<P: Params>(
        &mut self,
        label: &str,
        kernel: Kernel,
        bindings: &[(&'static str, TensorId, usize)],
        params: &P,
        grid: Grid,
        flops: u64,
    ) -> Result<()> {
        for &(name, tensor, len) in bindings {
            let desc = self.find(tensor).map_err(|e| Error::input(format!("{kernel} ({label}): `{name}`: {e}")))?;
            if len > MAX_ELEMENTS {
                return Err(Error::input(format!(
                    "{kernel} ({label}): `{name}` has more than {MAX_ELEMENTS} elements: use a smaller batch or image"
                )));
            }
            if desc.len < len {
                let have = desc.len;
                return Err(Error::Shader(format!(
                    "{kernel} ({label}): `{name}` needs {len} elements but `{}` has {have}",
                    desc.label
                )));
            }
        }
        if self.sections.is_empty() {
            self.section("step");
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

    /// The bytes that a dispatch touches at least: the sizes of its bindings.
    pub fn bytes_of(&self, command: &Command) -> u64 {
        let element = |tensor| match self.desc(tensor).layout {
            Layout::Words => 4,
            Layout::Texels => 16,
        };
        command.bindings.iter().map(|b| element(b.tensor) * b.len as u64).sum()
    }
}
