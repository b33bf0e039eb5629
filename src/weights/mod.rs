//! Weights: named tensors from a safetensors file, a PyTorch file, bytes in the binary, or a seed.
//!
//! [`Weights`] is the one type for all of them. [`PytorchFile`] converts a PyTorch file to safetensors. An ONNX file brings its own
//! graph.

mod file_bytes;
mod generated;
mod header;
mod onnx;
mod prefix;
mod pytorch;
mod pytorch_file;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::fmt::Write as _;
#[cfg(feature = "native")]
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use half::{bf16, f16};

pub(crate) use onnx::{Attribute, Model, Node, Port, Stored, Values};
pub use pytorch_file::PytorchFile;
pub use safetensors::Dtype;

#[cfg(feature = "native")]
use crate::atomic::write_atomically;
use crate::digest::sha256_of_parts;
use crate::error::{Error, Result};
use crate::suggest::{near_misses, shown};
use file_bytes::FileBytes;
use header::{Contents, Tensor};
use onnx::OnnxFile;

/// Named tensors with their metadata.
///
/// Opening reads only the header. [`Weights::tensor_f32`] reads and checks the values of a tensor. What wrappers put into the names
/// (`module.`, `model.`, `_orig_mod.`) is removed.
pub struct Weights {
    name: String,
    path: Option<PathBuf>,
    /// An ONNX file, or a safetensors file, even if the weights came from another format.
    storage: FileBytes,
    contents: Contents,
    /// The model of an ONNX file.
    onnx: Option<OnnxFile>,
    notes: Vec<String>,
    file_bytes: usize,
    /// The key of the network among others in the file.
    key: Option<String>,
    sha256: OnceLock<String>,
}

