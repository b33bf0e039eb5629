//! The natural images of path similarity: their mean activations, and their own similarity to these. Both are cached in files, so an
//! interrupted measurement continues and the next one need not repeat them.

use std::io::Write;
use std::path::{Path, PathBuf};

use crate::analysis::similarity::{Correlations, Correlator, MeanActivations, Observed, Sums, Targets};
use crate::atomic::write_atomically;
use crate::bounded::{if_there, read_at_most};
use crate::digest::sha256_hex;
use crate::lab::observer::Observer;
use crate::lab::pictures::{Streamed, Tally};
use crate::networks::{Network, Picture};
use crate::{Error, Result};
use serde::{Deserialize, Serialize};

use super::choice::Choice;
use super::stream::{correlate, recorded, sums};

/// The layout's name and version.
const FORMAT: &str = "protogpu natural similarity 2";
/// The longest file of correlations that is read, enough for about 100,000 images.
const MAX_BYTES: u64 = 1 << 30;

/// A natural image with its correlations.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Scored {
    #[serde(flatten)]
    picture: Picture,
    correlations: Correlations,
}

/// The correlations of natural images with a mean.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Kept {
    format: String,
    mean_sha256: String,
    leave_one_out: bool,
    tensors: Vec<String>,
    same: Vec<Scored>,
    different: Vec<Scored>,
    unreadable: Vec<Picture>,
    /// The reasons for skipped images.
    skipped: Vec<String>,
    /// The images that are transparent and were put on white.
    on_white: Vec<Picture>,
}

/// The natural images of one class, measured.
pub(crate) struct Natural {
    pub(crate) mean: MeanActivations,
    pub(crate) same: Vec<Correlations>,
    pub(crate) different: Vec<Correlations>,
    /// Images that could not be read.
    pub(crate) skipped: Vec<String>,
    /// Which images were put on white.
    pub(crate) tally: Tally,
    /// Some images of the class, to show.
    pub(crate) examples: Vec<PathBuf>,
}

/// Measures natural images, or finds cached measurements.
pub(crate) struct Naturals<'a> {
    pub(crate) network: &'a Network,
    pub(crate) choice: &'a Choice<'a>,
    /// The folder of the cache.
    pub(crate) kept: &'a Path,
    /// Given mean activations.
    pub(crate) given: &'a [(PathBuf, MeanActivations)],
    /// Whether to replace cached files that do not fit.
    pub(crate) force: bool,
}

