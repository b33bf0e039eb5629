//! What a run is to make: which classes, where each goes, and how far each has come. All of it is checked before any work.

use std::path::{Path, PathBuf};

use protogpu::digest::sha256_hex;
use protogpu::nets::Network;
use protogpu::optimize::{Checkpoint, Settings};
use protogpu::picture::preprocess;
use protogpu::{Error, Result};
use serde::Deserialize;

use super::folder::{Existing, Folder, State, check_writable, refuse_existing};
use super::run_goals::Goal;
use super::run_record::Config;
use super::top::Top;

/// One prototype to make.
pub(crate) struct Target {
    pub(crate) goal: Goal,
    /// Those of the run, with this prototype's own seed and objective.
    pub(crate) settings: Settings,
    pub(crate) folder: Folder,
    /// What to go on from.
    pub(crate) begun: Option<Box<Checkpoint>>,
    /// Whether an earlier run had made it.
    pub(crate) finished: bool,
    /// The likeliest classes, once this run has made it.
    pub(crate) made: Option<Vec<Top>>,
    /// Why this run could not make it.
    pub(crate) failed: Option<Error>,
}

impl Target {
    /// Whether there is something left to do.
    pub(crate) fn is_open(&self) -> bool {
        !self.finished && self.made.is_none() && self.failed.is_none()
    }

    /// What it was seen as, by this run or by the record of an earlier one; nothing where that cannot be read.
    pub(crate) fn top(&self) -> Vec<Top> {
        self.made.clone().unwrap_or_else(|| recorded_top(&self.folder))
    }

    /// Steps made by earlier processes.
    pub(crate) fn step(&self) -> u32 {
        self.begun.as_ref().map_or(0, |checkpoint| checkpoint.step())
    }
}

/// A picture to start from.
pub(crate) struct Start {
    /// `[3,H,W]` in `[0,1]`.
    pub(crate) pixels: Vec<f32>,
    /// Of the file.
    pub(crate) sha256: String,
}

/// Reads the picture that the settings start from, if it is one.
pub(crate) fn start(settings: &Settings, config: Option<&Config>, side: usize) -> Result<Option<Start>> {
    let Some(path) = settings.init_image() else { return Ok(None) };
    let pixels = preprocess(path, side)?;
    let bytes = std::fs::read(path).map_err(Error::io("read", path))?;
    let sha256 = sha256_hex(bytes);
    if let Some(config) = config {
        config.check_init(&sha256, path)?;
    }
    Ok(Some(Start { pixels, sha256 }))
}

/// Every prototype's folder, free or fit to go on in, and writable.
pub(crate) fn targets(
    wanted: &[(Goal, u64)],
    out: &Path,
    existing: Existing,
    settings: &Settings,
    steps_given: bool,
    network: &Network,
) -> Result<Vec<Target>> {
    let folder = |(goal, seed): &(Goal, u64)| Folder::new(out, &goal.slug, *seed, existing);
    let folders: Vec<Folder> = wanted.iter().map(folder).collect();
    refuse_existing(folders.iter())?;
    let paths: Vec<PathBuf> = folders.iter().map(|folder| folder.path().to_path_buf()).collect();
    check_writable(paths.iter().map(PathBuf::as_path))?;
    let target = |((goal, seed), folder): (&(Goal, u64), Folder)| {
        let settings = Settings { seed: *seed, ..goal.settings(settings) };
        let state = folder.state(settings.total_steps(), |found| {
            let input = network.input();
            if found.shape != [input.c(), input.h(), input.w()] {
                return Err(Error::input(format!("its image is {:?}, but the network takes {input}", found.shape)));
            }
            let (steps, begun) = (settings.steps, found.settings.steps);
            if steps != begun && !steps_given {
                return Err(Error::input(format!("it was begun with --steps {begun}: repeat that, or give more")));
            }
            found.check_continues(goal.class, &settings, network)
        })?;
        let finished = matches!(state, State::Finished);
        let begun = if let State::Begun(checkpoint) = state { Some(checkpoint) } else { None };
        Ok(Target { goal: goal.clone(), settings, folder, begun, finished, made: None, failed: None })
    };
    wanted.iter().zip(folders).map(target).collect()
}

/// What to make next: at most `most` at once, and only such as have made equally many steps with the same kernels towards
/// objectives of one form.
pub(crate) fn next_batch(targets: &mut [Target], most: usize) -> Vec<&mut Target> {
    let together = |a: &Target, b: &Target| {
        let kernels = [a, b].map(|target| target.begun.as_ref().map(|checkpoint| &checkpoint.kernels));
        a.step() == b.step() && kernels[0] == kernels[1] && a.goal.aim.same_form(&b.goal.aim)
    };
    let mut batch: Vec<&mut Target> = Vec::new();
    for target in targets.iter_mut().filter(|target| target.is_open()) {
        if batch.len() < most && batch.first().is_none_or(|first| together(first, target)) {
            batch.push(target);
        }
    }
    batch
}

fn recorded_top(folder: &Folder) -> Vec<Top> {
    #[derive(Default, Deserialize)]
    struct Recorded {
        top: Vec<Top>,
    }
    let text = std::fs::read_to_string(folder.record()).unwrap_or_default();
    serde_json::from_str::<Recorded>(&text).unwrap_or_default().top
}
