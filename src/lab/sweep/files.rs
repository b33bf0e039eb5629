//! A sweep's folder, and its files.
//!
//! Every file is written under a temporary name and renamed. `plan.json` comes first; it says what the points have in common. A point's
//! images come before its record, and `sweep.json` comes last. So a process may be killed at any moment: if a record exists, so do the
//! files that it names.

use std::io::Write;
use std::path::{Path, PathBuf};

use crate::atomic::write_atomically;
use crate::bounded::{if_there, read_at_most};
use crate::digest::sha256_hex;
use crate::method::former_names::{current, current_value, to_current};
use crate::report::sweep::{SweepAxis, SweepPoint};
use crate::{Error, Result};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::grid::{former_name, name};
use crate::lab::disk::{remove, remove_leftovers};

/// The plan's layout and version.
pub(crate) const PLAN_FORMAT: &str = "protogpu sweep plan 1";
/// A point's layout and version.
pub(crate) const POINT_FORMAT: &str = "protogpu sweep point 1";
/// The plan.
pub(crate) const PLAN: &str = "plan.json";
/// The table. If it exists, the sweep is complete.
pub(crate) const TABLE: &str = "sweep.json";
/// The folder of points.
pub(crate) const POINTS: &str = "points";
/// What judges said about a point, beside its images.
pub(crate) const JUDGES: &str = "judges.json";
/// The longest plan or point that is read.
const MAX_BYTES: u64 = 256 << 20;

/// The advice for files that do not fit.
pub(crate) const CURE: &str = "; choose another {out}, or replace its contents with {force}";

/// Adds that advice to an error about a file.
pub(crate) fn or_anew(error: Error) -> Error {
    if matches!(error.cause(), Error::Input(_)) { error.advised(CURE) } else { error }
}

/// The plan of a sweep. Sweeps with equal `about` may share points.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Plan {
    pub(crate) format: String,
    /// The network, classes, images, and how they are compared.
    pub(crate) about: Map<String, Value>,
    /// The settings that points change.
    pub(crate) base: Map<String, Value>,
    /// The varied settings.
    pub(crate) grid: Vec<SweepAxis>,
}

impl Plan {
    /// Reads a plan, of early versions too; `None` if there is no file.
    pub(crate) fn read(path: &Path) -> Result<Option<Self>> {
        let Some(Self { format, about, base, grid }) = read_json(path)? else { return Ok(None) };
        let axis = |SweepAxis { setting, values }| {
            let setting = current(&setting).to_owned();
            let values = values.into_iter().map(|value| current_value(&setting, value)).collect();
            SweepAxis { setting, values }
        };
        let grid = grid.into_iter().map(axis).collect();
        let base = to_current(base).map_err(|error| error.within(format!("{}: ", path.display())))?;
        Ok(Some(Self { format, about, base, grid }))
    }

    /// Whether points have several prototypes of a class.
    pub(crate) fn has_seeds(&self) -> bool {
        self.about.get("seeds").and_then(Value::as_u64).is_some_and(|seeds| seeds > 1)
    }

    /// A digest of the properties that points must share.
    pub(crate) fn digest(&self) -> String {
        sha256_hex(Value::Object(self.about.clone()).to_string())
    }
}

/// A finished point.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) format: String,
    /// [`Plan::digest`].
    pub(crate) plan_sha256: String,
    /// All settings.
    pub(crate) settings: Map<String, Value>,
    /// The adapter that made it, as the driver describes it.
    pub(crate) adapter: String,
    pub(crate) score: SweepPoint,
}

impl Record {
    /// Reads a point, of early versions too; `None` if there is no file.
    pub(crate) fn read(path: &Path) -> Result<Option<Self>> {
        let Some(mut record) = read_json::<Self>(path)? else { return Ok(None) };
        let named = |map| to_current(map).map_err(|error| error.within(format!("{}: ", path.display())));
        record.settings = named(record.settings)?;
        record.score.values = named(record.score.values)?;
        Ok(Some(record))
    }

    /// The paths of its images, relative to the sweep's folder.
    pub(crate) fn pictures(&self) -> impl Iterator<Item = &String> {
        self.score.classes.iter().flat_map(|class| &class.prototypes).map(|one| &one.picture)
    }
}

/// The kernels of the convolutions. A sweep continues with those that it began with.
#[derive(Serialize, Deserialize)]
pub(crate) struct Kernels {
    pub(crate) adapter: String,
    pub(crate) kernels: std::collections::BTreeMap<String, crate::ops::ConvAlgorithm>,
}

/// The folder.
#[derive(Clone, Debug)]
pub(crate) struct Files {
    pub(crate) out: PathBuf,
}

impl Files {
    pub(crate) fn new(out: &Path) -> Self {
        Self { out: out.to_owned() }
    }

    pub(crate) fn plan(&self) -> PathBuf {
        self.out.join(PLAN)
    }

    pub(crate) fn kernels(&self) -> PathBuf {
        self.out.join("kernels.json")
    }

