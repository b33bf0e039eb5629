//! A sweep's folder: what is in it, and what that says after a kill at any moment.
//!
//! Every file is written aside and renamed. `plan.json` comes first: what the points have in common. A point's pictures come before
//! its record, and the table's `sweep.json` last, so that where a record is, the rest is too.

use std::io::Write;
use std::path::{Path, PathBuf};

use protogpu::atomic::{is_aside, write_atomically};
use protogpu::digest::sha256_hex;
use protogpu::report::sweep::{SweepAxis, SweepPoint};
use protogpu::{Error, Result};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The plan's layout and version.
pub(super) const PLAN_FORMAT: &str = "protogpu sweep plan 1";
/// A point's layout and version.
pub(super) const POINT_FORMAT: &str = "protogpu sweep point 1";
/// The plan.
pub(super) const PLAN: &str = "plan.json";
/// The table, which says that it is complete.
pub(super) const TABLE: &str = "sweep.json";
/// Where points are.
pub(super) const POINTS: &str = "points";
/// No plan and no point is longer.
const MAX_BYTES: u64 = 256 << 20;

/// What a sweep is of. Two that are equal in `about` may share points.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Plan {
    pub(super) format: String,
    /// The network, classes, pictures and how they are compared.
    pub(super) about: Map<String, Value>,
    /// The settings that points change.
    pub(super) base: Map<String, Value>,
    /// What is varied.
    pub(super) grid: Vec<SweepAxis>,
}

impl Plan {
    /// A digest of what points must have in common.
    pub(super) fn digest(&self) -> String {
        sha256_hex(Value::Object(self.about.clone()).to_string())
    }
}

/// A finished point.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Record {
    pub(super) format: String,
    /// [`Plan::digest`].
    pub(super) plan_sha256: String,
    /// All settings.
    pub(super) settings: Map<String, Value>,
    /// The adapter that made it, as the driver describes it.
    pub(super) adapter: String,
    pub(super) score: SweepPoint,
}

/// Which kernels compute the convolutions, so that a sweep goes on with those it began with.
#[derive(Serialize, Deserialize)]
pub(super) struct Kernels {
    pub(super) adapter: String,
    pub(super) kernels: std::collections::BTreeMap<String, protogpu::ops::Variant>,
}

/// The folder.
#[derive(Clone, Debug)]
pub(super) struct Files {
    pub(super) out: PathBuf,
}

impl Files {
    pub(super) fn new(out: &Path) -> Self {
        Self { out: out.to_owned() }
    }

    pub(super) fn plan(&self) -> PathBuf {
        self.out.join(PLAN)
    }

    pub(super) fn kernels(&self) -> PathBuf {
        self.out.join("kernels.json")
    }

    pub(super) fn record(&self, name: &str) -> PathBuf {
        self.out.join(POINTS).join(format!("{name}.json"))
    }

    /// A picture by its path in a record.
    pub(super) fn picture(&self, path: &str) -> PathBuf {
        self.out.join(path)
    }

    pub(super) fn error(&self, name: &str) -> PathBuf {
        self.out.join(POINTS).join(format!("{name}.error"))
    }

    /// Before the first write: the folders, no table that would no longer be true, and nothing that a killed process left aside.
    /// Where others write at the same time, what is aside may be theirs.
    pub(super) fn begin(&self, alone: bool) -> Result<()> {
        let points = self.out.join(POINTS);
        std::fs::create_dir_all(&points).map_err(Error::io("create", &points))?;
        remove(&self.out.join(TABLE))?;
        if alone {
            remove_asides(&self.out)?;
            remove_asides(&points)?;
        }
        Ok(())
    }

    /// Writes a point: its pictures, then its record.
    pub(super) fn write(&self, record: &Record, pictures: &[(String, Vec<u8>)]) -> Result<()> {
        let folder = self.out.join(POINTS).join(&record.score.name);
        std::fs::create_dir_all(&folder).map_err(Error::io("create", &folder))?;
        remove_asides(&folder)?;
        for (path, png) in pictures {
            write_atomically(self.picture(path), |out| out.write_all(png))?;
        }
        write_json(&self.record(&record.score.name), record)?;
        remove(&self.error(&record.score.name))
    }

    /// Keeps why a point could not be made. Where that cannot be written either, the caller has it all the same.
    pub(super) fn write_error(&self, name: &str, error: &str) -> Result<()> {
        remove(&self.record(name))?;
        write_atomically(self.error(name), |out| out.write_all(error.as_bytes()))
    }
}

/// Writes a value as JSON.
pub(super) fn write_json(path: &Path, value: &impl Serialize) -> Result<()> {
    let text = serde_json::to_string_pretty(value).expect("records are plain data") + "\n";
    write_atomically(path, |out| out.write_all(text.as_bytes()))
}

/// Reads a value of such a file, of unknown origin; none if there is no file.
pub(super) fn read_json<T: DeserializeOwned>(path: &Path) -> Result<Option<T>> {
    let len = match std::fs::metadata(path) {
        Ok(found) => found.len(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::io("read", path)(error)),
    };
    if len > MAX_BYTES {
        return Err(Error::input(format!("{} has {len} bytes, which no part of a sweep has", path.display())));
    }
    let bytes = std::fs::read(path).map_err(Error::io("read", path))?;
    let value = serde_json::from_slice(&bytes);
    value.map(Some).map_err(|source| Error::input(format!("{} is no part of a sweep: {source}", path.display())))
}

/// In which keys two maps differ, those within maps by their path: `network.sha256 is A here but B there`.
pub(super) fn differences(here: &Map<String, Value>, there: &Map<String, Value>) -> Vec<String> {
    let keys = here.keys().chain(there.keys().filter(|key| !here.contains_key(*key)));
    let mut found = Vec::new();
    for key in keys {
        match (here.get(key).unwrap_or(&Value::Null), there.get(key).unwrap_or(&Value::Null)) {
            (a, b) if a == b => {}
            (Value::Object(a), Value::Object(b)) => {
                found.extend(differences(a, b).into_iter().map(|what| format!("{key}.{what}")));
            }
            (a, b) => found.push(format!("{key} is {} here but {} there", brief(a), brief(b))),
        }
    }
    found
}

fn brief(value: &Value) -> String {
    const LONGEST: usize = 80;
    let text = value.to_string();
    if text.chars().count() <= LONGEST { text } else { text.chars().take(LONGEST).collect::<String>() + "…" }
}

fn remove(path: &Path) -> Result<()> {
    match std::fs::remove_file(path) {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => Err(Error::io("replace", path)(source)),
        _ => Ok(()),
    }
}

fn remove_asides(folder: &Path) -> Result<()> {
    // A folder that is not there has no files.
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_name().to_str().is_some_and(is_aside) {
            remove(&entry.path())?;
        }
    }
    Ok(())
}

/// The longest picture that is read.
const MAX_PICTURE_BYTES: u64 = 64 << 20;

/// A picture's bytes; none where there is no file.
pub(super) fn read_picture(path: &Path) -> Result<Option<Vec<u8>>> {
    match std::fs::metadata(path) {
        Ok(found) if found.len() > MAX_PICTURE_BYTES => {
            Err(Error::input(format!("{} has {} bytes, which no prototype's picture has", path.display(), found.len())))
        }
        Ok(_) => std::fs::read(path).map(Some).map_err(Error::io("read", path)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::io("read", path)(error)),
    }
}
