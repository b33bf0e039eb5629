//! Safetensors files of `f32` tensors, the format of the project's own results.
//!
//! The same contents give the same bytes: tensors and metadata keep their order, which the
//! writer of the `safetensors` crate does not guarantee for metadata. Reading uses that crate and trusts nothing.

use std::collections::BTreeMap;

use safetensors::tensor::{Dtype, SafeTensors};
use serde_json::{Map, Value, json};

use crate::{Error, Result};

/// The metadata and tensors to write.
#[derive(Default)]
pub struct TensorFile<'a> {
    metadata: Map<String, Value>,
    tensors: Vec<(String, Vec<usize>, &'a [f32])>,
}

impl<'a> TensorFile<'a> {
    /// Adds a line of metadata.
    pub fn metadata(mut self, key: &str, value: impl Into<String>) -> Self {
        self.metadata.insert(key.into(), Value::String(value.into()));
        self
    }

    /// Adds a tensor.
    ///
    /// # Panics
    /// If `data` does not fill the shape.
    pub fn tensor(mut self, name: impl Into<String>, shape: &[usize], data: &'a [f32]) -> Self {
        let name = name.into();
        assert_eq!(shape.iter().product::<usize>(), data.len(), "tensor {name} does not fill its shape {shape:?}");
        self.tensors.push((name, shape.to_vec(), data));
        self
    }

    /// The file's bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut header = Map::new();
        if !self.metadata.is_empty() {
            header.insert("__metadata__".into(), Value::Object(self.metadata.clone()));
        }
        let mut end = 0;
        for (name, shape, data) in &self.tensors {
            let start = end;
            end += size_of_val(*data);
            header.insert(name.clone(), json!({"dtype": "F32", "shape": shape, "data_offsets": [start, end]}));
        }
        let mut text = Value::Object(header).to_string();
        // The data begins at a multiple of 8, so readers may map it.
        text.push_str(&" ".repeat(text.len().next_multiple_of(8) - text.len()));
        let mut bytes = Vec::with_capacity(8 + text.len() + end);
        bytes.extend((text.len() as u64).to_le_bytes());
        bytes.extend(text.as_bytes());
        for (_, _, data) in &self.tensors {
            bytes.extend(data.iter().flat_map(|x| x.to_le_bytes()));
        }
        bytes
    }
}

/// The contents of such a file: each tensor's shape and values, and the metadata.
#[derive(Debug, Default, PartialEq)]
pub struct Tensors {
    metadata: BTreeMap<String, String>,
    tensors: BTreeMap<String, (Vec<usize>, Vec<f32>)>,
}

impl Tensors {
    /// Reads bytes, which are not trusted. All tensors must be `f32` and finite.
    ///
    /// # Errors
    /// [`Error::Input`] if they are not, or if the bytes are not a safetensors file.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let unreadable = |source| Error::input(format!("not a readable safetensors file: {source}"));
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(unreadable)?;
        let file = SafeTensors::deserialize(bytes).map_err(unreadable)?;
        let mut tensors = BTreeMap::new();
        for (name, view) in file.iter() {
            if view.dtype() != Dtype::F32 {
                return Err(Error::input(format!("tensor `{name}` is {}, not F32", view.dtype())));
            }
            let (chunks, _) = view.data().as_chunks();
            let data: Vec<f32> = chunks.iter().map(|chunk| f32::from_le_bytes(*chunk)).collect();
            if let Some(at) = data.iter().position(|x| !x.is_finite()) {
                return Err(Error::input(format!("tensor `{name}` has {} at index {at}", data[at])));
            }
            tensors.insert(name.to_owned(), (view.shape().to_vec(), data));
        }
        Ok(Self { metadata: header.metadata().clone().unwrap_or_default().into_iter().collect(), tensors })
    }

    /// A line of metadata.
    pub fn metadata(&self, key: &str) -> Result<&str> {
        self.optional_metadata(key).ok_or_else(|| Error::input(format!("metadata `{key}` is missing")))
    }

    /// A line of metadata that older files do not have.
    pub fn optional_metadata(&self, key: &str) -> Option<&str> {
        self.metadata.get(key).map(String::as_str)
    }

    /// The names of the tensors that were not taken out.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    /// Takes out a tensor.
    ///
    /// # Errors
    /// If there is no tensor `name`.
    pub fn take(&mut self, name: &str) -> Result<(Vec<usize>, Vec<f32>)> {
        self.tensors.remove(name).ok_or_else(|| Error::input(format!("tensor `{name}` is missing")))
    }

    /// The only tensor of the file.
    pub fn only(mut self) -> Result<(Vec<usize>, Vec<f32>)> {
        match (self.tensors.pop_first(), self.tensors.len()) {
            (Some((_, tensor)), 0) => Ok(tensor),
            (_, more) => Err(Error::input(format!(
                "it holds {more} tensors, where one is expected",
                more = more + usize::from(more > 0)
            ))),
        }
    }

    /// Takes out a tensor with a given shape.
    ///
    /// # Errors
    /// As [`Tensors::take`], and if it has another shape.
    pub fn take_shaped(&mut self, name: &str, shape: &[usize]) -> Result<Vec<f32>> {
        let (found, data) = self.take(name)?;
        if found == shape {
            Ok(data)
        } else {
            Err(Error::input(format!("tensor `{name}` has shape {found:?}, expected {shape:?}")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let (a, b) = ([1.0, -2.5, 3.0], [0.125; 4]);
        let file = TensorFile::default().metadata("z", "1").metadata("a", "\"2\"");
        let bytes = file.tensor("second", &[1, 3], &a).tensor("first", &[2, 2, 1], &b).to_bytes();
        assert_eq!(bytes.len() % 4, 0);
        let mut back = Tensors::from_bytes(&bytes).unwrap();
        assert_eq!((back.metadata("z").unwrap(), back.metadata("a").unwrap()), ("1", "\"2\""));
        assert_eq!(back.take("first").unwrap(), (vec![2, 2, 1], b.to_vec()));
        assert_eq!(back.take_shaped("second", &[1, 3]).unwrap(), a);
        assert!(back.take("first").is_err() && back.metadata("b").is_err());
    }

    #[test]
    fn damage_is_an_error() {
        let bytes = TensorFile::default().tensor("x", &[2], &[1.0, 2.0]).to_bytes();
        for len in 0..bytes.len() {
            assert!(Tensors::from_bytes(&bytes[..len]).is_err(), "{len}");
        }
        let nan = TensorFile::default().tensor("x", &[2], &[1.0, f32::NAN]).to_bytes();
        let error = Tensors::from_bytes(&nan).unwrap_err().to_string();
        assert_eq!(error, "tensor `x` has NaN at index 1");
        let mut lying = bytes.clone();
        lying[..8].copy_from_slice(&u64::MAX.to_le_bytes());
        assert!(Tensors::from_bytes(&lying).is_err());
    }
}
