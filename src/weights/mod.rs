//! Weights: named tensors from a safetensors file, from bytes in the binary, or from a seed.
//!
//! There is one type, [`Weights`], and one format underneath it, so that networks, tests and benches ask the same
//! questions of all three: is there a tensor of this name, what is its shape, what are its values?

mod generated;
mod header;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::fmt::Write as _;
use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use half::{bf16, f16};
use memmap2::Mmap;
use sha2::{Digest, Sha256};

pub use safetensors::Dtype;

use crate::atomic::write_atomically;
use crate::error::{Error, Result};
use crate::suggest::{near_misses, shown};
use header::{Contents, Tensor};

/// Named tensors, with the metadata that came with them.
///
/// A tensor's values are read and checked when they are asked for ([`Weights::tensor_f32`]); opening reads the header
/// alone. What wrappers put before every name (`module.`, `model.`, `_orig_mod.`) is removed.
pub struct Weights {
    name: String,
    path: Option<PathBuf>,
    storage: Storage,
    contents: Contents,
    sha256: OnceLock<String>,
}

/// Where the bytes of the safetensors file lie.
enum Storage {
    Mapped(Mmap),
    Bytes(Cow<'static, [u8]>),
}

impl Storage {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Mapped(map) => map,
            Self::Bytes(bytes) => bytes,
        }
    }
}

