//! ONNX files: the nodes of a graph, and the values of its tensors. A file is not trusted: see [`wire`] and [`model`].
//!
//! Field numbers and meanings are those of `onnx.proto` (ONNX IR specification, <https://onnx.ai/onnx/repo-docs/IR.html>).

mod model;
pub(super) mod sidecar;
mod tensor;
mod wire;

use std::collections::BTreeMap;
use std::path::{Component, Path};

pub(crate) use model::{Attribute, Model, Node, Port};
pub(crate) use tensor::{Stored, Values};

use super::file_bytes::FileBytes;
use super::header::{Contents, Tensor};
use crate::error::{Error, Result};
use crate::suggest::shown;
use tensor::Place;

/// A model, and the files beside it that hold values of its tensors.
pub(super) struct OnnxFile {
    pub(super) model: Model,
    beside: BTreeMap<String, FileBytes>,
}

impl OnnxFile {
    /// Reads the graph in `file`, and opens the files that it names, all of which must lie in the folder of `path`. Messages begin with
    /// `source`, the file's name.
    pub(super) fn read(source: &str, path: Option<&Path>, file: &[u8]) -> Result<Self> {
        let fail = |what: String| Error::input(format!("{source}: {what}"));
        let model = Model::read(file).map_err(fail)?;
        let mut beside = BTreeMap::new();
        for (name, stored) in &model.stored {
            let Place::External { file, offset, .. } = &stored.place else { continue };
            if !beside.contains_key(file) {
                beside.insert(file.clone(), open_beside(path, file).map_err(fail)?);
            }
            let (has, needs) = (beside[file].get().len(), offset.checked_add(stored.bytes()));
            if needs.is_none_or(|needs| needs > has) {
                let (name, file, len) = (shown(name), shown(file), stored.bytes());
                return Err(fail(format!(
                    "tensor `{name}` is {len} bytes from byte {offset} of {file}, which has {has}; is it a whole download?"
                )));
            }
        }
        Ok(Self { model, beside })
    }

    /// The values of a tensor of the model; `file` is the model's.
    pub(super) fn values(&self, file: &[u8], stored: &Stored) -> Values {
        let bytes = match &stored.place {
            Place::File(range) => &file[range.clone()],
            Place::External { file, offset, .. } => &self.beside[file].get()[*offset..*offset + stored.bytes()],
            Place::Converted(bytes) => bytes,
        };
        stored.values(bytes)
    }

    /// The stored tensors that lie in the model's file, as the tensors of a file are listed.
    pub(super) fn contents(&self) -> Contents {
        let tensor = |(name, stored): (&String, &Stored)| match &stored.place {
            Place::File(bytes) => {
                let tensor = Tensor { dtype: stored.element.dtype(), shape: stored.dims.clone(), bytes: bytes.clone() };
                Some((name.clone(), tensor))
            }
            Place::External { .. } | Place::Converted(_) => None,
        };
        let tensors = self.model.stored.iter().filter_map(tensor).collect();
        Contents { tensors, metadata: self.model.metadata.clone(), notes: Vec::new() }
    }

    /// The bytes of the files beside the model's, in the order of their names.
    pub(super) fn beside(&self) -> impl Iterator<Item = &[u8]> {
        self.beside.values().map(FileBytes::get)
    }
}

/// Opens a file that a model names.
fn open_beside(model: Option<&Path>, file: &str) -> Result<FileBytes, String> {
    let within = Path::new(file).components().all(|part| matches!(part, Component::Normal(_)));
    if !within || file.is_empty() {
        return Err(format!(
            "names the file `{}` for its weights, which is not in the folder of the model",
            shown(file)
        ));
    }
    let folder = model.and_then(Path::parent);
    let missing = |why: String| {
        format!("its weights are in another file, {}, {why}: put both files into one folder", shown(file))
    };
    let Some(folder) = folder else { return Err(missing("and a model in memory has no folder".to_owned())) };
    #[cfg(feature = "native")]
    {
        // A link may lead elsewhere.
        let canonical =
            |path: &Path| path.canonicalize().map_err(|error| missing(format!("which cannot be read ({error})")));
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        let (path, root) = (canonical(&folder.join(file))?, canonical(folder)?);
        if !path.starts_with(&root) {
            let file = shown(file);
            return Err(format!(
                "names the file `{file}` for its weights, which is a link out of the folder of the model"
            ));
        }
        FileBytes::open(&path).map_err(|error| missing(format!("which cannot be read ({error})")))
    }
    #[cfg(not(feature = "native"))]
    Err(missing(format!("and files cannot be read here, in {}", folder.display())))
}

/// Whether a file is an ONNX model: it begins with the version of its format (field 1, at most 20), and field 8 or a producer follows.
pub(super) fn is_onnx(file: &[u8]) -> bool {
    let mut fields = wire::Fields::of(file);
    let version = matches!(fields.next(), Some(Ok((1, wire::Value::Varint(1..=20)))));
    version && matches!(fields.next(), Some(Ok((2..=8 | 14 | 20 | 25, _))))
}
