//! The containers of `torch.save`: locates the pickle and the storages.
//!
//! Since PyTorch 1.6 the container is an uncompressed zip archive: `NAME/data.pkl`, `NAME/data/KEY` for each
//! storage, `NAME/byteorder`. Before that, and still on request, it is one stream: pickles of a magic number, a version, the
//! machine's properties, the object itself and the list of its storages' keys; then for each key the number of
//! elements in eight bytes and the values. Source: `torch/serialization.py`.

use std::collections::HashMap;
use std::ops::Range;

use rawzip::{CompressionMethod, ZipArchive, ZipSliceArchive, crc32};
use safetensors::Dtype;

use super::machine::{Pickle, budget, load};
use super::value::{Id, Value, Values};
use crate::suggest::shown;

/// The beginning of the older format: 0x1950a86a20f9469cfc6c, pickled.
const MAGIC: [u8; 13] = [0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, b'.'];

/// The only version of the older format.
const VERSION: u64 = 1001;

/// An object as saved, with the bytes of each storage by its key.
pub(super) struct Archive {
    pub(super) values: Values,
    pub(super) root: Id,
    storages: HashMap<String, Range<usize>>,
}

/// Whether a file is one of these containers, or any zip archive.
pub(in super::super) fn is_pytorch(file: &[u8]) -> bool {
    file.starts_with(b"PK\x03\x04") || after_magic(file).is_some()
}

fn after_magic(file: &[u8]) -> Option<usize> {
    // PROTO, and from protocol 4 on FRAME, come before it.
    [2, 11]
        .into_iter()
        .find(|&at| file.get(at..).is_some_and(|rest| rest.starts_with(&MAGIC)))
        .map(|at| at + MAGIC.len())
}

/// Opens either container.
pub(super) fn open(file: &[u8]) -> Result<Archive, String> {
    match after_magic(file) {
        Some(begin) => legacy(file, begin),
        None => zip(file),
    }
}

impl Archive {
    /// The byte range of a storage's elements, within the file.
    pub(super) fn storage(&self, id: Id) -> Result<(Dtype, Range<usize>), String> {
        let storage = self.values.storage(id).ok_or("is damaged: a tensor has no storage")?;
        let key = self.values.text(storage.key).unwrap_or_default();
        let bytes = self.storages.get(key).ok_or_else(|| format!("has no data for storage `{}`", shown(key)))?;
        let len = byte_len(storage.dtype, storage.len).filter(|&len| len <= bytes.len());
        let len = len.ok_or_else(|| {
            let (key, dtype, bytes) = (shown(key), storage.dtype, bytes.len());
            format!("says that storage `{key}` has {} elements of {dtype}, but holds {bytes} bytes of it", storage.len)
        })?;
        Ok((storage.dtype, bytes.start..bytes.start + len))
    }
}

fn byte_len(dtype: Dtype, elements: u64) -> Option<usize> {
    elements.checked_mul(dtype.bitsize() as u64 / 8).and_then(|len| usize::try_from(len).ok())
}

/// The keys of all storages that a pickle names, with their kinds and lengths.
fn named_storages(values: &Values) -> impl Iterator<Item = (&str, Dtype, u64)> {
    values.0.iter().filter_map(|value| match value {
        Value::Storage(storage) => Some((values.text(storage.key)?, storage.dtype, storage.len)),
        _ => None,
    })
}

// The older format.

fn legacy(file: &[u8], begin: usize) -> Result<Archive, String> {
    let mut at = begin;
    let mut next = || -> Result<Pickle, String> {
        let pickle = load(&file[at..], budget(file.len()))?;
        at += pickle.len;
        Ok(pickle)
    };
    let version = next()?;
    if version.values.count(version.root) != Some(VERSION) {
        return Err(format!("is of another version of PyTorch's older format than {VERSION}"));
    }
    let system = next()?;
    if let Some(little) = system.values.entry(system.root, "little_endian")
        && !matches!(system.values.get(little), Value::Bool(true))
    {
        return Err(BIG_ENDIAN.into());
    }
    let Pickle { values, root, .. } = next()?;
    let keys = next()?;
    let list = keys.values.items(keys.root).ok_or("is damaged: the keys of its storages are not a list")?;
    let named: HashMap<&str, (Dtype, u64)> =
        named_storages(&values).map(|(key, dtype, len)| (key, (dtype, len))).collect();
    let mut storages = HashMap::new();
    for &key in list {
        let key = keys.values.text(key).ok_or("is damaged: the key of a storage is not text")?;
        let &(dtype, len) =
            named.get(key).ok_or_else(|| format!("holds a storage `{}` that no tensor is made of", shown(key)))?;
        let cut = || format!("ends in the middle of storage `{}`: is it a whole download?", shown(key));
        let count = file.get(at..).and_then(|rest| rest.first_chunk()).ok_or_else(cut)?;
        let count = u64::from_le_bytes(*count);
        if count != len {
            let key = shown(key);
            return Err(format!("holds {count} elements of storage `{key}`, but its pickle says {len}"));
        }
        let begin = at + size_of_val(&count);
        let end = byte_len(dtype, count).and_then(|len| begin.checked_add(len)).filter(|&end| end <= file.len());
        at = end.ok_or_else(cut)?;
        storages.insert(key.to_owned(), begin..at);
    }
    Ok(Archive { values, root, storages })
}