    /// The name of a point's files: its own, or the former one if an early version wrote them.
    pub(crate) fn name(&self, values: &Map<String, Value>) -> String {
        let (name, former) = (name(values), former_name(values));
        let is_there = |name: &str| self.record(name).is_file() || self.error(name).is_file();
        if is_there(&former) && !is_there(&name) { former } else { name }
    }

    pub(crate) fn record(&self, name: &str) -> PathBuf {
        self.out.join(POINTS).join(format!("{name}.json"))
    }

    /// The path of an image, by its path in a record.
    pub(crate) fn picture(&self, path: &str) -> PathBuf {
        self.out.join(path)
    }

    pub(crate) fn error(&self, name: &str) -> PathBuf {
        self.out.join(POINTS).join(format!("{name}.error"))
    }

    /// Before the first write: creates the folders and removes an outdated table. `alone` says that no other process writes here; then
    /// temporary files are leftovers, and are removed too.
    pub(crate) fn begin(&self, alone: bool) -> Result<()> {
        let points = self.out.join(POINTS);
        std::fs::create_dir_all(&points).map_err(Error::io("create", &points))?;
        remove(&self.out.join(TABLE))?;
        if alone {
            remove_leftovers(&self.out)?;
            remove_leftovers(&points)?;
        }
        Ok(())
    }

    /// Writes a point: its images, then its record.
    pub(crate) fn write(&self, record: &Record, pictures: &[(String, Vec<u8>)]) -> Result<()> {
        let folder = self.out.join(POINTS).join(&record.score.name);
        std::fs::create_dir_all(&folder).map_err(Error::io("create", &folder))?;
        remove_leftovers(&folder)?;
        // They saw other images.
        remove(&folder.join(JUDGES))?;
        for (path, png) in pictures {
            write_atomically(self.picture(path), |out| out.write_all(png))?;
        }
        write_json(&self.record(&record.score.name), record)?;
        let Record { score: SweepPoint { name, values, .. }, .. } = record;
        [name, &former_name(values)].iter().try_for_each(|name| remove(&self.error(name)))
    }

    /// Writes the reason for a point's failure.
    pub(crate) fn write_error(&self, name: &str, error: &str) -> Result<()> {
        remove(&self.record(name))?;
        write_atomically(self.error(name), |out| out.write_all(error.as_bytes()))
    }
}

/// Writes a value as JSON.
pub(crate) fn write_json(path: &Path, value: &impl Serialize) -> Result<()> {
    let text = serde_json::to_string_pretty(value).expect("records are plain data") + "\n";
    write_atomically(path, |out| out.write_all(text.as_bytes()))
}

/// Reads such a file; `None` if it does not exist. Its content may be anything.
pub(crate) fn read_json<T: DeserializeOwned>(path: &Path) -> Result<Option<T>> {
    let Some(bytes) = if_there(read_at_most(path, MAX_BYTES, "part of a sweep"))? else { return Ok(None) };
    let value = serde_json::from_slice(&bytes);
    value.map(Some).map_err(|source| Error::input(format!("{} is not part of a sweep: {source}", path.display())))
}

/// The differences between two maps, with paths for nested keys: `network.sha256 is A here but B there`.
pub(crate) fn differences(here: &Map<String, Value>, there: &Map<String, Value>) -> Vec<String> {
    let keys = here.keys().chain(there.keys().filter(|key| !here.contains_key(*key)));
    let at_key = |key: &String| {
        let [a, b] = [here, there].map(|map| map.get(key).unwrap_or(&Value::Null));
        differing(key, a, b)
    };
    keys.flat_map(at_key).collect()
}

/// The differences between two values of one name.
fn differing(name: &str, here: &Value, there: &Value) -> Vec<String> {
    match (here, there) {
        (a, b) if a == b => Vec::new(),
        (Value::Object(a), Value::Object(b)) => {
            differences(a, b).into_iter().map(|what| format!("{name}.{what}")).collect()
        }
        (Value::Array(a), Value::Array(b)) if a.iter().chain(b).any(Value::is_object) => {
            if a.len() != b.len() {
                return vec![format!("{name} are {} here but {} there", a.len(), b.len())];
            }
            let items = a.iter().zip(b).enumerate();
            items.flat_map(|(at, (a, b))| differing(&format!("{name}[{at}]"), a, b)).collect()
        }
        (a, b) => vec![format!("{name} is {} here but {} there", brief(a), brief(b))],
    }
}

fn brief(value: &Value) -> String {
    const LONGEST: usize = 80;
    let text = value.to_string();
    if text.chars().count() <= LONGEST { text } else { text.chars().take(LONGEST).collect::<String>() + "…" }
}

/// The longest image that is read.
const MAX_PICTURE_BYTES: u64 = 64 << 20;

/// The bytes of an image; `None` if the file does not exist.
pub(crate) fn read_picture(path: &Path) -> Result<Option<Vec<u8>>> {
    if_there(read_at_most(path, MAX_PICTURE_BYTES, "image of a prototype"))
}
