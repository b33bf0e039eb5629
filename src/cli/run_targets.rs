//! What a run is to make: which classes, where each goes, and how far each has come. All of it is checked before any work.

use std::path::{Path, PathBuf};

use protogpu::digest::sha256_hex;
use protogpu::labels::Labels;
use protogpu::nets::Network;
use protogpu::optimize::{Checkpoint, Settings};
use protogpu::picture::preprocess;
use protogpu::{Error, Result};

use super::folder::{Existing, Folder, State, check_writable, refuse_existing};
use super::run_goals::Goal;
use super::run_record::{Config, Recorded};

/// One prototype to make.
pub(crate) struct Target {
    pub(crate) goal: Goal,
    pub(crate) folder: Folder,
    /// What to go on from.
    pub(crate) begun: Option<Box<Checkpoint>>,
    /// Whether there is nothing left to do.
    pub(crate) finished: bool,
}

impl Target {
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

/// The classes that were asked for, by option, by a record, or by the embedded network's default; each once.
pub(crate) fn classes(given: &[String], config: Option<&Config>, network: &Network) -> Result<Vec<usize>> {
    let labels = network.labels();
    let recorded = config.and_then(|config| config.recorded.as_ref());
    let mut found = Vec::new();
    for text in given {
        found.extend(find(text, labels)?);
    }
    match (found.is_empty(), recorded) {
        (false, _) => {}
        // By its index as text: a record of another network is told the range.
        (true, Some(Recorded { class: Some(class), .. })) => found.push(labels.find(&class.index.to_string())?),
        (true, Some(_)) => return Err(Error::input("the record is of no class: choose one with --class")),
        (true, None) if network.weights().path().is_none() => found.push(0),
        (true, None) => {
            let (file, count, name) = (network.weights().name(), labels.len(), labels.name(labels.len().min(2) - 1));
            return Err(Error::input(format!(
                "which class? {file} has {count} of them: choose with --class by index or name, such as --class '{name}'"
            )));
        }
    }
    let mut once = Vec::new();
    for class in found {
        if !once.contains(&class) {
            once.push(class);
        }
    }
    Ok(once)
}

/// A class, or several separated by commas where no class has such a name.
fn find(text: &str, labels: &Labels) -> Result<Vec<usize>> {
    match labels.find(text) {
        Ok(class) => Ok(vec![class]),
        Err(_) if text.contains(',') => text.split(',').map(|part| labels.find(part)).collect(),
        Err(error) => Err(error),
    }
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
    goals: &[Goal],
    out: &Path,
    existing: Existing,
    settings: &Settings,
    steps_given: bool,
    network: &Network,
) -> Result<Vec<Target>> {
    let folders: Vec<Folder> = goals.iter().map(|goal| Folder::new(out, &goal.slug, settings.seed, existing)).collect();
    refuse_existing(folders.iter())?;
    let paths: Vec<PathBuf> = folders.iter().map(|folder| folder.path().to_path_buf()).collect();
    check_writable(paths.iter().map(PathBuf::as_path))?;
    let target = |(goal, folder): (&Goal, Folder)| {
        let state = folder.state(settings.total_steps(), |found| {
            let input = network.input();
            if found.shape != [input.c(), input.h(), input.w()] {
                return Err(Error::input(format!("its image is {:?}, but the network takes {input}", found.shape)));
            }
            let (steps, begun) = (settings.steps, found.settings.steps);
            if steps != begun && !steps_given {
                return Err(Error::input(format!("it was begun with --steps {begun}: repeat that, or give more")));
            }
            found.check_continues(goal.class, &goal.settings(settings), network)
        })?;
        let finished = matches!(state, State::Finished);
        let begun = if let State::Begun(checkpoint) = state { Some(checkpoint) } else { None };
        Ok(Target { goal: goal.clone(), folder, begun, finished })
    };
    goals.iter().zip(folders).map(target).collect()
}

/// Groups what is left to do: at most `batch` at once, and only such as have made equally many steps with the same kernels
/// towards objectives of one form.
pub(crate) fn batches(targets: &mut [Target], batch: usize) -> Vec<Vec<&mut Target>> {
    let together = |a: &Target, b: &Target| {
        let kernels = [a, b].map(|target| target.begun.as_ref().map(|checkpoint| &checkpoint.kernels));
        a.step() == b.step() && kernels[0] == kernels[1] && a.goal.aim.same_form(&b.goal.aim)
    };
    let mut groups: Vec<Vec<&mut Target>> = Vec::new();
    for target in targets.iter_mut().filter(|target| !target.finished) {
        match groups.iter_mut().find(|group| together(group[0], target) && group.len() < batch) {
            Some(group) => group.push(target),
            None => groups.push(vec![target]),
        }
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_commas_come_before_lists() {
        let labels = Labels::from_names(["a", "b", "a, b"].map(String::from).to_vec()).unwrap();
        assert_eq!(find("a, b", &labels).unwrap(), [2]);
        assert_eq!(find("b,a", &labels).unwrap(), [1, 0]);
        assert_eq!(find("2", &labels).unwrap(), [2]);
        assert!(find("a,c", &labels).is_err() && find("c", &labels).is_err());
    }
}