impl Naturals<'_> {
    /// Measures the natural images of a class. `observer` learns of every batch.
    pub(crate) fn of(&self, class: usize, correlator: &mut Correlator, observer: &dyn Observer) -> Result<Natural> {
        let (same, different) = (self.choice.same(class), self.choice.different(class));
        let (mean, sums) = self.mean(class, &same, correlator, observer)?;
        let digest = sha256_hex(mean.to_bytes(self.network, correlator.layers()));
        let wanted = [&same, &different].map(|paths| recorded(self.choice.folder, paths));
        let kept = match self.found(class, &digest, &wanted, correlator)? {
            Some(kept) => kept,
            None => {
                let sums = if self.choice.leave_one_out {
                    Some(self.sums(class, &same, sums, correlator, observer)?)
                } else {
                    None
                };
                let ranks = mean.ranks(correlator.layers())?;
                let own = match &sums {
                    Some(sums) => Targets::WithoutItself(&sums.sums, sums.pictures.len()),
                    None => Targets::Mean(&ranks),
                };
                let streamed = [
                    correlate(correlator, &same, &own, observer)?,
                    correlate(correlator, &different, &Targets::Mean(&ranks), observer)?,
                ];
                let kept = self.scored(digest, correlator, &wanted, [&same, &different], streamed);
                let path = self.correlations_path(class);
                let text = serde_json::to_string(&kept).expect("numbers and names");
                std::fs::create_dir_all(self.kept).map_err(Error::io("create", self.kept))?;
                write_atomically(&path, |out| out.write_all(text.as_bytes()))?;
                kept
            }
        };
        let mut tally = Tally::default();
        for scored in kept.same.iter().chain(&kept.different) {
            let path = self.choice.folder.root().join(&scored.picture.file);
            tally.add(&path, kept.on_white.contains(&scored.picture));
        }
        let correlations = |scored: Vec<Scored>| scored.into_iter().map(|scored| scored.correlations).collect();
        let (same_scores, different) = (correlations(kept.same), correlations(kept.different));
        Ok(Natural { mean, same: same_scores, different, skipped: kept.skipped, tally, examples: same })
    }

    /// The mean activations of a class: given, cached, or computed now from their sums.
    fn mean(
        &self,
        class: usize,
        paths: &[PathBuf],
        correlator: &mut Correlator,
        observer: &dyn Observer,
    ) -> Result<(MeanActivations, Option<Sums>)> {
        if let Some((_, mean)) = self.given.iter().find(|(_, mean)| mean.class == class) {
            return Ok((mean.clone(), None));
        }
        let path = self.kept.join(format!("{class}.safetensors"));
        if path.exists() && !self.force {
            let mean = read_mean(&path, self.network, correlator)
                .map_err(|error| error.advised(", or replace it with {force}"))?;
            let wanted = recorded(self.choice.folder, paths);
            let known = |picture: &Picture| mean.pictures.contains(picture) || mean.unreadable.contains(picture);
            if mean.class == class
                && wanted.len() == mean.pictures.len() + mean.unreadable.len()
                && wanted.iter().all(known)
            {
                return Ok((mean, None));
            }
            let (path, count) = (path.display(), mean.pictures.len());
            return Err(Error::input(format!("{path} is the mean of {count} other images than this run selects"))
                .advised(": choose another {mean_cache}, or replace it with {force}"));
        }
        let (sums, _) = sums(correlator, self.choice.folder, paths, observer)?;
        let mean = MeanActivations::from_sums(class, &sums);
        let bytes = mean.to_bytes(self.network, correlator.layers());
        std::fs::create_dir_all(self.kept).map_err(Error::io("create", self.kept))?;
        write_atomically(&path, |out| out.write_all(&bytes))?;
        Ok((mean, Some(sums)))
    }

    /// The sums, from which a single image can be subtracted.
    fn sums(
        &self,
        class: usize,
        paths: &[PathBuf],
        made: Option<Sums>,
        correlator: &mut Correlator,
        observer: &dyn Observer,
    ) -> Result<Sums> {
        if let Some((path, _)) = self.given.iter().find(|(_, mean)| mean.class == class) {
            let path = path.display();
            return Err(Error::input(format!(
                "each image must be taken out of the mean, but the file {path} has only the mean"
            ))
            .advised(": drop {mean_file} or {leave_one_out}"));
        }
        made.map_or_else(|| Ok(sums(correlator, self.choice.folder, paths, observer)?.0), Ok)
    }

    fn correlations_path(&self, class: usize) -> PathBuf {
        self.kept.join(format!("{class}.json"))
    }

    /// Cached correlations, if they belong to this mean and these images. Others are computed anew and replaced.
    fn found(
        &self,
        class: usize,
        digest: &str,
        wanted: &[Vec<Picture>; 2],
        correlator: &Correlator,
    ) -> Result<Option<Kept>> {
        let path = self.correlations_path(class);
        let fits = |kept: &Kept| {
            let part = |scored: &[Scored], wanted: &[Picture]| {
                let read: Vec<&Picture> = scored.iter().map(|scored| &scored.picture).collect();
                read == wanted.iter().filter(|picture| !kept.unreadable.contains(picture)).collect::<Vec<_>>()
            };
            let tensors = correlator.layers().tensors().count();
            kept.format == FORMAT
                && kept.mean_sha256 == digest
                && kept.leave_one_out == self.choice.leave_one_out
                && part(&kept.same, &wanted[0])
                && part(&kept.different, &wanted[1])
                && kept.same.iter().chain(&kept.different).all(|scored| scored.correlations.len() == tensors)
        };
        if self.force {
            return Ok(None);
        }
        let text = match if_there(read_at_most(&path, MAX_BYTES, "file of correlations")) {
            Ok(Some(text)) => text,
            // Unusable files are replaced.
            Ok(None) | Err(Error::Input(_)) => return Ok(None),
            Err(error) => return Err(error),
        };
        Ok(serde_json::from_slice(&text).ok().filter(fits))
    }

    fn scored(
        &self,
        mean_sha256: String,
        correlator: &Correlator,
        wanted: &[Vec<Picture>; 2],
        paths: [&[PathBuf]; 2],
        streamed: [Streamed<Observed>; 2],
    ) -> Kept {
        let mut kept = Kept {
            format: FORMAT.to_owned(),
            mean_sha256,
            leave_one_out: self.choice.leave_one_out,
            tensors: correlator.layers().tensors().map(str::to_owned).collect(),
            same: Vec::new(),
            different: Vec::new(),
            unreadable: Vec::new(),
            skipped: Vec::new(),
            on_white: Vec::new(),
        };
        for (((streamed, wanted), paths), same) in streamed.into_iter().zip(wanted).zip(paths).zip([true, false]) {
            let scored = streamed
                .seen
                .into_iter()
                .map(|(index, seen)| Scored { picture: wanted[index].clone(), correlations: seen.correlations });
            if same { &mut kept.same } else { &mut kept.different }.extend(scored);
            for (picture, path) in wanted.iter().zip(paths) {
                if streamed.passed.tally.is_on_white(path) && !kept.on_white.contains(picture) {
                    kept.on_white.push(picture.clone());
                }
            }
            for (index, error) in streamed.passed.unreadable {
                kept.unreadable.push(wanted[index].clone());
                kept.skipped.push(error.to_string());
            }
        }
        kept
    }
}

/// Reads a file of mean activations, and names it in errors.
pub(crate) fn read_mean(path: &Path, network: &Network, correlator: &Correlator) -> Result<MeanActivations> {
    let wrong = |what: String| Error::input(format!("{}: {what}", path.display()));
    let most = MeanActivations::most_bytes(network, correlator.layers());
    let bytes = read_at_most(path, most, "file of this network's mean activations")?;
    MeanActivations::from_bytes(&bytes, network, correlator.layers()).map_err(|error| wrong(error.to_string()))
}