const BIG_ENDIAN: &str = "was saved on a big-endian machine: load it with PyTorch and save it again on another";

// The zip archive.

/// An entry of the archive, not yet looked at.
struct Entry {
    bytes: Range<usize>,
    crc: u32,
}

fn zip(file: &[u8]) -> Result<Archive, String> {
    let unreadable = |error| format!("is a zip archive that cannot be read ({error}): is it a whole download?");
    let archive = ZipArchive::from_slice(file).map_err(unreadable)?;
    let folder = folder_of(&archive).map_err(unreadable)?;
    let folder = folder.ok_or_else(|| match is_keras(&archive) {
        true => {
            "is a Keras archive: convert it in Python with model.export(\"model.onnx\", format=\"onnx\")".to_owned()
        }
        false => "is a zip archive without data.pkl, so torch.save did not write it".to_owned(),
    })?;
    let mut entries: HashMap<String, Entry> = HashMap::new();
    let mut all = archive.entries();
    while let Some(entry) = all.next_entry().map_err(unreadable)? {
        let Some(name) = std::str::from_utf8(entry.file_path().as_bytes()).ok() else { continue };
        let Some(name) = name.strip_prefix(&folder).map(str::to_owned) else { continue };
        if name == "constants.pkl" {
            return Err(
                "is a TorchScript archive: in Python, torch.save(torch.jit.load(\"in.pt\").state_dict(), \"out.pth\")"
                    .into(),
            );
        }
        if !matches!(name.as_str(), "data.pkl" | "byteorder") && !name.starts_with("data/") {
            continue;
        }
        if entry.compression_method() != CompressionMethod::STORE {
            return Err(
                "is a compressed zip archive, which torch.save does not write: unpack it, and pack it with `zip -0`"
                    .into(),
            );
        }
        let found = archive.get_entry(entry.wayfinder()).map_err(unreadable)?;
        let (begin, end) = found.compressed_data_range();
        let crc = entry.crc32();
        // Inside the file, hence within usize.
        let entry = Entry { bytes: begin as usize..end as usize, crc };
        if entries.insert(name.clone(), entry).is_some() {
            return Err(format!("holds the entry `{}` twice", shown(&name)));
        }
    }
    read_entries(file, &entries)
}

/// Whether an archive has the weights of a network that Keras 3 saved.
fn is_keras(archive: &ZipSliceArchive<&[u8]>) -> bool {
    let mut all = archive.entries();
    while let Ok(Some(entry)) = all.next_entry() {
        if entry.file_path().as_bytes() == b"model.weights.h5" {
            return true;
        }
    }
    false
}

/// The prefix of `data.pkl`: the name under which the archive was saved, and a slash.
fn folder_of(archive: &ZipSliceArchive<&[u8]>) -> Result<Option<String>, rawzip::Error> {
    let mut all = archive.entries();
    while let Some(entry) = all.next_entry()? {
        let name = std::str::from_utf8(entry.file_path().as_bytes()).ok();
        if let Some(folder) = name.and_then(|name| name.strip_suffix("data.pkl"))
            && (folder.is_empty() || folder.find('/') == Some(folder.len() - 1))
        {
            return Ok(Some(folder.to_owned()));
        }
    }
    Ok(None)
}

fn read_entries(file: &[u8], entries: &HashMap<String, Entry>) -> Result<Archive, String> {
    // Entries may overlap, but together they must not be longer than the file.
    let mut unchecked = file.len();
    let mut sound = |name: &str, entry: &Entry| -> Result<Range<usize>, String> {
        unchecked = unchecked.checked_sub(entry.bytes.len()).ok_or("has entries that overlap")?;
        if crc32(&file[entry.bytes.clone()]) != entry.crc {
            return Err(format!("is damaged: the checksum of `{}` is wrong; fetch it again", shown(name)));
        }
        Ok(entry.bytes.clone())
    };
    if let Some(order) = entries.get("byteorder")
        && &file[order.bytes.clone()] != b"little"
    {
        return Err(BIG_ENDIAN.into());
    }
    let pickle = &entries["data.pkl"];
    let Pickle { values, root, .. } = load(&file[sound("data.pkl", pickle)?], budget(file.len()))?;
    let mut storages = HashMap::new();
    for (key, ..) in named_storages(&values) {
        let name = format!("data/{key}");
        // A missing storage matters only if a tensor uses it.
        if let (false, Some(entry)) = (storages.contains_key(key), entries.get(&name)) {
            storages.insert(key.to_owned(), sound(&name, entry)?);
        }
    }
    Ok(Archive { values, root, storages })
}
