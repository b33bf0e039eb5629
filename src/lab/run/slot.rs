//! The prototypes of a run: the request, folder and state of each. All checks come before any work.

use std::collections::{BTreeMap, HashSet};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::bounded::read_text_at_most;
use crate::digest::sha256_of;
use crate::lab::pictures::Tally;
use crate::method::{Checkpoint, Settings};
use crate::networks::Network;
use crate::ops::ConvAlgorithm;
use crate::picture::{Prepared, prepare, preprocess};
use crate::shape::ImageSpec;
use crate::{Error, Result};
use image::RgbImage;
use serde::Deserialize;

use super::folder::{Existing, Folder, State, refuse_existing};
use super::record::{Config, MAX_RECORD_BYTES};
use super::request::Request;
use crate::lab::disk::check_writable;
use crate::lab::top::Top;

/// One prototype to make.
pub(crate) struct RunSlot {
    pub(crate) request: Request,
    /// The settings of the run, with this prototype's seed and objective.
    pub(crate) settings: Settings,
    pub(crate) folder: Folder,
    /// The image that it starts from, if there is one.
    pub(crate) start: Option<Start>,
    /// The checkpoint's description, if there is a checkpoint to continue from.
    pub(crate) begun: Option<Progress>,
    /// Whether an earlier run made it.
    pub(crate) finished: bool,
    /// Its likeliest classes, if this run made it.
    pub(crate) top: Option<Vec<Top>>,
    /// Why the image may not be what was asked for, if this run made it.
    pub(crate) warning: Option<String>,
    /// Its image, if this run made it and keeps images.
    pub(crate) picture: Option<RgbImage>,
    /// Why this run failed to make it.
    pub(crate) failed: Option<Error>,
}

/// A checkpoint without its tensors. The tensors of a thousand classes take gigabytes, so each batch reads its own.
#[derive(PartialEq)]
pub(crate) struct Progress {
    pub(crate) step: u32,
    pub(crate) adapter: String,
    pub(crate) kernels: BTreeMap<String, ConvAlgorithm>,
}

impl Progress {
    fn of(checkpoint: &Checkpoint) -> Self {
        let (adapter, kernels) = (checkpoint.adapter.clone(), checkpoint.kernels.clone());
        Self { step: checkpoint.step(), adapter, kernels }
    }
}

impl RunSlot {
    /// The checkpoint to continue from, if there is one.
    pub(crate) fn checkpoint(&self) -> Result<Option<Checkpoint>> {
        let Some(begun) = &self.begun else { return Ok(None) };
        let found = self.folder.checkpoint()?;
        if Progress::of(&found) != *begun {
            let folder = self.folder.path().display();
            return Err(Error::Device(format!("{folder} has changed: another run is writing to it")));
        }
        Ok(Some(found))
    }

    /// Whether there is something left to do.
    pub(crate) fn is_open(&self) -> bool {
        !self.finished && self.top.is_none() && self.failed.is_none()
    }

    /// Its likeliest classes, from this run or from its record; empty if that cannot be read.
    pub(crate) fn seen_as(&self) -> Vec<Top> {
        self.top.clone().unwrap_or_else(|| recorded_top(&self.folder))
    }

    /// Whether two fit into one batch: they are at the same step, have the same kernels, and their objectives have one form.
    fn goes_with(&self, other: &Self) -> bool {
        let [ours, theirs] = [self, other].map(|slot| slot.begun.as_ref().map(|begun| &begun.kernels));
        self.step() == other.step() && ours == theirs && self.request.resolved.same_form(&other.request.resolved)
    }

    /// Whether it is compared with the other seeds of its class, which must then be in its batch.
    fn compares_seeds(&self) -> bool {
        self.settings.regularizers.compares_seeds()
    }

    /// Steps made by earlier processes.
    pub(crate) fn step(&self) -> u32 {
        self.begun.as_ref().map_or(0, |begun| begun.step)
    }
}

/// An image to start from.
#[derive(Clone)]
pub(crate) struct Start {
    path: PathBuf,
    /// `[C,H,W]` in `[0,1]`, if all prototypes start from it. Others are read for their batch.
    pixels: Option<Arc<[f32]>>,
    /// Whether it is transparent and was put on white.
    on_white: bool,
    /// The SHA-256 of its file.
    pub(crate) sha256: String,
}

impl Start {
    /// Counts it.
    pub(crate) fn count(&self, tally: &mut Tally) {
        tally.add(&self.path, self.on_white);
    }

