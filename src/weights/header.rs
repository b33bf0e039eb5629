//! Reads the header of a safetensors file, which is not trusted.
//!
//! The format: eight bytes with the header's length `n` (little-endian), `n` bytes of JSON
//! (`{"name": {"dtype": "F32", "shape": [64,3,7,7], "data_offsets": [0, 37632]}, ..., "__metadata__": {...}}`), then
//! the tensors' bytes, without holes. The `safetensors` crate reads it too, but accepts duplicate names (the last wins), and its
//! errors have no numbers and mostly no tensor names. So the checks are here.
//!
//! Memory stays within a small multiple of the header's length, which is itself limited.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;

use safetensors::Dtype;
use serde::Deserialize;
use serde::de::value::{Error as AnyError, StrDeserializer};
use serde::de::{self, Deserializer, MapAccess, SeqAccess, Visitor};

use super::prefix;
use crate::error::{Error, Result};
use crate::suggest::shown;

/// Longest accepted header, in bytes. ResNet-18's has 9 kB; 21,000 class names add 0.5 MB.
pub(super) const MAX_HEADER_BYTES: u64 = 16 << 20;
/// Most extents of one tensor.
const MAX_RANK: usize = 8;
/// The size of the header's length field, in bytes.
const LENGTH_BYTES: usize = 8;

/// A tensor in a file: its type, shape and byte range.
#[derive(Debug)]
pub(super) struct Tensor {
    pub(super) dtype: Dtype,
    pub(super) shape: Vec<usize>,
    /// From the start of the file; within the file.
    pub(super) bytes: std::ops::Range<usize>,
}

/// The contents of a header, checked against its file.
#[derive(Debug)]
pub(super) struct Contents {
    pub(super) tensors: BTreeMap<String, Tensor>,
    pub(super) metadata: BTreeMap<String, String>,
    /// What was done to the names, a sentence each.
    pub(super) notes: Vec<String>,
}

/// Reads and checks the header of `file`, and keeps the tensors whose names begin with `key`, if there is one. Messages begin with
/// `source`, the file's name.
pub(super) fn read(source: &str, file: &[u8], key: Option<&str>) -> Result<Contents> {
    let fail = |what: String| Error::input(format!("{source}: {what}"));
    let text = text_of(file).map_err(fail)?;
    let Header { tensors, metadata } =
        serde_json::from_str(&text).map_err(|e| fail(format!("its header is damaged: {}", shown(&e.to_string()))))?;
    if tensors.is_empty() {
        return Err(fail("holds no tensor".into()));
    }
    let data_begin = LENGTH_BYTES + text.len();
    let data_len = file.len() - data_begin;
    let tensors = tensors
        .into_iter()
        .map(|(name, raw)| {
            let tensor =
                raw.check(data_begin, data_len).map_err(|what| fail(format!("tensor `{}` {what}", shown(&name))))?;
            Ok((name, tensor))
        })
        .collect::<Result<BTreeMap<_, _>>>()?;
    check_no_holes(&tensors, data_begin, file.len()).map_err(fail)?;
    let mut notes = Vec::new();
    let tensors = prefix::removed(tensors, key, &mut notes).map_err(fail)?;
    Ok(Contents { tensors, metadata: metadata.0, notes })
}

/// The header's JSON, copied: the file may be mapped, and a `str` must not change under its reader.
fn text_of(file: &[u8]) -> Result<String, String> {
    let foreign = || match foreign_format(file) {
        Some(what) => format!("is not a safetensors file but {what}"),
        None => format!("is not a safetensors file (it begins with {:02x?})", &file[..file.len().min(12)]),
    };
    let Some((length, rest)) = file.split_first_chunk::<LENGTH_BYTES>() else {
        return Err(format!("{}: it has {} bytes; is it a whole download?", foreign(), file.len()));
    };
    let length = u64::from_le_bytes(*length);
    // In zip archives, pickles and web pages the length is absurd, or no JSON follows.
    if rest.first() != Some(&b'{') {
        return Err(foreign());
    }
    if length > MAX_HEADER_BYTES {
        return Err(format!(
            "says its header is {length} bytes long; at most {MAX_HEADER_BYTES} are accepted. Is it a safetensors file?"
        ));
    }
    // Fits usize: it is at most 16 MiB.
    let header = rest.get(..length as usize).ok_or_else(|| {
        format!(
            "is cut short: its header is {length} bytes long and only {} follow; is it a whole download?",
            rest.len()
        )
    })?;
    String::from_utf8(header.to_vec())
        .map_err(|e| format!("its header is not UTF-8 at byte {}", LENGTH_BYTES + e.utf8_error().valid_up_to()))
}

