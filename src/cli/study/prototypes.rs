//! The prototypes that stand beside a study.

use std::path::PathBuf;

use crate::Result;
use crate::analysis::Classifier;
use crate::analysis::similarity::Likely;
use crate::analysis::study::{AskedClass, PrototypeSeen};
use crate::networks::Network;
use crate::picture;

use crate::lab::run::record::{Config, WeightsRecord};
use crate::lab::similarity::inputs::{Pixels, find, prototypes, recorded};
use crate::lab::top::top;

/// Classes that are shown for each prototype.
const TOP: usize = 3;

/// Prototypes that were given, of which only the records have been read.
pub(super) struct Given(Vec<(PathBuf, Config)>);

impl Given {
    pub(super) fn find(folders: &[PathBuf]) -> Result<Self> {
        if folders.is_empty() { Ok(Self(Vec::new())) } else { find(folders).map(Self) }
    }

    /// The weights of the first.
    pub(super) fn weights(&self) -> Result<Option<&WeightsRecord>> {
        self.0.first().map(|(folder, config)| Ok(&recorded(folder, config)?.weights)).transpose()
    }

    /// Those of some classes; all must be of the network.
    pub(super) fn of(&self, classes: &[usize], network: &Network) -> Result<Vec<Prototype>> {
        let all = prototypes(&self.0, network, Pixels::Float)?;
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

/// A prototype that is shown.
pub(super) struct Prototype {
    pub(super) class: usize,
    pub(super) seed: u64,
    /// Where it is; none if it was made for the study.
    pub(super) folder: Option<String>,
    /// `[3,H,W]`.
    pub(super) pixels: Vec<f32>,
}

impl Prototype {
    /// With what the network sees in it.
    pub(super) fn seen(&self, classifier: &Classifier, network: &Network) -> Result<PrototypeSeen> {
        let logits = classifier.logits(&self.pixels)?;
        Ok(PrototypeSeen {
            class: AskedClass { index: self.class, name: network.labels().name(self.class).to_owned() },
            folder: self.folder.clone(),
            seed: self.seed,
            top: top(&logits[0], TOP, network.labels()).into_iter().map(Likely::from).collect(),
        })
    }

    /// As a file.
    pub(super) fn png(&self, side: usize) -> Result<Vec<u8>> {
        picture::png(&self.pixels, side)
    }
}
