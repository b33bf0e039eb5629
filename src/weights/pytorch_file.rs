//! Reads a file of `torch.save` and converts it to safetensors.

use std::collections::BTreeMap;
use std::io::{self, Write};
#[cfg(feature = "native")]
use std::path::Path;

use safetensors::Dtype;
use serde_json::{Map, Value, json};

use super::file_bytes::FileBytes;
use super::header::MAX_HEADER_BYTES;
use super::pytorch::{self, View};
#[cfg(feature = "native")]
use crate::atomic::write_atomically;
use crate::digest::sha256_hex;
use crate::error::{Error, Result};

/// The most bytes that converting may write per byte read. Tensors that share a storage are each written in full, and a file may
/// claim that a million of them share one.
const MOST_TIMES: u64 = 4;

/// The tensors in a PyTorch file (`.pth`, `.pt`), read without Python and without running the file's code.
///
/// It reads the zip format and the older stream format, with a state dict or a whole checkpoint. Values may be
/// F32, F16, BF16, F64 (rounded to F32 on writing) or integers, in views of any strides that may share storages.
/// The file is a pickle, in effect a program, and not trusted: only tensors and plain containers are built, the code of any other Python
/// object is never run, and memory stays below a small multiple of the file's size. [`PytorchFile::notes`] names the objects that were
/// left out. PyTorch's `torch/serialization.py` and Python's `pickletools.py` define the formats.
pub struct PytorchFile {
    name: String,
    file: FileBytes,
    tensors: BTreeMap<String, View>,
    notes: Vec<String>,
}

impl PytorchFile {
    /// Opens a file. `key` is the checkpoint's key for the network's tensors, `a.b` for nested ones, or the beginning of their names;
    /// without it, the usual keys are tried (`state_dict`, `model`, ...). The file is memory-mapped and must not change while it is in use.
    ///
    /// # Errors
    /// [`Error::Io`] if the file cannot be read. [`Error::Input`] if it is not a PyTorch file, is damaged, has neither a module nor a dictionary of tensors, or has tensors whose values lie outside of the file.
    #[cfg(feature = "native")]
    pub fn open(path: impl AsRef<Path>, key: Option<&str>) -> Result<Self> {
        let path = path.as_ref();
        Self::of(path.display().to_string(), FileBytes::open(path)?, key)
    }

    pub(super) fn of(name: String, file: FileBytes, key: Option<&str>) -> Result<Self> {
        if !pytorch::is_pytorch(file.get()) {
            // The reader of safetensors recognises foreign formats.
            return Err(match super::header::read(&name, file.get(), None) {
                Ok(_) => Error::input(format!("{name}: is a safetensors file already")),
                Err(error) => error,
            });
        }
        let pytorch::Found { tensors, notes } = pytorch::read(&name, file.get(), key)?;
        let this = Self { name, file, tensors, notes };
        let (len, file_len) = (this.data_len(), this.file.get().len() as u64);
        if len > MOST_TIMES.saturating_mul(file_len) {
            let name = &this.name;
            return Err(Error::input(format!(
                "{name}: its tensors share storages, and written out each they would take {len} bytes, more than \
                 {MOST_TIMES} times the file"
            )));
        }
        Ok(this)
    }

    /// Notes on how the tensors were found, one sentence each: the checkpoint's key, a removed prefix, skipped entries,
    /// rounded values.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Every tensor's name, dtype (as written to safetensors) and shape, sorted by name.
    pub fn tensors(&self) -> impl ExactSizeIterator<Item = (&str, Dtype, &[usize])> {
        self.tensors.iter().map(|(name, view)| (name.as_str(), view.written_dtype(), view.shape.as_slice()))
    }

    /// SHA-256 of the file's bytes in lower-case hexadecimal.
    pub fn sha256(&self) -> String {
        sha256_hex(self.file.get())
    }

    /// Size of the file, in bytes.
    pub fn file_bytes(&self) -> usize {
        self.file.get().len()
    }

    /// Writes the tensors as a safetensors file. The metadata are `format: pt`, the hash of the PyTorch file, and `metadata`. The same
    /// input gives the same bytes.
    ///
    /// # Errors
    /// [`Error::Input`] if the names do not fit into a safetensors header; otherwise as [`write_atomically`].
    #[cfg(feature = "native")]
    pub fn write(&self, path: impl AsRef<Path>, metadata: &[(&str, &str)]) -> Result<()> {
        let header = self.header(metadata)?;
        write_atomically(path, |out| self.write_to(out, &header))
    }

    /// The safetensors file, in memory.
    pub(super) fn to_bytes(&self) -> Result<Vec<u8>> {
        let header = self.header(&[])?;
        let mut bytes = Vec::with_capacity(header.len() + self.data_len() as usize);
        self.write_to(&mut bytes, &header).expect("memory can be written to");
        Ok(bytes)
    }

    fn data_len(&self) -> u64 {
        self.tensors.values().fold(0, |sum, view| sum.saturating_add(view.written_len()))
    }

    /// The tensors in writing order: the widest values first, so all are aligned.
    fn in_order(&self) -> Vec<(&str, &View)> {
        let mut tensors: Vec<_> = self.tensors.iter().map(|(name, view)| (name.as_str(), view)).collect();
        tensors.sort_by_key(|(_, view)| std::cmp::Reverse(view.written_dtype().bitsize()));
        tensors
    }

    /// The beginning of a safetensors file: the length of the header and its JSON.
    fn header(&self, metadata: &[(&str, &str)]) -> Result<Vec<u8>> {
        let mut lines = Map::from_iter([
            ("format".to_owned(), Value::from("pt")),
            ("source_sha256".to_owned(), Value::from(self.sha256())),
        ]);
        lines.extend(metadata.iter().map(|&(key, value)| (key.to_owned(), Value::from(value))));
        let mut header = Map::from_iter([("__metadata__".to_owned(), Value::Object(lines))]);
        let mut end = 0;
        for (name, view) in self.in_order() {
            let begin = end;
            end += view.written_len();
            let (dtype, shape) = (view.written_dtype().to_string(), &view.shape);
            header.insert(name.to_owned(), json!({"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}));
        }
        let mut text = Value::Object(header).to_string();
        // The values begin at a multiple of 8.
        text.push_str(&" ".repeat(text.len().next_multiple_of(8) - text.len()));
        if text.len() as u64 > MAX_HEADER_BYTES {
            let (name, len) = (&self.name, text.len());
            return Err(Error::input(format!(
                "{name}: its names and shapes take {len} bytes; at most {MAX_HEADER_BYTES} fit a safetensors file"
            )));
        }
        Ok([&(text.len() as u64).to_le_bytes(), text.as_bytes()].concat())
    }

    fn write_to(&self, out: &mut impl Write, header: &[u8]) -> io::Result<()> {
        out.write_all(header)?;
        self.in_order().into_iter().try_for_each(|(_, view)| view.write(self.file.get(), out))
    }
}

/// Names and sizes, not ten million numbers.
impl std::fmt::Debug for PytorchFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PytorchFile")
            .field("name", &self.name)
            .field("tensors", &self.tensors.len())
            .field("file_bytes", &self.file_bytes())
            .finish_non_exhaustive()
    }
}
