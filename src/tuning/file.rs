//! What trials found, on disk, one file for each adapter, driver and version of the crate.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::atomic::write_atomically;
use crate::error::{Error, Result};
use crate::gpu::{Context, describe_adapter};
use crate::ops::{Choices, Variant};

/// No file of ours is longer: a network has some hundred lines.
const MAX_BYTES: u64 = 4 << 20;

/// A file of choices. What is in it counts only if it names the adapter, driver and version that read it.
#[derive(Clone, Debug)]
pub struct TuningFile {
    path: PathBuf,
    identity: Identity,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Identity {
    adapter: String,
    vendor: u32,
    device: u32,
    version: String,
    /// Of the machine: with another number, a software adapter is another one.
    processors: usize,
    /// Images that were tried at once.
    batch: usize,
}

#[derive(Serialize, Deserialize)]
struct Content {
    #[serde(flatten)]
    identity: Identity,
    choices: BTreeMap<String, Variant>,
}

impl TuningFile {
    /// The file in `folder` for an adapter and trials on so many images at once.
    pub fn new(folder: &Path, context: &Context, batch: usize) -> Self {
        let info = context.info();
        let identity = Identity {
            adapter: describe_adapter(info),
            vendor: info.vendor,
            device: info.device,
            version: env!("CARGO_PKG_VERSION").into(),
            processors: std::thread::available_parallelism().map_or(1, usize::from),
            batch,
        };
        let text = serde_json::to_string(&identity).expect("an identity is plain data");
        let digest: String = Sha256::digest(text).iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        Self { path: folder.join(format!("tuning-{digest}.json")), identity }
    }

    /// Where it is, or would be.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The choices in the file; none if there is no file.
    ///
    /// # Errors
    /// If the file is unreadable or not of this adapter, driver and version: worth a warning, for new trials replace it.
    pub fn read(&self, context: &Context) -> Result<Choices> {
        let known = match std::fs::metadata(&self.path) {
            Ok(found) if found.len() <= MAX_BYTES => {
                self.parse(&std::fs::read(&self.path).map_err(Error::io("read", &self.path))?)?
            }
            Ok(_) => return Err(self.wrong("it is too long")),
            Err(_) => BTreeMap::new(),
        };
        Ok(Choices::known(context.capabilities(), known))
    }

    fn parse(&self, bytes: &[u8]) -> Result<BTreeMap<String, Variant>> {
        let content: Content = serde_json::from_slice(bytes).map_err(|source| self.wrong(&source.to_string()))?;
        if content.identity != self.identity {
            return Err(self.wrong("it is of another adapter, driver or version"));
        }
        Ok(content.choices)
    }

    /// Keeps choices.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn write(&self, choices: &Choices) -> Result<()> {
        let content = Content { identity: self.identity.clone(), choices: choices.all().clone() };
        let text = serde_json::to_string_pretty(&content).expect("choices are plain data") + "\n";
        if let Some(folder) = self.path.parent() {
            std::fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
        }
        write_atomically(&self.path, |out| out.write_all(text.as_bytes()))
    }

    fn wrong(&self, why: &str) -> Error {
        Error::input(format!("{}: {why}", self.path.display()))
    }
}
