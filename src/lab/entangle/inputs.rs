//! The prototypes, by class.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::lab::run::folder::PICTURE;
use crate::lab::run::record::{Config, WeightsRecord};
use crate::lab::similarity::inputs::{Pixels, Prototype, find, prototypes, recorded};
use crate::networks::Network;
use crate::{Error, Result};

/// The prototypes of some folders.
pub(crate) struct Inputs {
    /// The folder and record of each prototype, by class.
    classes: BTreeMap<usize, Vec<(PathBuf, Config)>>,
    /// The folders of prototypes of other objectives.
    pub(super) without_class: Vec<PathBuf>,
}

impl Inputs {
    /// Finds the prototypes in each folder. Their pixels are read later, class by class.
    ///
    /// # Errors
    /// If there is no prototype of a class.
    pub(crate) fn find(folders: &[PathBuf]) -> Result<Self> {
        let mut inputs = Self { classes: BTreeMap::new(), without_class: Vec::new() };
        for (folder, config) in find(folders)? {
            match recorded(&folder, &config)?.class.as_ref().map(|class| class.index) {
                Some(class) => inputs.classes.entry(class).or_default().push((folder, config)),
                None => inputs.without_class.push(folder),
            }
        }
        if inputs.classes.is_empty() {
            let (first, count) = (inputs.without_class[0].display(), inputs.without_class.len());
            return Err(Error::input(format!(
                "none of the {count} prototypes is of a class, such as {first}: their objectives are other than a class"
            ))
            .advised("; `protogpu run` with {class} makes some"));
        }
        Ok(inputs)
    }

    /// The network that made the first prototype.
    pub(crate) fn maker(&self) -> Result<&WeightsRecord> {
        let (folder, config) = self.all().next().expect("there is a prototype of a class");
        Ok(&recorded(folder, config)?.weights)
    }

    /// The classes, in order, each with the number of its prototypes.
    pub(super) fn classes(&self) -> impl Iterator<Item = (usize, usize)> {
        self.classes.iter().map(|(&class, found)| (class, found.len()))
    }

    /// The number of prototypes of a class.
    pub(super) fn count(&self) -> usize {
        self.all().count()
    }

    /// The prototypes of a class, as floats.
    ///
    /// # Errors
    /// If one was made with another network, or its pixels cannot be read.
    pub(super) fn read(&self, class: usize, network: &Network) -> Result<Vec<Prototype>> {
        Ok(prototypes(&self.classes[&class], network, Pixels::Float)?.remove(&class).unwrap_or_default())
    }

    /// The picture of the first prototype of a class.
    pub(super) fn picture(&self, class: usize) -> (&Path, PathBuf) {
        let folder = &self.classes[&class][0].0;
        (folder, folder.join(PICTURE))
    }

    fn all(&self) -> impl Iterator<Item = &(PathBuf, Config)> {
        self.classes.values().flatten()
    }
}