impl Weights {
    /// Opens a safetensors file, which is not trusted: its header is checked against the file before anything is
    /// believed, and takes at most a small multiple of 16 MiB to read. The tensors stay on disk, memory-mapped, so the
    /// file should not change while the weights are in use.
    ///
    /// # Errors
    /// [`Error::Io`] if the file cannot be read; [`Error::Input`] saying what is wrong with it and what may help.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        // Asked before opening: opening a pipe would wait for its writer.
        let there = std::fs::metadata(path).map_err(Error::io("read", path))?;
        if !there.is_file() {
            let what = if there.is_dir() { "a folder" } else { "not a regular file" };
            return Err(Error::input(format!("cannot read weights from {}: it is {what}", path.display())));
        }
        let file = File::open(path).map_err(Error::io("read", path))?;
        // SAFETY: the mapping is private and read-only, and is only ever read as plain bytes that are copied out, for
        // which any value is valid: the header is copied before it is parsed, tensors are converted element by element.
        // Another process that writes to the file meanwhile can therefore change numbers, and one that truncates it can
        // end this process with a bus error; neither can be excluded for a mapped file, and the doc comment says so.
        let map = unsafe { Mmap::map(&file) }.map_err(Error::io("read", path))?;
        let name = path.display().to_string();
        Self::from_storage(name, Some(path.to_path_buf()), Storage::Mapped(map))
    }

    /// Weights in the program itself, usually by `include_bytes!`: the bytes of a safetensors file. `name` is what
    /// messages call them.
    ///
    /// # Errors
    /// [`Error::Input`] as for [`Weights::open`].
    pub fn embedded(name: impl Into<String>, bytes: &'static [u8]) -> Result<Self> {
        Self::from_storage(name.into(), None, Storage::Bytes(Cow::Borrowed(bytes)))
    }

    /// As [`Weights::embedded`], of bytes that were read or made at run time.
    ///
    /// # Errors
    /// [`Error::Input`] as for [`Weights::open`].
    pub fn from_bytes(name: impl Into<String>, bytes: Vec<u8>) -> Result<Self> {
        Self::from_storage(name.into(), None, Storage::Bytes(Cow::Owned(bytes)))
    }

    /// Pseudo-random weights of these names and shapes, the same on every machine: for tests and benches, where what
    /// counts is that all values differ, have sensible sizes and can be had in Python too.
    ///
    /// Element `i` (row-major) of a tensor is made from integers alone. With `key` = FNV-1a-64 of the name's bytes, XOR
    /// `seed`, and `z` = SplitMix64's finaliser of `key + (i + 1) · 0x9E3779B97F4A7C15`, `u = (z >> 40) · 2⁻²⁴` lies in
    /// [0, 1). The value is computed in f64, then rounded to f32, by the tensor's role:
    ///
    /// | name                                                | value                             |
    /// |-----------------------------------------------------|-----------------------------------|
    /// | `….running_var`, 1-D `….weight` (batch norm)        | `0.5 + u`                         |
    /// | `….running_mean`, `….bias`                          | `(2u − 1) · 0.1`                  |
    /// | 2-D and 4-D `….weight`, `fan_in` = all extents but the first | `(2u − 1) · sqrt(6 / fan_in)` |
    ///
    /// # Errors
    /// [`Error::Input`] for a name that has no role above or comes twice.
    ///
    /// ```
    /// use protogpu::weights::Weights;
    ///
    /// let weights = Weights::generated(&[("fc.weight".to_string(), vec![10, 4])], 7)?;
    /// assert_eq!(weights.shape("fc.weight"), Some(&[10, 4][..]));
    /// assert!(weights.tensor_f32("fc.weight")?.iter().all(|v| v.abs() < 1.3));
    /// # Ok::<(), protogpu::Error>(())
    /// ```
    pub fn generated(manifest: &[(String, Vec<usize>)], seed: u64) -> Result<Self> {
        Self::from_bytes(format!("generated weights (seed {seed})"), generated::file(manifest, seed)?)
    }

    fn from_storage(name: String, path: Option<PathBuf>, storage: Storage) -> Result<Self> {
        let contents = header::read(&name, storage.bytes())?;
        Ok(Self { name, path, storage, contents, sha256: OnceLock::new() })
    }

    /// What messages call these weights: the path as it was given, or the name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The file they came from, if they came from one.
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// SHA-256 of the file's bytes in lower-case hexadecimal, computed when first asked for.
    pub fn sha256(&self) -> &str {
        self.sha256.get_or_init(|| {
            let mut hex = String::with_capacity(64);
            for byte in Sha256::digest(self.storage.bytes()) {
                let _ = write!(hex, "{byte:02x}");
            }
            hex
        })
    }

    /// Size of the file, in bytes.
    pub fn file_bytes(&self) -> usize {
        self.storage.bytes().len()
    }

    /// What the header holds under `__metadata__`.
    pub fn metadata(&self) -> &BTreeMap<String, String> {
        &self.contents.metadata
    }

    /// The classes' names, if the metadata has them: a JSON array of strings under the key `labels`.
    ///
    /// # Errors
    /// [`Error::Input`] if there is such a key and it holds something else.
    pub fn labels(&self) -> Result<Option<Vec<String>>> {
        let Some(labels) = self.metadata().get("labels") else { return Ok(None) };
        serde_json::from_str(labels).map(Some).map_err(|e| {
            let reason = shown(&e.to_string());
            Error::input(format!("{}: `labels` in its metadata is not a JSON array of names: {reason}", self.name))
        })
    }

    /// Number of values a training would change: all but `running_mean`, `running_var` and `num_batches_tracked`.
    pub fn parameter_count(&self) -> usize {
        let buffers = [".running_mean", ".running_var", ".num_batches_tracked"];
        let parameters = self.tensors().filter(|(name, ..)| !buffers.iter().any(|buffer| name.ends_with(buffer)));
        parameters.map(|(_, _, shape)| shape.iter().product::<usize>()).sum()
    }

    /// Every tensor's name, dtype and shape, in the order of the names.
    pub fn tensors(&self) -> impl ExactSizeIterator<Item = (&str, Dtype, &[usize])> {
        self.contents.tensors.iter().map(|(name, tensor)| (name.as_str(), tensor.dtype, tensor.shape.as_slice()))
    }

    /// The shape of a tensor; `None` if there is none of this name.
    pub fn shape(&self, name: &str) -> Option<&[usize]> {
        self.contents.tensors.get(name).map(|tensor| tensor.shape.as_slice())
    }

    /// The values of a tensor, row-major, from F32, F16 or BF16.
    ///
    /// # Errors
    /// [`Error::Input`] if there is no such tensor (naming similar ones), if it has another dtype, or if a value is NaN
    /// or infinite (naming the first).
    pub fn tensor_f32(&self, name: &str) -> Result<Vec<f32>> {
        let tensor = self.contents.tensors.get(name).ok_or_else(|| self.missing(name))?;
        let Tensor { dtype, bytes, .. } = tensor;
        let bytes = &self.storage.bytes()[bytes.clone()];
        // Converted element by element: nothing says that the bytes are aligned, or this machine little-endian.
        let values: Vec<f32> = match dtype {
            Dtype::F32 => bytes.as_chunks().0.iter().map(|&b| f32::from_le_bytes(b)).collect(),
            Dtype::F16 => bytes.as_chunks().0.iter().map(|&b| f16::from_le_bytes(b).to_f32()).collect(),
            Dtype::BF16 => bytes.as_chunks().0.iter().map(|&b| bf16::from_le_bytes(b).to_f32()).collect(),
            other => {
                let (file, name) = (&self.name, shown(name));
                return Err(Error::input(format!("{file}: tensor `{name}` is {other}; F32, F16 and BF16 can be read")));
            }
        };
        if let Some(index) = values.iter().position(|value| !value.is_finite()) {
            let (file, name, value) = (&self.name, shown(name), values[index]);
            return Err(Error::input(format!("{file}: tensor `{name}` is {value} at element {index}")));
        }
        Ok(values)
    }

    /// Writes the weights as a safetensors file, as they were read or generated.
    ///
    /// # Errors
    /// As [`write_atomically`].
    pub fn write(&self, path: impl AsRef<Path>) -> Result<()> {
        write_atomically(path, |out| out.write_all(self.storage.bytes()))
    }

    fn missing(&self, name: &str) -> Error {
        let mut message = format!("{}: has no tensor `{}`", self.name, shown(name));
        let similar = near_misses(name, self.tensors().map(|(name, ..)| (name, ())));
        let similar: Vec<_> = similar.into_iter().map(|(name, ())| format!("`{}`", shown(name))).collect();
        if !similar.is_empty() {
            let _ = write!(message, "; it has {}", similar.join(", "));
        }
        Error::Input(message)
    }
}

/// Names and sizes, not ten million numbers.
impl fmt::Debug for Weights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Weights")
            .field("name", &self.name)
            .field("tensors", &self.contents.tensors.len())
            .field("file_bytes", &self.file_bytes())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
