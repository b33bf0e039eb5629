//! The natural side of path similarity: which pictures, their mean activations and their own similarity, kept in files so that
//! an interrupted measurement goes on and the next one begins there.

use std::io::Write;
use std::path::{Path, PathBuf};

use crate::analysis::similarity::{
    Correlations, MeanActivations, Observed, Observer, Picture, Streamed, Sums, Targets,
};
use crate::atomic::write_atomically;
use crate::bounded::{if_there, read_at_most};
use crate::digest::sha256_hex;
use crate::networks::Network;
use crate::{Error, Result};
use serde::{Deserialize, Serialize};

use super::choice::Choice;

/// The layout's name and version.
const FORMAT: &str = "protogpu natural similarity 1";
/// The longest file of correlations that is read: above that of some 100,000 pictures.
const MAX_BYTES: u64 = 1 << 30;

/// Hears of each batch's number of pictures, and may end the work with an error.
pub(crate) type Progress<'a> = &'a mut dyn FnMut(usize) -> Result<()>;

/// One natural picture and how similar it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Scored {
    #[serde(flatten)]
    picture: Picture,
    correlations: Correlations,
}

/// What natural pictures score against a mean.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Kept {
    format: String,
    mean_sha256: String,
    leave_one_out: bool,
    tensors: Vec<String>,
    same: Vec<Scored>,
    different: Vec<Scored>,
    unreadable: Vec<Picture>,
    /// Why those could not be read.
    skipped: Vec<String>,
}

/// The natural side of one class.
pub(crate) struct Natural {
    pub(crate) mean: MeanActivations,
    pub(crate) same: Vec<Correlations>,
    pub(crate) different: Vec<Correlations>,
    /// Pictures that could not be read.
    pub(crate) skipped: Vec<String>,
    /// Some pictures of the class, to show.
    pub(crate) examples: Vec<PathBuf>,
}

/// Makes natural sides, or finds them.
pub(crate) struct Naturals<'a> {
    pub(crate) network: &'a Network,
    pub(crate) choice: &'a Choice<'a>,
    /// Where means and correlations are kept.
    pub(crate) kept: &'a Path,
    /// Means that were given.
    pub(crate) given: &'a [(PathBuf, MeanActivations)],
    /// Whether what does not fit is replaced.
    pub(crate) force: bool,
}

