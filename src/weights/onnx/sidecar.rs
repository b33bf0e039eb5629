//! The file beside a model that says what its input is: `model.onnx.json` for `model.onnx`.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Map, Value};

use crate::bounded::{if_there, read_text_at_most};
use crate::error::{Error, Result};
use crate::suggest::shown;

/// What such a file may say; the keys that the metadata of a safetensors file has.
const KEYS: [&str; 6] = ["range", "mean", "std", "transform_input", "labels", "image_size"];

/// The most bytes that it may have: the names of 21,000 classes are half a megabyte.
const MOST: u64 = 16 << 20;

/// What the file says.
pub(in crate::weights) struct Sidecar {
    /// JSON by key.
    pub(in crate::weights) metadata: BTreeMap<String, String>,
    /// That it was read.
    pub(in crate::weights) note: String,
}

/// Reads the file beside `model`, if there is one.
///
/// # Errors
/// If it is no JSON object, or has a key that has no meaning.
pub(in crate::weights) fn read(model: &Path) -> Result<Option<Sidecar>> {
    let mut path = model.as_os_str().to_owned();
    path.push(".json");
    let path = Path::new(&path);
    let Some(text) = if_there(read_text_at_most(path, MOST, "description of a model"))? else { return Ok(None) };
    let values: Map<String, Value> = serde_json::from_str(&text).map_err(|error| {
        Error::input(format!("{}: it is not a JSON object: {}", path.display(), shown(&error.to_string())))
    })?;
    if let Some(key) = values.keys().find(|key| !KEYS.contains(&&key[..])) {
        let (path, key, keys) = (path.display(), shown(key), KEYS.join(", "));
        return Err(Error::input(format!("{path}: the key `{key}` has no meaning; there are {keys}")));
    }
    let metadata = values.into_iter().map(|(key, value)| (key, value.to_string())).collect();
    Ok(Some(Sidecar { metadata, note: format!("{} says what its input and classes are", path.display()) }))
}
