//! Plans memory: tensors whose lifetimes do not overlap share a buffer.

use crate::gpu::recording::{Layout, Recording, Storage};

/// The buffer of each tensor.
#[derive(Clone, Debug)]
pub(crate) struct Memory {
    /// For each tensor the buffer that holds it; `None` if no command uses the tensor and it need not be kept.
    pub(crate) buffer_of: Vec<Option<usize>>,
    /// The length of each buffer, in elements.
    pub(crate) buffer_len: Vec<usize>,
    /// The layout of each buffer; with [`Layout::Texels`], it is a texture.
    pub(crate) buffer_layout: Vec<Layout>,
}

/// A buffer of transients with their lifetimes: the first and the last command of each.
struct Shared {
    buffer: usize,
    layout: Layout,
    lives: Vec<(usize, usize)>,
}

impl Memory {
    /// Gives each kept tensor and each constant its own buffer, and lets transients share: longest first, each in the first buffer
    /// without another tensor alive at the same time. Tensors share whole buffers and not ranges, because WebGPU forbids two
    /// different uses of one buffer in a dispatch.
    pub(crate) fn plan(recording: &Recording) -> Self {
        let count = recording.tensors.len();
        let mut alive: Vec<Option<(usize, usize)>> = vec![None; count];
        for (at, command) in recording.commands.iter().enumerate() {
            for binding in &command.bindings {
                let (stored, _) = recording.stored(binding.tensor);
                let life = &mut alive[recording.index(stored)];
                *life = Some((life.map_or(at, |(first, _)| first), at));
            }
        }
        let mut buffer_of = vec![None; count];
        let (mut buffer_len, mut buffer_layout) = (Vec::new(), Vec::new());
        let mut own = |len: usize, layout: Layout| {
            buffer_len.push(len);
            buffer_layout.push(layout);
            Some(buffer_len.len() - 1)
        };
        let mut transient = Vec::new();
        for (i, tensor) in recording.tensors.iter().enumerate() {
            match (&tensor.storage, alive[i]) {
                (Storage::Transient, Some(life)) => transient.push((i, tensor, life)),
                (Storage::Kept, _) | (Storage::Constant(_), Some(_)) => buffer_of[i] = own(tensor.len, tensor.layout),
                _ => {}
            }
        }
        transient.sort_by_key(|&(i, tensor, _)| (std::cmp::Reverse(tensor.len), i));
        let mut shared: Vec<Shared> = Vec::new();
        for (i, tensor, life) in transient {
            let free = |lives: &[(usize, usize)]| lives.iter().all(|l| l.1 < life.0 || life.1 < l.0);
            match shared.iter_mut().find(|s| s.layout == tensor.layout && free(&s.lives)) {
                Some(found) => {
                    buffer_of[i] = Some(found.buffer);
                    found.lives.push(life);
                }
                None => {
                    let buffer = own(tensor.len, tensor.layout);
                    buffer_of[i] = buffer;
                    shared.extend(buffer.map(|buffer| Shared { buffer, layout: tensor.layout, lives: vec![life] }));
                }
            }
        }
        for (i, tensor) in recording.tensors.iter().enumerate() {
            if let Storage::View { of, .. } = tensor.storage {
                buffer_of[i] = buffer_of[recording.index(of)];
            }
        }
        Self { buffer_of, buffer_len, buffer_layout }
    }

    /// A buffer for every tensor, for tests that look for writes outside it.
    pub(crate) fn separate(recording: &Recording) -> Self {
        let mut memory = Self { buffer_of: Vec::new(), buffer_len: Vec::new(), buffer_layout: Vec::new() };
        for tensor in &recording.tensors {
            let buffer = if let Storage::View { of, .. } = tensor.storage {
                memory.buffer_of[recording.index(of)]
            } else {
                memory.buffer_len.push(tensor.len);
                memory.buffer_layout.push(tensor.layout);
                Some(memory.buffer_len.len() - 1)
            };
            memory.buffer_of.push(buffer);
        }
        memory
    }

    /// All buffers together, in bytes.
    pub(crate) fn bytes(&self) -> u64 {
        self.buffer_len.iter().zip(&self.buffer_layout).map(|(&len, layout)| layout.bytes(len)).sum()
    }
}
