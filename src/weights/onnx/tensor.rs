//! Tensors of an ONNX file: where their values lie, and how they are read.

use std::ops::Range;

use half::{bf16, f16};
use safetensors::Dtype;

use super::wire::{Damaged, Fields, Value};
use crate::suggest::shown;

/// The types of elements that are read, by `TensorProto.DataType`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ElementType {
    F32,
    U8,
    I8,
    I32,
    I64,
    Bool,
    F16,
    F64,
    BF16,
}

impl ElementType {
    /// The type of a number in a file.
    pub(super) fn of(number: i64) -> Result<Self, String> {
        Ok(match number {
            1 => Self::F32,
            2 => Self::U8,
            3 => Self::I8,
            6 => Self::I32,
            7 => Self::I64,
            9 => Self::Bool,
            10 => Self::F16,
            11 => Self::F64,
            16 => Self::BF16,
            other => {
                let name = match other {
                    4 => "UINT16",
                    5 => "INT16",
                    8 => "STRING",
                    12 => "UINT32",
                    13 => "UINT64",
                    14 | 15 => "complex",
                    17..=20 => "FLOAT8",
                    _ => "unknown",
                };
                return Err(format!("has elements of the type {other} ({name}), which protogpu does not read"));
            }
        })
    }

    /// The size of one element.
    fn bytes(self) -> usize {
        match self {
            Self::U8 | Self::I8 | Self::Bool => 1,
            Self::F16 | Self::BF16 => 2,
            Self::F32 | Self::I32 => 4,
            Self::I64 | Self::F64 => 8,
        }
    }

    /// The same type in a list of tensors.
    pub(super) fn dtype(self) -> Dtype {
        match self {
            Self::F32 => Dtype::F32,
            Self::U8 => Dtype::U8,
            Self::I8 => Dtype::I8,
            Self::I32 => Dtype::I32,
            Self::I64 => Dtype::I64,
            Self::Bool => Dtype::BOOL,
            Self::F16 => Dtype::F16,
            Self::F64 => Dtype::F64,
            Self::BF16 => Dtype::BF16,
        }
    }
}

/// Where the bytes of values are: little-endian, one after the other.
#[derive(Clone, Debug)]
pub(super) enum Place {
    /// In the model's file.
    File(Range<usize>),
    /// In another file, beside the model's: its name, the first byte, and the number of bytes if the model says it.
    External { file: String, offset: usize, bytes: Option<usize> },
    /// Written as variable-length numbers, which were converted.
    Converted(Vec<u8>),
}

/// A tensor in a file.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    pub(crate) element: ElementType,
    pub(crate) dims: Vec<usize>,
    pub(super) place: Place,
}

/// The values of a tensor: floating-point numbers, or integers (and booleans as 0 and 1).
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Values {
    Floats(Vec<f32>),
    Ints(Vec<i64>),
}

/// The most extents of a tensor.
const MAX_RANK: usize = 8;

