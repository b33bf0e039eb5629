//! The prototypes of each run, by class and seed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::lab::run::folder::{PICTURE, RECORD};
use crate::lab::run::record::{Recorded, WeightsRecord};
use crate::lab::similarity::inputs::{find, recorded};
use crate::labels::check_name;
use crate::method::Settings;
use crate::{Error, Result};
use serde_json::{Map, Value, json};

/// A class and a seed, which identify a prototype in each run.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) index: usize,
    pub(super) name: String,
    pub(super) seed: u64,
}

/// The prototypes that one network made.
pub(super) struct Run {
    pub(super) folder: PathBuf,
    pub(super) maker: WeightsRecord,
    /// The folder of each prototype.
    pub(super) prototypes: BTreeMap<Key, PathBuf>,
    /// The settings of each prototype, with what else may explain a difference.
    pub(super) settings: Vec<Map<String, Value>>,
    /// The folders of prototypes of other objectives.
    pub(super) without_class: Vec<PathBuf>,
}

/// The runs, in the given order.
pub(crate) struct Inputs {
    pub(super) runs: Vec<Run>,
}

impl Inputs {
    /// Finds the prototypes in each folder.
    ///
    /// # Errors
    /// If a folder is given twice, has no prototype of a class, has prototypes of several networks, or has two of the same class and seed.
    pub(crate) fn find(folders: &[PathBuf]) -> Result<Self> {
        if let Some((_, folder)) = folders.iter().enumerate().find(|&(at, folder)| folders[..at].contains(folder)) {
            let again = format!("{} is given twice", folder.display());
            return Err(Error::input(again).advised(": give each run's folder once"));
        }
        Ok(Self { runs: folders.iter().map(|folder| Run::find(folder)).collect::<Result<_>>()? })
    }

    /// The SHA-256 of the weights of each run, without repetition, with the first record that names them.
    pub(super) fn makers(&self) -> Vec<&WeightsRecord> {
        let mut makers: Vec<&WeightsRecord> = Vec::new();
        for run in &self.runs {
            if makers.iter().all(|known| known.sha256 != run.maker.sha256) {
                makers.push(&run.maker);
            }
        }
        makers
    }

    /// Whether a run was made with weights of this SHA-256.
    pub(crate) fn made_with(&self, sha256: &str) -> bool {
        self.runs.iter().any(|run| run.maker.sha256 == sha256)
    }

    /// Every class and seed of a run, in order.
    pub(super) fn keys(&self) -> Vec<Key> {
        let all: BTreeSet<&Key> = self.runs.iter().flat_map(|run| run.prototypes.keys()).collect();
        all.into_iter().cloned().collect()
    }
}

impl Run {
    fn find(folder: &Path) -> Result<Self> {
        let given = [folder.to_owned()];
        let (mut prototypes, mut settings, mut without_class) = (BTreeMap::new(), Vec::new(), Vec::new());
        let mut maker: Option<WeightsRecord> = None;
        for (inner, config) in find(&given)? {
            let recorded = recorded(&inner, &config)?;
            let wrong = |what: String| Error::input(format!("{}: {what}", inner.join(RECORD).display()));
            let Some(class) = &recorded.class else {
                without_class.push(inner);
                continue;
            };
            check_name(&class.name).map_err(|what| wrong(format!("the name of its class {what}")))?;
            let first = maker.get_or_insert_with(|| recorded.weights.clone());
            if first.sha256 != recorded.weights.sha256 {
                let (folder, inner) = (folder.display(), inner.display());
                return Err(Error::input(format!(
                    "{folder} has prototypes of more than one network: weights of sha256 {} made {inner}, and those of {} another",
                    recorded.weights.sha256, first.sha256
                ))
                .advised(": keep the prototypes of each checkpoint in a folder of their own"));
            }
            let all = config.apply(&Settings::default())?;
            let key = Key { index: class.index, name: class.name.clone(), seed: all.seed };
            settings.push(compared(&all, recorded));
            if let Some(other) = prototypes.insert(key, inner.clone()) {
                let (other, inner) = (other.display(), inner.display());
                let twice = format!("{other} and {inner} are of the same class and seed, so neither can be compared");
                return Err(Error::input(twice).advised(": move one of them to another folder"));
            }
        }
        let Some(maker) = maker else {
            let (folder, count) = (folder.display(), without_class.len());
            let none = format!("none of the {count} prototypes in {folder} is of a class");
            return Err(Error::input(none).advised("; `protogpu run` with {class} makes some"));
        };
        Ok(Self { folder: folder.to_owned(), maker, prototypes, settings, without_class })
    }

    /// The picture of a prototype.
    pub(super) fn picture(&self, key: &Key) -> Option<PathBuf> {
        self.prototypes.get(key).map(|folder| folder.join(PICTURE))
    }
}

/// The settings of a prototype, and what else should be the same in runs that are compared.
fn compared(settings: &Settings, recorded: &Recorded) -> Map<String, Value> {
    let Ok(Value::Object(mut all)) = serde_json::to_value(settings) else { unreachable!("settings are an object") };
    all.insert("architecture".to_owned(), json!(recorded.weights.architecture));
    all.insert("input".to_owned(), json!(recorded.weights.input.as_ref().map(ToString::to_string)));
    all.insert("init_sha256".to_owned(), json!(recorded.init_sha256));
    all.insert("adapter".to_owned(), json!(recorded.adapter.description));
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_given_once() {
        let folders = ["a", "b", "a"].map(PathBuf::from);
        let error = Inputs::find(&folders).err().unwrap().to_string();
        assert_eq!(error, "a is given twice: give each run's folder once");
    }
}