/// Recognises another format by its first bytes, and names it with the cure.
fn foreign_format(file: &[u8]) -> Option<&'static str> {
    let text = file.trim_ascii_start();
    let starts = |prefix: &[u8]| text.get(..prefix.len()).is_some_and(|t| t.eq_ignore_ascii_case(prefix));
    match file {
        [] => Some("an empty file"),
        // A pickle of protocol 2 to 5.
        [0x80, 2..=5, ..] => {
            Some("a Python pickle that torch.save did not write; save the network's state_dict() with it")
        }
        _ if file.get(257..262) == Some(b"ustar") => {
            Some("a tar archive (of PyTorch before 0.1.10?); load it with PyTorch and save it again")
        }
        [0x1f, 0x8b, ..] => Some("a gzip archive; unpack it first"),
        [0x89, b'H', b'D', b'F', ..] => Some(
            "an HDF5 file, as Keras saves networks: convert it to ONNX with the package tf2onnx, with its options keras and \
             inputs-as-nchw",
        ),
        [b'G', b'G', b'U', b'F', ..] => Some(
            "a GGUF file, whose networks are no image classifiers as a rule: export the network as ONNX from its framework",
        ),
        [_, _, _, _, b'T', b'F', b'L', b'3', ..] => {
            Some("a TensorFlow Lite model: convert it to ONNX with the package tf2onnx, with its option tflite")
        }
        _ if is_caffe(file) => Some("a Caffe model: convert it to ONNX, with the package caffe2onnx for example"),
        _ if starts(b"<!doctype") || starts(b"<html") || starts(b"<?xml") => {
            Some("a web page; the download answered with an error or a sign-in page")
        }
        _ if starts(b"version https://git-lfs") => Some("a Git LFS pointer; fetch the file itself with `git lfs pull`"),
        _ => None,
    }
}

/// Whether a file begins like a `NetParameter` of Caffe: a name, then its input or a layer.
fn is_caffe(file: &[u8]) -> bool {
    let [0x0a, len, rest @ ..] = file else { return false };
    let Some((name, rest)) = rest.split_at_checked(usize::from(*len)) else { return false };
    let is_name = *len < 0x80 && !name.is_empty() && name.iter().all(|byte| (b' '..=b'~').contains(byte));
    is_name && (rest.starts_with(&[0xa2, 0x06]) || rest.starts_with(&[0x12]) || rest.starts_with(&[0x1a]))
}

/// The JSON, unchecked.
struct Header {
    tensors: BTreeMap<String, RawTensor>,
    metadata: Strings,
}

#[derive(Deserialize)]
struct RawTensor {
    dtype: String,
    shape: RawShape,
    data_offsets: [u64; 2],
}

struct RawShape(Vec<u64>);

#[derive(Default)]
struct Strings(BTreeMap<String, String>);

impl RawTensor {
    fn check(self, data_begin: usize, data_len: usize) -> Result<Tensor, String> {
        let Self { dtype, shape: RawShape(shape), data_offsets: [begin, end] } = self;
        let dtype = Dtype::deserialize(StrDeserializer::<AnyError>::new(&dtype))
            .map_err(|_| format!("has the unknown dtype `{}`", shown(&dtype)))?;
        if begin > end {
            return Err(format!("ends (at byte {end} of the data) before it begins (at {begin})"));
        }
        if end > data_len as u64 {
            return Err(format!(
                "ends at byte {end} of the data, of which the file has {data_len}; is it a whole download?"
            ));
        }
        let bits = shape.iter().try_fold(dtype.bitsize() as u64, |product, &extent| product.checked_mul(extent));
        let bits = bits.ok_or_else(|| format!("is {dtype} {shape:?}, which is more than any file can hold"))?;
        if bits % 8 != 0 || bits / 8 != end - begin {
            return Err(format!(
                "is {dtype} {shape:?}, that is {} bytes, but its offsets {begin}..{end} hold {}",
                bits.div_ceil(8),
                end - begin
            ));
        }
        // The offsets lie inside the file, so they fit usize. An extent may not, if another extent is 0.
        let shape = shape.iter().map(|&extent| usize::try_from(extent)).collect::<Result<_, _>>();
        let shape = shape.map_err(|_| "has an extent that this machine cannot count".to_string())?;
        Ok(Tensor { dtype, shape, bytes: data_begin + begin as usize..data_begin + end as usize })
    }
}

