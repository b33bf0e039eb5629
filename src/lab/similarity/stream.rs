//! Streams image files through a network.

use std::fs::File;
use std::path::PathBuf;

use crate::analysis::similarity::{Correlator, Observed, Sums, Targets};
use crate::digest::sha256_of;
use crate::lab::observer::Observer;
use crate::lab::pictures::{ImageFolder, Streamed, Tally, stream_pictures, together};
use crate::networks::Picture;
use crate::{Error, Result};

/// The images at `paths` in a folder, as records name them.
pub(crate) fn recorded(folder: &ImageFolder, paths: &[PathBuf]) -> Vec<Picture> {
    let digest = |path: &PathBuf| File::open(path).and_then(sha256_of).unwrap_or_default();
    paths.iter().map(|path| Picture { file: folder.relative(path), sha256: digest(path) }).collect()
}

/// The sums of a class's activations.
///
/// # Errors
/// If no image can be read, or the observer asked to stop.
pub(crate) fn sums(
    correlator: &mut Correlator,
    folder: &ImageFolder,
    paths: &[PathBuf],
    observer: &dyn Observer,
) -> Result<(Sums, Tally)> {
    let (mut sums, mut read) = (Vec::new(), Vec::new());
    let (image, batch) = (correlator.image(), correlator.batch());
    let passed = stream_pictures(paths, image, batch, |pictures| {
        correlator.add(together(&pictures), &mut sums)?;
        read.extend(pictures.iter().map(|picture| paths[picture.index].clone()));
        observer.count(pictures.len())
    })?;
    if let (true, Some((_, first))) = (read.is_empty(), passed.unreadable.first()) {
        return Err(Error::input(format!("none of {} images can be read: {first}", paths.len())));
    }
    let lost: Vec<PathBuf> = passed.unreadable.iter().map(|&(index, _)| paths[index].clone()).collect();
    let reasons = passed.reasons().collect();
    let sums = Sums { pictures: recorded(folder, &read), unreadable: recorded(folder, &lost), sums, reasons };
    Ok((sums, passed.tally))
}

/// The correlations of each image with the targets, one per tensor.
///
/// # Errors
/// As [`Correlator::correlate`], naming the image, or if the observer asked to stop.
pub(crate) fn correlate(
    correlator: &mut Correlator,
    paths: &[PathBuf],
    targets: &Targets<'_>,
    observer: &dyn Observer,
) -> Result<Streamed<Observed>> {
    let (mut seen, image, batch) = (Vec::new(), correlator.image(), correlator.batch());
    let passed = stream_pictures(paths, image, batch, |pictures| {
        let observed = correlator.correlate(&together(&pictures), targets).map_err(|error| match error {
            Error::Input(what) => Error::input(format!("{} or its batch: {what}", paths[pictures[0].index].display())),
            other => other,
        })?;
        seen.extend(pictures.iter().map(|picture| picture.index).zip(observed));
        observer.count(pictures.len())
    })?;
    Ok(Streamed { seen, passed })
}
