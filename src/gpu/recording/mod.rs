//! Work as plain data: tensors and dispatches, without a wgpu type in sight.
//!
//! Ops write [`Command`]s into a [`Recording`]; [`super::Plan`] makes buffers, pipelines and bind groups of it, once.

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

/// A list of commands over tensors, in named sections that can be encoded one by one.
pub struct Recording {
    /// Another number for each recording, which its handles carry.
    id: u32,
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
        TensorId { recording: self.id, index }
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
    /// If there are not so many, they do not begin at a multiple of 64, or the tensor is a view, in a texture or of
    /// another recording.
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

    /// The tensor that holds a tensor's elements, and the element with which they begin there.
    pub(crate) fn stored(&self, id: TensorId) -> (TensorId, usize) {
        match self.desc(id).storage {
            Storage::View { of, first } => (of, first),
            _ => (id, 0),
        }
    }

    /// What is known of a tensor that something of this recording names.
    pub(crate) fn desc(&self, id: TensorId) -> &TensorDesc {
        &self.tensors[self.index(id)]
    }

    /// A tensor's place among those of this recording.
    pub(crate) fn index(&self, id: TensorId) -> usize {
        debug_assert_eq!(id.recording, self.id, "a tensor of another recording");
        id.index as usize
    }

    /// What is known of a tensor.
    ///
    /// # Errors
    /// If it is one of another recording.
    pub(crate) fn find(&self, id: TensorId) -> Result<&TensorDesc> {
        let own = id.recording == self.id;
        own.then(|| self.desc(id)).ok_or_else(|| Error::input("the tensor belongs to another recording"))
    }

    /// Begins a section; the commands that follow belong to it.
    pub fn section(&mut self, name: &'static str) {
        let at = self.commands.len();
        self.sections.push((name, at..at));
    }

    /// Appends a dispatch of a kernel from outside of the crate for `label`. A binding is the variable's name, the tensor, and how
    /// many of its elements the kernel needs; `flops` is what the mathematics needs, for profiles.
    ///
    /// # Errors
    /// If a tensor is shorter than that or belongs to another recording. What the shader itself says, names, kinds and the fields of
    /// `params`, is compared when the plan is made.
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

    /// Appends a dispatch of `kernel` for `label`. Kernels of the crate are not checked as they run: an op that dispatches one
    /// vouches that it touches no more than the elements named here, see `gpu/device/compile.rs`.
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

    /// Bytes that one dispatch touches at least: the extents of its bindings.
    pub fn bytes_of(&self, command: &Command) -> u64 {
        let element = |tensor| match self.desc(tensor).layout {
            Layout::Words => 4,
            Layout::Texels => 16,
        };
        command.bindings.iter().map(|b| element(b.tensor) * b.len as u64).sum()
    }
}