impl Stored {
    /// Reads a `TensorProto`, a part of `file`, and its name. The error says what is wrong with the tensor.
    pub(super) fn read(file: &[u8], message: &[u8]) -> Result<(String, Self), String> {
        let damaged = |Damaged| "is damaged".to_owned();
        let (mut name, mut dims, mut element, mut place) = (String::new(), Vec::new(), None, None);
        let (mut external, mut is_external) = (Vec::new(), false);
        let mut numbers: Vec<(u32, Value<'_>)> = Vec::new();
        for field in Fields::of(message) {
            let (number, value) = field.map_err(damaged)?;
            match number {
                1 => dims.extend(value.ints().map_err(damaged)?),
                2 => element = Some(value.int().map_err(damaged)?),
                8 => name = value.text().map_err(damaged)?,
                9 => place = Some(range_in(file, value.bytes().map_err(damaged)?)),
                4 | 5 | 7 | 10 => numbers.push((number, value)),
                13 => external.push(pair(value.bytes().map_err(damaged)?).map_err(damaged)?),
                14 => is_external = value.int().map_err(damaged)? == 1,
                _ => {}
            }
        }
        let of = |what: String| if name.is_empty() { what } else { format!("`{}` {what}", shown(&name)) };
        let element = ElementType::of(element.unwrap_or(0)).map_err(of)?;
        let dims: Option<Vec<usize>> = dims.iter().map(|&dim| usize::try_from(dim).ok()).collect();
        let dims =
            dims.filter(|dims| dims.len() <= MAX_RANK).ok_or_else(|| of("has a shape that is not valid".into()))?;
        let bytes = dims.iter().try_fold(element.bytes(), |product, &dim| product.checked_mul(dim));
        let bytes = bytes.ok_or_else(|| of(format!("is {dims:?}, which is more than any file can hold")))?;
        let place = match place {
            _ if is_external => external_place(&external).map_err(of)?,
            Some(range) => Place::File(range),
            None => Self::of_numbers(file, element, &numbers).map_err(|Damaged| of("is damaged".into()))?,
        };
        let found = match &place {
            Place::File(range) => Some(range.len()),
            Place::External { bytes, .. } => *bytes,
            Place::Converted(converted) => Some(converted.len()),
        };
        match found {
            Some(found) if found != bytes => {
                let (name, bits) = (element, bytes);
                Err(of(format!("is {name:?} {dims:?}, that is {bits} bytes, but has {found}")))
            }
            _ => Ok((name.clone(), Self { element, dims, place })),
        }
    }

    /// The values in a list of numbers: `float_data` and the like.
    fn of_numbers(file: &[u8], element: ElementType, numbers: &[(u32, Value<'_>)]) -> Result<Place, Damaged> {
        // Packed floats are the bytes of the values.
        if let [(4 | 10, Value::Bytes(bytes))] = numbers {
            let width = if numbers[0].0 == 4 { ElementType::F32 } else { ElementType::F64 };
            return if width == element { Ok(Place::File(range_in(file, bytes))) } else { Err(Damaged) };
        }
        let mut bytes = Vec::new();
        for &(number, value) in numbers {
            match (number, element) {
                (4, ElementType::F32) => value.floats()?.iter().for_each(|v| bytes.extend(v.to_le_bytes())),
                (10, ElementType::F64) => value.doubles()?.iter().for_each(|v| bytes.extend(v.to_le_bytes())),
                (7, ElementType::I64) => value.ints()?.iter().for_each(|v| bytes.extend(v.to_le_bytes())),
                (5, ElementType::I32) => value.ints()?.iter().for_each(|&v| bytes.extend((v as i32).to_le_bytes())),
                (5, ElementType::F16 | ElementType::BF16) => {
                    value.ints()?.iter().for_each(|&v| bytes.extend((v as u16).to_le_bytes()));
                }
                (5, ElementType::U8 | ElementType::I8 | ElementType::Bool) => {
                    bytes.extend(value.ints()?.iter().map(|&v| v as u8));
                }
                _ => return Err(Damaged),
            }
        }
        Ok(Place::Converted(bytes))
    }

    /// The size of all values, in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.dims.iter().product::<usize>() * self.element.bytes()
    }

    /// The values in these bytes.
    pub(super) fn values(&self, bytes: &[u8]) -> Values {
        fn each<const N: usize, T>(bytes: &[u8], value: impl Fn([u8; N]) -> T) -> Vec<T> {
            bytes.as_chunks().0.iter().map(|&bytes| value(bytes)).collect()
        }
        match self.element {
            ElementType::F32 => Values::Floats(each(bytes, f32::from_le_bytes)),
            ElementType::F64 => Values::Floats(each(bytes, |b| f64::from_le_bytes(b) as f32)),
            ElementType::F16 => Values::Floats(each(bytes, |b| f16::from_le_bytes(b).to_f32())),
            ElementType::BF16 => Values::Floats(each(bytes, |b| bf16::from_le_bytes(b).to_f32())),
            ElementType::I64 => Values::Ints(each(bytes, i64::from_le_bytes)),
            ElementType::I32 => Values::Ints(each(bytes, |b| i64::from(i32::from_le_bytes(b)))),
            ElementType::I8 => Values::Ints(each(bytes, |b| i64::from(i8::from_le_bytes(b)))),
            ElementType::U8 => Values::Ints(each(bytes, |[b]| i64::from(b))),
            ElementType::Bool => Values::Ints(each(bytes, |[b]| i64::from(b != 0))),
        }
    }
}

/// Where a part of a file lies in it.
fn range_in(file: &[u8], part: &[u8]) -> Range<usize> {
    let first = (part.as_ptr() as usize).wrapping_sub(file.as_ptr() as usize).min(file.len());
    first..file.len().min(first + part.len())
}

/// The key and value of a `StringStringEntryProto`.
pub(super) fn pair(message: &[u8]) -> Result<(String, String), Damaged> {
    let (mut key, mut value) = (String::new(), String::new());
    for field in Fields::of(message) {
        match field? {
            (1, text) => key = text.text()?,
            (2, text) => value = text.text()?,
            _ => {}
        }
    }
    Ok((key, value))
}

/// The place that `external_data` names.
fn external_place(entries: &[(String, String)]) -> Result<Place, String> {
    let of = |key: &str| entries.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str());
    let number = |key: &str| match of(key) {
        None => Ok(None),
        Some(text) => text.parse::<usize>().map(Some).map_err(|_| format!("has the {key} `{}`", shown(text))),
    };
    let file = of("location").ok_or("names no file for its values")?.to_owned();
    Ok(Place::External { file, offset: number("offset")?.unwrap_or(0), bytes: number("length")? })
}