impl Weights {
    /// Opens a safetensors, PyTorch or ONNX file; the name's ending does not matter. A file beside an ONNX model, `NAME.onnx.json`, may
    /// have the keys `range`, `mean`, `std`, `transform_input`, `labels` and `image_size`, which then are part of its metadata. The file is not trusted: its header is checked
    /// against the file, and takes at most a small multiple of 16 MiB of memory to read. The tensors
    /// stay on disk, memory-mapped, so the file must not change while the weights are in use; those of a PyTorch file are copied,
    /// see [`PytorchFile`].
    ///
    /// # Errors
    /// [`Error::Io`] if the file cannot be read; [`Error::Input`] with the fault and the cure if its content is not valid.
    #[cfg(feature = "native")]
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        Self::open_under(path, None)
    }

    /// [`Weights::open`] with one of several networks in a file: `key` is the checkpoint's key for its tensors, `a.b` for nested ones, or
    /// the beginning of their names.
    ///
    /// # Errors
    /// Those of [`Weights::open`]; [`Error::Input`] if nothing is under `key`, or the file is an ONNX model.
    #[cfg(feature = "native")]
    pub fn open_under(path: impl AsRef<Path>, key: Option<&str>) -> Result<Self> {
        let path = path.as_ref();
        let name = path.display().to_string();
        let weights = Self::from_storage(name, Some(path.to_path_buf()), FileBytes::open(path)?, key)?;
        let Some(key) = key else { return Ok(weights) };
        let sha256 = sha256_of_parts([weights.sha256().as_bytes(), b"/", key.as_bytes()]);
        Ok(Self { key: Some(key.to_owned()), sha256: OnceLock::from(sha256), ..weights })
    }

    /// Weights in the binary: the bytes of a safetensors file, usually from `include_bytes!`. Messages use `name`.
    ///
    /// # Errors
    /// [`Error::Input`] as for [`Weights::open`].
    pub fn embedded(name: impl Into<String>, bytes: &'static [u8]) -> Result<Self> {
        Self::from_storage(name.into(), None, FileBytes::Bytes(Cow::Borrowed(bytes)), None)
    }

    /// Weights from the bytes of a safetensors file that were read or made at run time. Messages use `name`.
    ///
    /// # Errors
    /// [`Error::Input`] as for [`Weights::open`].
    pub fn from_bytes(name: impl Into<String>, bytes: Vec<u8>) -> Result<Self> {
        Self::from_storage(name.into(), None, FileBytes::Bytes(Cow::Owned(bytes)), None)
    }

    /// Pseudo-random weights with these names and shapes, the same on every machine, for tests and benches. The values all differ,
    /// have sensible magnitudes, and are easy to compute in Python too.
    ///
    /// Element `i` (row-major) of a tensor comes from integer arithmetic. With `key` = FNV-1a-64 of the name's bytes, XOR
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
    /// [`Error::Input`] for a name that is not in this table or occurs twice.
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

    fn from_storage(name: String, path: Option<PathBuf>, storage: FileBytes, key: Option<&str>) -> Result<Self> {
        let file_bytes = storage.get().len();
        if pytorch::is_pytorch(storage.get()) {
            let checkpoint = PytorchFile::of(name.clone(), storage, key)?;
            let storage = FileBytes::Bytes(Cow::Owned(checkpoint.to_bytes()?));
            let (sha256, notes) = (OnceLock::from(checkpoint.sha256()), checkpoint.notes().to_vec());
            let contents = header::read(&name, storage.get(), None)?;
            return Ok(Self { name, path, storage, contents, onnx: None, notes, file_bytes, key: None, sha256 });
        }
        if onnx::is_onnx(storage.get()) {
            if let Some(key) = key {
                let key = shown(key);
                return Err(Error::input(format!(
                    "{name}: is an ONNX model, which has one network: leave the key `{key}` out"
                )));
            }
            let onnx = OnnxFile::read(&name, path.as_deref(), storage.get())?;
            let file_bytes = file_bytes + onnx.beside().map(<[u8]>::len).sum::<usize>();
            let sidecar = path.as_deref().map(onnx::sidecar::read).transpose()?.flatten();
            let (mut contents, sha256) = (onnx.contents(), OnceLock::new());
            let notes = sidecar.iter().map(|sidecar| sidecar.note.clone()).collect();
            contents.metadata.extend(sidecar.into_iter().flat_map(|sidecar| sidecar.metadata));
            return Ok(Self { name, path, storage, contents, onnx: Some(onnx), notes, file_bytes, key: None, sha256 });
        }
        let mut contents = header::read(&name, storage.get(), key)?;
        let notes = std::mem::take(&mut contents.notes);
        Ok(Self { name, path, storage, contents, onnx: None, notes, file_bytes, key: None, sha256: OnceLock::new() })
    }

    /// The name in messages: the path as given, or the name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The file, if the weights came from one.
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// SHA-256 of the file's bytes in lower-case hexadecimal, computed on first use. If an ONNX file has values in other files, their
    /// bytes follow its own, in the order of their names. For weights that a key chose, it is that
    /// of these 64 digits, a slash and the key: several networks in a file differ.
    pub fn sha256(&self) -> &str {
        let beside = self.onnx.iter().flat_map(OnnxFile::beside);
        self.sha256.get_or_init(|| sha256_of_parts([self.storage.get()].into_iter().chain(beside)))
    }

    /// The key that chose the network among others in the file, see [`Weights::open_under`].
    pub fn key(&self) -> Option<&str> {
        self.key.as_deref()
    }

    /// The model of an ONNX file.
    pub(crate) fn onnx(&self) -> Option<&Model> {
        self.onnx.as_ref().map(|onnx| &onnx.model)
    }

    /// The values of a tensor of [`Weights::onnx`].
    pub(crate) fn onnx_values(&self, stored: &Stored) -> Values {
        let onnx = self.onnx.as_ref().expect("a stored tensor belongs to a model");
        onnx.values(self.storage.get(), stored)
    }

    /// Notes on how the file was read, one sentence each, see [`PytorchFile::notes`].
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Adds to [`Weights::notes`].
    pub(crate) fn add_note(&mut self, note: String) {
        self.notes.push(note);
    }

    /// Only the tensors that `names` has, under their new names, which differ from each other.
    pub(crate) fn renamed(mut self, names: &BTreeMap<String, String>, notes: Vec<String>) -> Self {
        let tensors = std::mem::take(&mut self.contents.tensors);
        let renamed = tensors.into_iter().filter_map(|(name, tensor)| Some((names.get(&name)?.clone(), tensor)));
        self.contents.tensors = renamed.collect();
        self.notes.extend(notes);
        self
    }

    /// The same weights for a network whose images have this height and width, in place of what the file's metadata say.
    #[must_use]
    pub fn with_image_size(mut self, [height, width]: [usize; 2]) -> Self {
        self.contents.metadata.insert("image_size".to_owned(), format!("[{height}, {width}]"));
        self
    }

    /// Size of the file, in bytes.
    pub fn file_bytes(&self) -> usize {
        self.file_bytes
    }

    /// The header's `__metadata__`.
    pub fn metadata(&self) -> &BTreeMap<String, String> {
        &self.contents.metadata
    }

    /// The names of the classes, if the metadata has them: a JSON array of strings under the key `labels`.
    ///
    /// # Errors
    /// [`Error::Input`] if `labels` is not such an array.
    pub fn labels(&self) -> Result<Option<Vec<String>>> {
        let Some(labels) = self.metadata().get("labels") else { return Ok(None) };
        serde_json::from_str(labels).map(Some).map_err(|e| {
            let reason = shown(&e.to_string());
            Error::input(format!("{}: `labels` in its metadata is not a JSON array of names: {reason}", self.name))
        })
    }

    /// Number of trainable values: all except `running_mean`, `running_var` and `num_batches_tracked`.
    pub fn parameter_count(&self) -> usize {
        let buffers = [".running_mean", ".running_var", ".num_batches_tracked"];
        let parameters = self.tensors().filter(|(name, ..)| !buffers.iter().any(|buffer| name.ends_with(buffer)));
        parameters.map(|(_, _, shape)| shape.iter().product::<usize>()).sum()
    }

    /// Every tensor's name, dtype and shape, sorted by name.
    pub fn tensors(&self) -> impl ExactSizeIterator<Item = (&str, Dtype, &[usize])> {
        self.contents.tensors.iter().map(|(name, tensor)| (name.as_str(), tensor.dtype, tensor.shape.as_slice()))
    }

    /// The shape of the tensor `name`, if there is one.
    pub fn shape(&self, name: &str) -> Option<&[usize]> {
        self.contents.tensors.get(name).map(|tensor| tensor.shape.as_slice())
    }

    /// The values of a tensor, row-major, converted from F32, F16 or BF16.
    ///
    /// # Errors
    /// [`Error::Input`] if there is no such tensor (naming similar ones), if it has another dtype, or if a value is NaN
    /// or infinite (naming the first).
    pub fn tensor_f32(&self, name: &str) -> Result<Vec<f32>> {
        let tensor = self.contents.tensors.get(name).ok_or_else(|| self.missing(name))?;
        let Tensor { dtype, bytes, .. } = tensor;
        let bytes = &self.storage.get()[bytes.clone()];
        // Converted element by element: the bytes may not be aligned, and this machine may not be little-endian.
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

    /// Writes the weights as a safetensors file, or those of an ONNX file as that file, without the files beside it.
    ///
    /// # Errors
    /// As [`write_atomically`].
    #[cfg(feature = "native")]
    pub fn write(&self, path: impl AsRef<Path>) -> Result<()> {
        write_atomically(path, |out| out.write_all(self.storage.get()))
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

/// Shows names and sizes, and not ten million numbers.
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
