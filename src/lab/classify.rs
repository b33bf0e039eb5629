//! The likeliest classes of image files.

use std::fmt::Display;
use std::path::PathBuf;

use serde::Serialize;

use super::pictures::{Found, Passed, classify, find_pictures};
use super::top::{Top, top};
use crate::analysis::Classifier;
use crate::gpu::Context;
use crate::networks::Network;
use crate::{Error, Result};

/// Refuses logits that are not all finite. `image` is for the message.
///
/// # Errors
/// If one is NaN or infinite.
pub(crate) fn check_finite(logits: &[f32], network: &Network, image: impl Display) -> Result<()> {
    if logits.iter().all(|logit| logit.is_finite()) {
        return Ok(());
    }
    let name = network.weights().name();
    Err(Error::input(format!("{name}: its logits for {image} are not all finite")))
}

/// The image files to classify.
pub(crate) struct ClassifyRequest<'a> {
    network: &'a Network,
    found: Found,
    top: usize,
    batch: usize,
}

/// An image file with its likeliest classes.
#[derive(Serialize)]
pub(crate) struct Classified {
    pub(crate) path: String,
    pub(crate) top: Vec<Top>,
}

impl<'a> ClassifyRequest<'a> {
    /// Finds the images: `top` classes of each, `batch` images at once.
    ///
    /// # Errors
    /// If a file does not exist, or a folder contains no image.
    pub(crate) fn new(network: &'a Network, given: &[PathBuf], top: usize, batch: usize) -> Result<Self> {
        let found = find_pictures(given)?;
        for path in given {
            std::fs::metadata(path).map_err(Error::io("read", path))?;
        }
        Ok(Self { network, batch: batch.min(found.paths.len()), found, top })
    }

    /// The images in folders that are in formats that are not read.
    pub(crate) fn left_out(&self) -> Vec<String> {
        self.found.left_out()
    }

    /// The number of images.
    pub(crate) fn len(&self) -> usize {
        self.found.paths.len()
    }

    /// Classifies the images, and passes each batch to `consume`. An image that cannot be read does not affect the others.
    ///
    /// # Errors
    /// If the device is lost, or the first error that `consume` returns.
    pub(crate) fn run(
        &self,
        context: &Context,
        mut consume: impl FnMut(Vec<Classified>) -> Result<()>,
    ) -> Result<Passed> {
        let classifier = Classifier::new(context, self.network, self.batch)?;
        let classified = |(index, logits): (usize, Vec<f32>)| Classified {
            path: self.found.paths[index].display().to_string(),
            top: top(&logits, self.top, self.network.labels()),
        };
        classify(&classifier, &self.found.paths, |batch| consume(batch.into_iter().map(classified).collect()))
    }
}
