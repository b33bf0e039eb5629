//! The file of tuned kernels, one for each adapter, driver and version of the crate.

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

/// The longest accepted file; a network has a few hundred lines.
const MAX_BYTES: u64 = 4 << 20;

/// A file with the algorithms of convolutions. It is valid only for the adapter, driver and version that it names.
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
    /// The number of cores: with another number, a software adapter counts as another adapter.
    processors: usize,
    /// The capabilities, which depend on how the device was opened.
    subgroup_size: Option<u32>,
    texels: bool,
    /// The batch size of the trials.
    batch: usize,
}

#[derive(Serialize, Deserialize)]
struct Content {
    #[serde(flatten)]
    identity: Identity,
    choices: BTreeMap<String, ConvAlgorithm>,
}

impl TuningFile {
    /// The file in `folder` for an adapter and a batch size.
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

    /// The path of the file, which need not exist.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The algorithms in the file; none if it does not exist.
    ///
    /// # Errors
    /// If the file is unreadable or for another adapter, driver or version. A warning is enough, because new trials replace it.
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

    /// Adds algorithms to those in the file, which may be those of other networks.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn write(&self, choices: &ConvAlgorithms) -> Result<()> {
        let mut all = self.known().unwrap_or_default();
        all.extend(choices.all());
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
