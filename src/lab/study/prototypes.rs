//! The prototypes that a study shows beside its numbers.

use std::path::{Path, PathBuf};

use crate::Result;
use crate::analysis::Classifier;
use crate::analysis::similarity::Likely;
use crate::analysis::study::{AskedClass, PrototypeSeen};
use crate::networks::Network;
use crate::picture;

use crate::lab::run::record::{Config, WeightsRecord};
use crate::lab::similarity::inputs::{Pixels, find, prototypes, recorded};
use crate::lab::top::top;
use crate::shape::ImageSpec;

/// The number of likeliest classes per prototype.
const TOP: usize = 3;

/// The given prototypes. Only their records have been read.
pub(crate) struct Given {
    /// The folders, as given.
    pub(crate) paths: Vec<PathBuf>,
    found: Vec<(PathBuf, Config)>,
}

impl Given {
    pub(crate) fn find(folders: &[PathBuf]) -> Result<Self> {
        let found = if folders.is_empty() { Vec::new() } else { find(folders)? };
        Ok(Self { paths: folders.to_vec(), found })
    }

    /// The first given folder.
    pub(super) fn first(&self) -> Option<&Path> {
        self.paths.first().map(PathBuf::as_path)
    }

    /// The weights of the first prototype.
    pub(crate) fn weights(&self) -> Result<Option<&WeightsRecord>> {
        self.found.first().map(|(folder, config)| Ok(&recorded(folder, config)?.weights)).transpose()
    }

    /// The prototypes of some classes.
    ///
    /// # Errors
    /// If one was made with another network.
    pub(super) fn of(&self, classes: &[usize], network: &Network) -> Result<Vec<Prototype>> {
        let all = prototypes(&self.found, network, Pixels::Float)?;
        let of = |class: &usize| all.get(class).map_or(&[][..], Vec::as_slice);
        let taken = classes.iter().flat_map(of).map(|one| Prototype {
            class: one.class,
            seed: one.seed,
            folder: Some(one.folder.display().to_string()),
            pixels: one.pixels.clone(),
        });
        Ok(taken.collect())
    }
}

/// A prototype to show.
pub(super) struct Prototype {
    pub(super) class: usize,
    pub(super) seed: u64,
    /// Its folder; `None` if the study made it.
    pub(super) folder: Option<String>,
    /// `[3,H,W]`.
    pub(super) pixels: Vec<f32>,
}

impl Prototype {
    /// With its likeliest classes.
    pub(super) fn seen(&self, classifier: &Classifier, network: &Network) -> Result<PrototypeSeen> {
        let logits = classifier.logits(&self.pixels)?;
        Ok(PrototypeSeen {
            class: AskedClass { index: self.class, name: network.labels().name(self.class).to_owned() },
            folder: self.folder.clone(),
            seed: self.seed,
            top: top(&logits[0], TOP, network.labels()).into_iter().map(Likely::from).collect(),
        })
    }

    /// As a PNG file.
    pub(super) fn png(&self, image: ImageSpec) -> Result<Vec<u8>> {
        picture::png(&self.pixels, image)
    }
}
