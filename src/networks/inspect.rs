//! Detects the network in a file, and lists everything that does not fit.

use std::collections::HashMap;
use std::fmt;

use super::Architecture;
use super::builder::{Builder, Sizes, extent};
use super::naming::{Head, foreign};
use crate::error::{Error, Result};
use crate::suggest::shown;
use crate::weights::Weights;

/// One tensor that does not fit.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub(crate) enum Misfit {
    /// The network needs it and the file lacks it.
    Missing {
        /// The tensor.
        name: String,
        /// The required shape.
        shape: Vec<usize>,
    },
    /// The file has it, but the network does not need it.
    Unexpected {
        /// The tensor.
        name: String,
        /// Its shape.
        shape: Vec<usize>,
    },
    /// Its shape does not fit the network's width and classes.
    Misshaped {
        /// The tensor.
        name: String,
        /// Its shape.
        shape: Vec<usize>,
        /// The required shape.
        expected: Vec<usize>,
    },
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { name, shape } => write!(f, "missing `{}` {shape:?}", shown(name)),
            Self::Unexpected { name, shape } => write!(f, "unexpected `{}` {shape:?}", shown(name)),
            Self::Misshaped { name, shape, expected } => {
                write!(f, "`{}` is {shape:?} but should be {expected:?}", shown(name))
            }
        }
    }
}

/// The network in a file, according to its tensors.
#[derive(Clone, Debug, serde::Serialize)]
pub(crate) struct Inspection {
    /// The nearest architecture.
    pub(crate) architecture: Architecture,
    /// Channels of the first layer.
    pub(crate) width: usize,
    /// Outputs of the last layer, or 0 without a head.
    pub(crate) classes: usize,
    /// Everything that does not fit; empty if the network can be built.
    pub(crate) misfits: Vec<Misfit>,
    /// Tensors of auxiliary heads, which only training needs.
    pub(crate) left_out: Vec<String>,
}

/// The longest list of misfits in one error message.
const SHOWN: usize = 12;

impl Inspection {
    /// Compares a file's tensors with every architecture, and chooses the best fit.
    pub(crate) fn of(weights: &Weights) -> Self {
        let all = Architecture::OF_TENSORS.iter().filter_map(|name| name.parse().ok());
        let inspections = all.map(|architecture| Self::against(architecture, weights));
        inspections.min_by_key(|inspection| inspection.misfits.len()).expect("there is an architecture")
    }

    /// Compares a file's tensors with one architecture, at the width and number of classes of the file.
    pub(crate) fn against(architecture: Architecture, weights: &Weights) -> Self {
        let Some(definition) = architecture.definition() else {
            return Self { architecture, width: 0, classes: 0, misfits: Vec::new(), left_out: Vec::new() };
        };
        let (width, head) = (extent(weights, definition.first), Head::of(weights));
        let sizes = Sizes { file: Some(weights), image: architecture.usual_image(weights), width };
        let manifest = Builder::manifest(definition.layers, sizes, &head);
        let known: HashMap<&str, &[usize]> = manifest.iter().map(|(name, shape)| (&name[..], &shape[..])).collect();
        let mut misfits = Vec::new();
        for (name, expected) in &manifest {
            match weights.shape(name) {
                None => misfits.push(Misfit::Missing { name: name.clone(), shape: expected.clone() }),
                Some(shape) if shape != expected.as_slice() => {
                    let (name, shape, expected) = (name.clone(), shape.to_vec(), expected.clone());
                    misfits.push(Misfit::Misshaped { name, shape, expected });
                }
                Some(_) => {}
            }
        }
        let is_known = |name: &str| name.ends_with(".num_batches_tracked") || known.contains_key(name);
        let mut left_out = Vec::new();
        for (name, _, shape) in weights.tensors().filter(|(name, ..)| !is_known(name)) {
            if definition.ignored_heads.iter().any(|head| name.starts_with(head)) {
                left_out.push(name.to_owned());
                continue;
            }
            misfits.push(Misfit::Unexpected { name: name.to_owned(), shape: shape.to_vec() });
        }
        Self { architecture, width, classes: head.outputs, misfits, left_out }
    }

    /// Checks that the network can be built.
    ///
    /// # Errors
    /// If there are misfits; the message lists them.
    pub(crate) fn check(&self, weights: &Weights) -> Result<()> {
        let is_empty = self.classes == 0 && weights.shape("fc.weight").is_some();
        if self.misfits.is_empty() && self.width > 0 && !is_empty {
            return Ok(());
        }
        let file = weights.name();
        if self.misfits.is_empty() && is_empty {
            return Err(Error::input(format!("{file}: its head has no outputs")));
        }
        if let Some(network) = foreign(weights) {
            return Err(Error::input(format!("{file}: it is {network}; {AS_ONNX}")));
        }
        if self.width == 0 {
            let first = self.architecture.definition().map_or("", |definition| definition.first);
            return Err(Error::input(format!(
                "{file}: none of its tensors is called `{first}`, as the first of a {} is, or has a name that can be \
                 translated; it has {}. Any classifier can be run as an ONNX model: {AS_ONNX}",
                self.architecture,
                first_tensors(weights)
            )));
        }
        let name = self.architecture.to_string();
        let article = if name.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
        let mut message = format!("{file} is not {article} {name} with torchvision's names:");
        let listed: Vec<&Misfit> = if self.misfits.len() <= SHOWN {
            self.misfits.iter().collect()
        } else {
            // Some of both: a tensor that is missing may be there under another name.
            let (missing, others): (Vec<&Misfit>, Vec<&Misfit>) =
                self.misfits.iter().partition(|misfit| matches!(misfit, Misfit::Missing { .. }));
            let of_others = others.len().min(SHOWN - missing.len().min(SHOWN / 2));
            others.into_iter().take(of_others).chain(missing).take(SHOWN).collect()
        };
        let lines: Vec<String> = listed.iter().map(|misfit| format!("\n  {misfit}")).collect();
        message += &lines.concat();
        if self.misfits.len() > lines.len() {
            let more = self.misfits.len() - lines.len();
            message += &format!("\n  and {more} more; `protogpu weights inspect` lists all");
        }
        Err(Error::input(message + "\nAny classifier can be run as an ONNX model: " + AS_ONNX))
    }
}

/// What to do with a network of another architecture.
const AS_ONNX: &str =
    "export it, in Python: torch.onnx.export(model.eval(), torch.rand(1, 3, 224, 224), \"model.onnx\")";

/// The first names and shapes of a file.
fn first_tensors(weights: &Weights) -> String {
    const AT_MOST: usize = 6;
    let count = weights.tensors().len();
    let first: Vec<String> =
        weights.tensors().take(AT_MOST).map(|(name, _, shape)| format!("`{}` {shape:?}", shown(name))).collect();
    let more = if count > AT_MOST { format!(" and {} more", count - AT_MOST) } else { String::new() };
    first.join(", ") + &more
}