/// Checks that every byte of the data belongs to exactly one tensor, as the format demands.
fn check_no_holes(tensors: &BTreeMap<String, Tensor>, data_begin: usize, file_len: usize) -> Result<(), String> {
    let mut in_order: Vec<_> = tensors.iter().map(|(name, t)| (t.bytes.start, t.bytes.end, name.as_str())).collect();
    in_order.sort_unstable();
    let (mut covered, mut last) = (data_begin, "the header");
    for (begin, end, name) in in_order {
        // Offsets are shown as the header has them.
        let [from, to] = [begin, covered].map(|at| at - data_begin);
        if begin < covered {
            let (name, last) = (shown(name), shown(last));
            return Err(format!("tensors `{last}` and `{name}` overlap in bytes {from}..{to} of the data"));
        }
        if begin > covered {
            return Err(format!("bytes {to}..{from} of the data, before `{}`, belong to no tensor", shown(name)));
        }
        (covered, last) = (end, name);
    }
    if covered < file_len {
        return Err(format!("has {} bytes too many, after its last tensor `{}`", file_len - covered, shown(last)));
    }
    Ok(())
}

impl<'de> Deserialize<'de> for Header {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct HeaderVisitor;
        impl<'de> Visitor<'de> for HeaderVisitor {
            type Value = Header;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of tensors")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Header, A::Error> {
                let (mut tensors, mut metadata) = (BTreeMap::new(), None);
                while let Some(name) = map.next_key::<String>()? {
                    if name == "__metadata__" {
                        if metadata.replace(map.next_value()?).is_some() {
                            return Err(de::Error::custom("`__metadata__` comes twice"));
                        }
                        continue;
                    }
                    insert_once(&mut tensors, name, map.next_value()?)?;
                }
                Ok(Header { tensors, metadata: metadata.unwrap_or_default() })
            }
        }
        deserializer.deserialize_map(HeaderVisitor)
    }
}

impl<'de> Deserialize<'de> for Strings {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct StringsVisitor;
        impl<'de> Visitor<'de> for StringsVisitor {
            type Value = Strings;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of strings under `__metadata__`")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Strings, A::Error> {
                let mut strings = BTreeMap::new();
                while let Some((key, value)) = map.next_entry()? {
                    insert_once(&mut strings, key, value)?;
                }
                Ok(Strings(strings))
            }
        }
        deserializer.deserialize_map(StringsVisitor)
    }
}

impl<'de> Deserialize<'de> for RawShape {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ShapeVisitor;
        impl<'de> Visitor<'de> for ShapeVisitor {
            type Value = RawShape;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "a shape of at most {MAX_RANK} extents")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<RawShape, A::Error> {
                let mut shape = Vec::new();
                while let Some(extent) = seq.next_element()? {
                    if shape.len() == MAX_RANK {
                        return Err(de::Error::custom(format_args!("a shape has more than {MAX_RANK} extents")));
                    }
                    shape.push(extent);
                }
                Ok(RawShape(shape))
            }
        }
        deserializer.deserialize_seq(ShapeVisitor)
    }
}

/// JSON allows duplicate names, and readers differ on which one counts; so duplicates are errors.
fn insert_once<T, E: de::Error>(map: &mut BTreeMap<String, T>, name: String, value: T) -> Result<(), E> {
    match map.entry(name) {
        Entry::Vacant(free) => {
            free.insert(value);
            Ok(())
        }
        Entry::Occupied(taken) => Err(E::custom(format_args!("`{}` comes twice", shown(taken.key())))),
    }
}

#[cfg(test)]
#[path = "header_tests.rs"]
mod tests;
