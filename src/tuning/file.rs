//! What trials found, on disk, one file for each adapter, driver and version of the crate.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::atomic::write_atomically;
use crate::bounded::{if_there, read_at_most};
use crate::digest::sha256_hex;
use crate::error::{Error, Result};
use crate::gpu::{Capabilities, Context, describe_adapter};
use crate::ops::{ConvAlgorithm, ConvAlgorithms};

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
    /// What a device offers depends on who opened it.
    subgroup_size: Option<u32>,
    texels: bool,
    /// Images that were tried at once.
    batch: usize,
}

#[derive(Serialize, Deserialize)]
struct Content {
    #[serde(flatten)]
    identity: Identity,
    choices: BTreeMap<String, ConvAlgorithm>,
}

impl TuningFile {
    /// The file in `folder` for an adapter and trials on so many images at once.
    pub fn new(folder: &Path, context: &Context, batch: usize) -> Self {
        let info = context.info();
        let Capabilities { subgroup_size, texels } = context.capabilities();
        let identity = Identity {
            adapter: describe_adapter(info),
            vendor: info.vendor,
            device: info.device,
            version: env!("CARGO_PKG_VERSION").into(),
            processors: std::thread::available_parallelism().map_or(1, usize::from),
            subgroup_size,
            texels,
            batch,
        };
        let text = serde_json::to_string(&identity).expect("an identity is plain data");
        let digest = &sha256_hex(text)[..16];
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
    pub fn read(&self, context: &Context) -> Result<ConvAlgorithms> {
        Ok(ConvAlgorithms::known(context.capabilities(), self.known()?))
    }

    fn known(&self) -> Result<BTreeMap<String, ConvAlgorithm>> {
        match if_there(read_at_most(&self.path, MAX_BYTES, "list of choices"))? {
            Some(bytes) => self.parse(&bytes),
            None => Ok(BTreeMap::new()),
        }
    }

    fn parse(&self, bytes: &[u8]) -> Result<BTreeMap<String, ConvAlgorithm>> {
        let content: Content = serde_json::from_slice(bytes).map_err(|source| self.wrong(&source.to_string()))?;
        if content.identity != self.identity {
            return Err(self.wrong("it is of another adapter, driver or version"));
        }
        Ok(content.choices)
    }

    /// Keeps choices beside those that are kept already, of other networks say.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn write(&self, choices: &ConvAlgorithms) -> Result<()> {
        let mut all = self.known().unwrap_or_default();
        all.extend(choices.all().clone());
        let content = Content { identity: self.identity.clone(), choices: all };
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