    /// Its pixels, as an image of this shape.
    pub(crate) fn pixels(&self, image: ImageSpec) -> Result<Arc<[f32]>> {
        self.pixels.clone().map_or_else(|| preprocess(&self.path, image).map(Arc::from), Ok)
    }

    fn of(path: PathBuf, config: Option<&Config>) -> Result<Self> {
        let sha256 = File::open(&path).and_then(sha256_of).map_err(Error::io("read", &path))?;
        if let Some(config) = config {
            config.check_init(&sha256, &path)?;
        }
        Ok(Self { path, pixels: None, on_white: false, sha256 })
    }
}

/// Reads the image that the settings start from, if they name one.
fn start(settings: &Settings, config: Option<&Config>, network: &Network) -> Result<Option<Start>> {
    let Some(path) = settings.init_image() else { return Ok(None) };
    let Prepared { pixels, on_white } = prepare(path, settings.image(network.image()))?;
    Ok(Some(Start { pixels: Some(pixels.into()), on_white, ..Start::of(path.clone(), config)? }))
}

/// The image that each prototype starts from: that of the settings, or, if this is a folder of prototypes, the one in it with the same name
/// and seed.
fn starts(
    wanted: &[(Request, u64)],
    settings: &Settings,
    config: Option<&Config>,
    network: &Network,
) -> Result<Vec<Option<Start>>> {
    let Some(out) = settings.init_image().filter(|path| path.is_dir()) else {
        return Ok(vec![start(settings, config, network)?; wanted.len()]);
    };
    let advice = ": {init} with a folder needs a finished prototype of each class and seed in it";
    let of = |(request, seed): &(Request, u64)| {
        let picture = Folder::new(out, &request.slug, *seed, Existing::Resume).picture();
        Start::of(picture, config).map(Some).map_err(|error| error.advised(advice))
    };
    wanted.iter().map(of).collect()
}

/// The slots of all prototypes. Checks that their folders are free or can be continued, and that they are writable.
pub(crate) fn slots(
    wanted: &[(Request, u64)],
    out: &Path,
    existing: Existing,
    settings: &Settings,
    config: Option<&Config>,
    steps_given: bool,
    network: &Network,
) -> Result<Vec<RunSlot>> {
    let starts = starts(wanted, settings, config, network)?;
    let folder = |(request, seed): &(Request, u64)| Folder::new(out, &request.slug, *seed, existing);
    let folders: Vec<Folder> = wanted.iter().map(folder).collect();
    refuse_existing(folders.iter())?;
    let mut seen = HashSet::new();
    if let Some(twice) = folders.iter().find(|folder| !seen.insert(folder.path())) {
        let path = twice.path().display();
        return Err(Error::input(format!("two prototypes would share the folder {path}: make them in separate runs")));
    }
    check_writable(folders.iter().map(Folder::path))?;
    let slot = |(((request, seed), folder), start): ((&(Request, u64), Folder), Option<Start>)| {
        let settings = Settings { seed: *seed, ..request.settings(settings) };
        let state = folder.state(settings.total_steps(), |found| {
            let image = network.image();
            if found.shape != [image.channels, image.height, image.width] {
                return Err(Error::input(format!("its image is {:?}, but the network takes {image}", found.shape)));
            }
            let (steps, begun) = (settings.steps, found.settings.steps);
            if steps != begun && !steps_given {
                return Err(Error::input("it was started with").advised(format!(" {{steps}} {begun}: use the same")));
            }
            found.check_continues(request.class, &settings, network)
        })?;
        let finished = matches!(state, State::Finished);
        let begun = if let State::InProgress(checkpoint) = state { Some(Progress::of(&checkpoint)) } else { None };
        Ok(RunSlot {
            request: request.clone(),
            settings,
            folder,
            start,
            begun,
            finished,
            top: None,
            warning: None,
            picture: None,
            failed: None,
        })
    };
    wanted.iter().zip(folders).zip(starts).map(slot).collect()
}

/// The next batch: at most `most` open slots that fit together. Slots that are compared with the other seeds of their class come as whole
/// classes, and at least as one.
pub(crate) fn next_batch(slots: &mut [RunSlot], most: usize) -> Vec<&mut RunSlot> {
    let Some(first) = slots.iter().position(RunSlot::is_open) else { return Vec::new() };
    let together: Vec<bool> = slots.iter().map(|slot| slot.is_open() && slot.goes_with(&slots[first])).collect();
    let count = together.iter().filter(|&&together| together).count();
    let seeds =
        slots.iter().zip(&together).filter(|(slot, together)| **together && slot.request.is(&slots[first].request));
    let len = match slots[first].compares_seeds() {
        true => whole_batch_len(count, seeds.count(), most),
        false => batch_len(count, most),
    };
    slots.iter_mut().zip(together).filter(|(_, together)| *together).map(|(slot, _)| slot).take(len).collect()
}