impl Naturals<'_> {
    /// A class's natural side; `progress` hears of every batch that was looked at.
    pub(crate) fn of(&self, class: usize, observer: &mut Observer, progress: Progress<'_>) -> Result<Natural> {
        let (same, different) = (self.choice.same(class), self.choice.different(class));
        let (mean, sums) = self.mean(class, &same, observer, progress)?;
        let digest = sha256_hex(mean.to_bytes(self.network, observer.layers()));
        let wanted = [&same, &different].map(|paths| Picture::of(self.choice.folder, paths));
        let kept = match self.found(class, &digest, &wanted, observer)? {
            Some(kept) => kept,
            None => {
                let sums = if self.choice.leave_one_out {
                    Some(self.sums(class, &same, sums, observer, progress)?)
                } else {
                    None
                };
                let ranks = mean.ranks(observer.layers())?;
                let own = match &sums {
                    Some(sums) => Targets::WithoutItself(&sums.sums, sums.pictures.len()),
                    None => Targets::Mean(&ranks),
                };
                let same = observer.correlate_files(&same, &own, progress)?;
                let different = observer.correlate_files(&different, &Targets::Mean(&ranks), progress)?;
                let kept = self.scored(digest, observer, &wanted, [same, different]);
                let path = self.correlations_path(class);
                let text = serde_json::to_string(&kept).expect("numbers and names");
                std::fs::create_dir_all(self.kept).map_err(Error::io("create", self.kept))?;
                write_atomically(&path, |out| out.write_all(text.as_bytes()))?;
                kept
            }
        };
        let correlations = |scored: Vec<Scored>| scored.into_iter().map(|scored| scored.correlations).collect();
        let (same_scores, different) = (correlations(kept.same), correlations(kept.different));
        Ok(Natural { mean, same: same_scores, different, skipped: kept.skipped, examples: same })
    }

    /// A class's mean: given, kept, or made now with the sums behind it.
    fn mean(
        &self,
        class: usize,
        paths: &[PathBuf],
        observer: &mut Observer,
        progress: Progress<'_>,
    ) -> Result<(MeanActivations, Option<Sums>)> {
        if let Some((_, mean)) = self.given.iter().find(|(_, mean)| mean.class == class) {
            return Ok((mean.clone(), None));
        }
        let path = self.kept.join(format!("{class}.safetensors"));
        if path.exists() && !self.force {
            let mean = read_mean(&path, self.network, observer)?;
            let wanted = Picture::of(self.choice.folder, paths);
            let known = |picture: &Picture| mean.pictures.contains(picture) || mean.unreadable.contains(picture);
            if mean.class == class
                && wanted.len() == mean.pictures.len() + mean.unreadable.len()
                && wanted.iter().all(known)
            {
                return Ok((mean, None));
            }
            return Err(Error::input(format!(
                "{} is the mean of {} other pictures than are asked for now: give another --means, or replace it with --force",
                path.display(),
                mean.pictures.len()
            )));
        }
        let sums = Sums::over(observer, self.choice.folder, paths, progress)?;
        let mean = MeanActivations::from_sums(class, &sums);
        let bytes = mean.to_bytes(self.network, observer.layers());
        std::fs::create_dir_all(self.kept).map_err(Error::io("create", self.kept))?;
        write_atomically(&path, |out| out.write_all(&bytes))?;
        Ok((mean, Some(sums)))
    }

    /// The sums from which a picture can be taken out.
    fn sums(
        &self,
        class: usize,
        paths: &[PathBuf],
        made: Option<Sums>,
        observer: &mut Observer,
        progress: Progress<'_>,
    ) -> Result<Sums> {
        if let Some((path, _)) = self.given.iter().find(|(_, mean)| mean.class == class) {
            return Err(Error::input(format!(
                "--leave-one-out takes each picture out of the mean, which the file {} does not allow: leave --mean out",
                path.display()
            )));
        }
        made.map_or_else(|| Sums::over(observer, self.choice.folder, paths, progress), Ok)
    }

    fn correlations_path(&self, class: usize) -> PathBuf {
        self.kept.join(format!("{class}.json"))
    }

    /// Kept correlations, if they are of this mean and these pictures. They follow from both, so that others are replaced.
    fn found(
        &self,
        class: usize,
        digest: &str,
        wanted: &[Vec<Picture>; 2],
        observer: &Observer,
    ) -> Result<Option<Kept>> {
        let path = self.correlations_path(class);
        let fits = |kept: &Kept| {
            let part = |scored: &[Scored], wanted: &[Picture]| {
                let read: Vec<&Picture> = scored.iter().map(|scored| &scored.picture).collect();
                read == wanted.iter().filter(|picture| !kept.unreadable.contains(picture)).collect::<Vec<_>>()
            };
            let tensors = observer.layers().tensors().count();
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
            // What cannot be used is made anew.
            Ok(None) | Err(Error::Input(_)) => return Ok(None),
            Err(error) => return Err(error),
        };
        Ok(serde_json::from_slice(&text).ok().filter(fits))
    }

    fn scored(
        &self,
        mean_sha256: String,
        observer: &Observer,
        wanted: &[Vec<Picture>; 2],
        streamed: [Streamed<Observed>; 2],
    ) -> Kept {
        let mut kept = Kept {
            format: FORMAT.to_owned(),
            mean_sha256,
            leave_one_out: self.choice.leave_one_out,
            tensors: observer.layers().tensors().map(str::to_owned).collect(),
            same: Vec::new(),
            different: Vec::new(),
            unreadable: Vec::new(),
            skipped: Vec::new(),
        };
        for ((streamed, wanted), same) in streamed.into_iter().zip(wanted).zip([true, false]) {
            let scored = streamed
                .seen
                .into_iter()
                .map(|(index, seen)| Scored { picture: wanted[index].clone(), correlations: seen.correlations });
            if same { &mut kept.same } else { &mut kept.different }.extend(scored);
            for (index, error) in streamed.unreadable {
                kept.unreadable.push(wanted[index].clone());
                kept.skipped.push(error.to_string());
            }
        }
        kept
    }
}

/// Reads a mean's file, and names it in errors.
pub(crate) fn read_mean(path: &Path, network: &Network, observer: &Observer) -> Result<MeanActivations> {
    let wrong = |what: String| Error::input(format!("{}: {what}", path.display()));
    let most = MeanActivations::most_bytes(network, observer.layers());
    let bytes = read_at_most(path, most, "file of this network's mean activations")?;
    MeanActivations::from_bytes(&bytes, network, observer.layers()).map_err(|error| wrong(error.to_string()))
}
