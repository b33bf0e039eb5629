//! The natural statistics of a network: measures them over photographs, and reads their file for runs.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::disk::check_writable;
use super::observer::{Counted, Event, Note, Observer};
use super::pictures::{Found, find_pictures, relative, stream_pictures, together};
use crate::analysis::moments::Moments;
use crate::atomic::write_atomically;
use crate::bounded::read_at_most;
use crate::digest::sha256_of;
use crate::gpu::Context;
use crate::networks::{Network, Picture, Statistics};
use crate::{Error, Result};

/// The most pictures of a file, whose list must stay small enough to be read.
const MOST_PICTURES: usize = 100_000;

/// A network, and the photographs to measure.
pub(crate) struct StatisticsRequest<'a> {
    network: &'a Network,
    root: &'a Path,
    found: Found,
    /// The most images at once.
    batch: usize,
}

/// Which statistics a run used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StatisticsRecord {
    /// The file as given.
    pub(crate) path: PathBuf,
    pub(crate) sha256: String,
}

/// What was measured.
pub(crate) struct Measured {
    pub(crate) statistics: Statistics,
    /// The images that could not be read, with the reasons.
    pub(crate) unreadable: Vec<String>,
    pub(crate) notes: Vec<String>,
}

impl<'a> StatisticsRequest<'a> {
    /// All images in a folder and its subfolders.
    ///
    /// # Errors
    /// If there are none, or too many.
    pub(crate) fn new(network: &'a Network, root: &'a Path, batch: usize) -> Result<Self> {
        if !root.is_dir() {
            return Err(Error::input(format!("is {}, which is not a folder", root.display())).field("images"));
        }
        let found = find_pictures(&[root.to_owned()])?;
        if found.paths.len() > MOST_PICTURES {
            let (root, count) = (root.display(), found.paths.len());
            return Err(Error::input(format!(
                "{root} has {count} images, but statistics are of at most {MOST_PICTURES}: choose a folder with fewer"
            )));
        }
        Ok(Self { network, root, found, batch })
    }

    /// Measures the photographs, and writes the file. Images that cannot be read are left out and told.
    ///
    /// # Errors
    /// If no image can be read, an activation is not finite, the file cannot be written, or the observer asked to stop.
    pub(crate) fn write(&self, context: &Context, out: &Path, observer: &dyn Observer) -> Result<Measured> {
        check_writable([out.parent().unwrap_or(Path::new(""))])?;
        let mut moments = Moments::new(context, self.network, self.batch.min(self.found.paths.len()))?;
        let total = Some(self.found.paths.len() as u64);
        observer.tell(Event::Counting { what: Counted::Pictures, done: 0, total });
        let measured = self.measure(&mut moments, observer);
        observer.tell(Event::CountingEnded);
        let measured = measured?;
        let bytes = measured.statistics.to_bytes(self.network);
        if bytes.len() as u64 > Statistics::most_bytes(self.network) {
            let what = format!("the list of {} pictures is too long", measured.statistics.pictures.len());
            return Err(Error::input(what).advised(": choose a folder with fewer, or with shorter names, for {images}"));
        }
        write_atomically(out, |file| file.write_all(&bytes))?;
        for reason in &measured.unreadable {
            observer.note(Note::LeftOut(reason));
        }
        measured.notes.iter().for_each(|note| observer.note(Note::Pictures(note)));
        Ok(measured)
    }

    fn measure(&self, moments: &mut Moments, observer: &dyn Observer) -> Result<Measured> {
        let (image, batch, mut pictures) = (moments.image(), moments.batch(), Vec::new());
        let passed = stream_pictures(&self.found.paths, image, batch, |read| {
            let first = self.found.paths[read[0].index].display();
            moments.add(&together(&read)).map_err(|error| match error {
                Error::Input(what) => Error::input(format!("{first} or its batch: {what}")),
                other => other,
            })?;
            pictures.extend(read.iter().map(|picture| self.picture(picture.index)));
            observer.count(read.len())
        })?;
        if let (true, Some((_, first))) = (pictures.is_empty(), passed.unreadable.first()) {
            return Err(Error::input(format!("none of {} images can be read: {first}", self.found.paths.len())));
        }
        let statistics = Statistics::new(moments.layers(), pictures, self.network);
        let unreadable = passed.reasons().chain(self.found.left_out()).collect();
        Ok(Measured { statistics, unreadable, notes: passed.tally.note().into_iter().collect() })
    }

    fn picture(&self, index: usize) -> Picture {
        let path = &self.found.paths[index];
        let sha256 = File::open(path).and_then(sha256_of).unwrap_or_default();
        Picture { file: relative(self.root, path), sha256 }
    }
}

/// The network with the statistics in a file, and their record.
///
/// # Errors
/// If the file cannot be read, is no such file or too large for one, or belongs to another network.
pub(crate) fn with_statistics(network: Network, path: &Path) -> Result<(Network, StatisticsRecord)> {
    let within = |error: Error| error.within(format!("{}: ", path.display()));
    let most = Statistics::most_bytes(&network);
    let bytes = read_at_most(path, most, "file of this network's natural statistics")?;
    let statistics = Statistics::from_bytes(&bytes, &network).map_err(within)?;
    let record = StatisticsRecord { path: path.to_owned(), sha256: statistics.sha256.clone() };
    Ok((network.with_statistics(statistics).map_err(within)?, record))
}