/// [`batch_len`], in whole groups of `seeds` slots.
fn whole_batch_len(n: usize, seeds: usize, most: usize) -> usize {
    seeds * batch_len(n.div_ceil(seeds), (most / seeds).max(1))
}

/// The size of the next batch out of `n` slots, such that batches are few and of about equal size.
pub(crate) fn batch_len(n: usize, most: usize) -> usize {
    n.div_ceil(n.div_ceil(most))
}

/// Checks that no image with a `diversity` term would be alone in its batch, and that the seeds of a class can be compared with each other.
pub(crate) fn check_diverse(slots: &[RunSlot], most: usize) -> Result<()> {
    check_seeds(slots, most)?;
    let mut open: Vec<&RunSlot> = slots.iter().filter(|slot| slot.is_open()).collect();
    while let Some(&first) = open.first() {
        let (group, rest): (Vec<&RunSlot>, _) = open.into_iter().partition(|slot| slot.goes_with(first));
        if first.request.resolved.is_diverse() && leaves_one(group.len(), most) {
            let (name, n) = (&first.request.name, group.len());
            let cure = match &first.begun {
                Some(begun) => {
                    format!(": the others are not at step {} like this one; {{force}} starts again", begun.step)
                }
                None => ": use {seeds} 2 or more, and {batch} 3 or more".into(),
            };
            return Err(Error::input(format!(
                "one image of `{name}` would be alone in its batch ({n} to make, at most {most} per batch), but diversity \
                 needs several"
            ))
            .advised(cure));
        }
        open = rest;
    }
    Ok(())
}

/// Checks that the seeds of each class that are compared with each other are several, at the same step, and fit into one batch.
fn check_seeds(slots: &[RunSlot], most: usize) -> Result<()> {
    let compared = |slot: &&RunSlot| slot.is_open() && slot.compares_seeds();
    for first in slots.iter().filter(compared) {
        let seeds: Vec<&RunSlot> = slots.iter().filter(|slot| slot.request.is(&first.request)).collect();
        let (name, count) = (&first.request.name, seeds.len());
        let wrong = |what: String, cure: String| Err(Error::input(what).advised(cure).field("diversity_weight"));
        if count < 2 {
            let what = format!("compares the prototypes of a class with each other, but there is one of `{name}`");
            return wrong(what, ": use {seeds} 2 or more".into());
        }
        if !seeds.iter().all(|slot| slot.is_open() && slot.goes_with(first)) {
            let what =
                format!("compares the prototypes of `{name}` with each other, but they are not at the same step");
            return wrong(what, ": {force} starts again".into());
        }
        if count > most {
            let what = format!("compares all {count} prototypes of `{name}`, but at most {most} are in a batch");
            return wrong(what, format!(": use {{batch}} {count} or more, or fewer {{seeds}}"));
        }
    }
    Ok(())
}

fn leaves_one(mut n: usize, most: usize) -> bool {
    while n > 1 && most > 1 {
        n -= batch_len(n, most);
    }
    n > 0
}

fn recorded_top(folder: &Folder) -> Vec<Top> {
    #[derive(Default, Deserialize)]
    struct Recorded {
        top: Vec<Top>,
    }
    let text = read_text_at_most(folder.record(), MAX_RECORD_BYTES, "record").unwrap_or_default();
    serde_json::from_str::<Recorded>(&text).unwrap_or_default().top
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_are_few_and_even() {
        let lens = |mut n: usize, most| {
            let mut lens = Vec::new();
            while n > 0 {
                lens.push(batch_len(n, most));
                n -= lens[lens.len() - 1];
            }
            lens
        };
        assert_eq!([lens(1, 8), lens(8, 8), lens(9, 8), lens(64, 64)], [vec![1], vec![8], vec![5, 4], vec![64]]);
        assert_eq!([lens(7, 3), lens(5, 4)], [vec![3, 2, 2], vec![3, 2]]);
        assert_eq!([whole_batch_len(10, 5, 8), whole_batch_len(20, 5, 10), whole_batch_len(15, 5, 10)], [5, 10, 10]);
        assert_eq!([whole_batch_len(5, 5, 3), whole_batch_len(5, 5, 64)], [5, 5]);
        for n in 1..40 {
            for most in 1..12 {
                assert_eq!(leaves_one(n, most), lens(n, most).contains(&1), "{n} {most}");
                assert!(lens(n, most).len() == n.div_ceil(most), "{n} {most}");
            }
        }
    }
}
