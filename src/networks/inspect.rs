//! Detects the network in a file, and lists everything that does not fit.

use std::collections::HashMap;
use std::fmt;

use super::Architecture;
use super::architecture::RGB_224;
use super::builder::{Builder, Sizes, extent};
use crate::error::{Error, Result};
use crate::shape::ImageSpec;
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
    /// Number of classes.
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
        let [width, classes] = definition.sized_by.map(|name| extent(weights, name));
        let image = ImageSpec { channels: architecture.image_channels(weights), ..RGB_224 };
        let manifest = Builder::manifest(definition.layers, Sizes { file: Some(weights), image, width, classes });
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
        Self { architecture, width, classes, misfits, left_out }
    }

    /// Checks that the network can be built.
    ///
    /// # Errors
    /// If there are misfits; the message lists them.
    pub(crate) fn check(&self, weights: &Weights) -> Result<()> {
        if self.misfits.is_empty() && self.width > 0 && self.classes > 0 {
            return Ok(());
        }
        let lines = self.misfits.iter().take(SHOWN).map(|m| format!("\n  {m}"));
        let name = self.architecture.to_string();
        let article = if name.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
        let mut message = format!(
            "{} is not {article} {name} with torchvision's names:{}",
            weights.name(),
            lines.collect::<String>()
        );
        if self.misfits.len() > SHOWN {
            let more = self.misfits.len() - SHOWN;
            message += &format!("\n  and {more} more; `protogpu weights inspect` lists all");
        }
        if self.misfits.is_empty() {
            message += " it has no channels or no classes";
        }
        Err(Error::input(message))
    }
}
