//! What a network's activations are like on photographs: the statistics that `protogpu statistics` measures, and their file.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Network;
use super::modules::{Module, Semantics};
use super::preprocessing::Preprocessing;
use crate::digest::sha256_hex;
use crate::error::{Error, Result};
use crate::tensor_file::{TensorFile, Tensors};

/// The name and version of the layout.
const FORMAT: &str = "protogpu natural statistics 1";
/// The most bytes of a file without its tensors. The list of pictures takes nearly all of them.
const MOST_METADATA_BYTES: u64 = 32 << 20;

/// A picture that was measured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Picture {
    /// The path relative to the folder of all pictures, with `/` as the separator.
    pub file: String,
    /// SHA-256 of the file's bytes; empty if they cannot be read.
    pub sha256: String,
}

/// The output of a module on photographs, each value for each channel. A photograph's own mean and variance of a channel are those over
/// all positions.
#[derive(Clone, Debug, PartialEq)]
pub struct LayerStatistics {
    /// The module's name.
    pub module: String,
    /// The mean over photographs of their means.
    pub mean: Arc<[f32]>,
    /// The mean over photographs of their variances.
    pub variance: Arc<[f32]>,
    /// The variance over photographs of their means.
    pub mean_spread: Arc<[f32]>,
    /// The variance over photographs of their variances.
    pub variance_spread: Arc<[f32]>,
}

impl LayerStatistics {
    /// The tensors of its file: the ends of their names, and their values.
    fn parts(&self) -> [(&'static str, &Arc<[f32]>); 4] {
        let Self { mean, variance, mean_spread, variance_spread, .. } = self;
        [("mean", mean), ("variance", variance), ("mean_spread", mean_spread), ("variance_spread", variance_spread)]
    }
}

/// The statistics of a network's activations on photographs.
#[derive(Clone, Debug, PartialEq)]
pub struct Statistics {
    /// Those of each of [`Network::measured_modules`], in their order.
    pub layers: Vec<LayerStatistics>,
    /// The photographs.
    pub pictures: Vec<Picture>,
    /// The SHA-256 of their file, by which checkpoints know them.
    pub sha256: String,
}

impl Statistics {
    /// Statistics with the SHA-256 that their file has.
    pub fn new(layers: Vec<LayerStatistics>, pictures: Vec<Picture>, network: &Network) -> Self {
        let mut new = Self { layers, pictures, sha256: String::new() };
        new.sha256 = sha256_hex(new.to_bytes(network));
        new
    }

    /// The bytes of a safetensors file: for each module the tensors `<module>.mean`, `.variance`, `.mean_spread` and
    /// `.variance_spread`, `[C]` each, and metadata about network and pictures.
    pub fn to_bytes(&self, network: &Network) -> Vec<u8> {
        let mut file = TensorFile::default()
            .metadata("format", FORMAT)
            .metadata("version", env!("CARGO_PKG_VERSION"))
            .metadata("weights_sha256", network.weights().sha256())
            .metadata("architecture", network.architecture().to_string())
            .metadata("input", network.preprocessing().to_json())
            .metadata("count", self.pictures.len().to_string())
            .metadata("pictures", serde_json::to_string(&self.pictures).expect("pictures are plain data"));
        for layer in &self.layers {
            for (part, values) in layer.parts() {
                file = file.tensor(format!("{}.{part}", layer.module), &[values.len()], values);
            }
        }
        file.to_bytes()
    }

    /// The size of the largest file for this network, in bytes.
    pub fn most_bytes(network: &Network) -> u64 {
        let channels: usize = network.measured_modules().iter().map(|module| network.channels(module)).sum();
        MOST_METADATA_BYTES + 16 * channels as u64
    }

    /// Reads the bytes of such a file, which are not trusted.
    ///
    /// # Errors
    /// [`Error::Input`] if they are not such a file, belong to another network or input, or hold values that no photographs have.
    pub fn from_bytes(bytes: &[u8], network: &Network) -> Result<Self> {
        let mut file = Tensors::from_bytes(bytes)?;
        match file.optional_metadata("format") {
            Some(FORMAT) => {}
            Some(other) if other.starts_with("protogpu natural statistics ") => {
                return Err(Error::input(format!("its format is `{other}`, but this program reads `{FORMAT}`")));
            }
            _ => {
                let what = "it is not a file of natural statistics; `protogpu statistics` writes them";
                return Err(Error::input(what));
            }
        }
        let differs = |what: &str, there: &str, here: &str| {
            Err(Error::input(format!("it was made with {what} {there}, not {here}: measure again with this network")))
        };
        let (there, here) = (file.metadata("weights_sha256")?, network.weights().sha256());
        if there != here {
            return differs("weights of sha256", there, here);
        }
        let (there, here) = (file.metadata("architecture")?, network.architecture().to_string());
        if there != here {
            return differs("the architecture", there, &here);
        }
        let there = file.metadata("input")?;
        let input: Preprocessing =
            serde_json::from_str(there).map_err(|e| Error::input(format!("metadata `input`: {e}")))?;
        if input != *network.preprocessing() {
            return differs("the input", there, &network.preprocessing().to_json());
        }
        let pictures: Vec<Picture> = serde_json::from_str(file.metadata("pictures")?)
            .map_err(|e| Error::input(format!("metadata `pictures`: {e}")))?;
        let count = file.metadata("count")?;
        if count != pictures.len().to_string() {
            let listed = pictures.len();
            return Err(Error::input(format!("metadata `count` is {count}, but `pictures` lists {listed}")));
        }
        let mut layer = |module: &Module| -> Result<LayerStatistics> {
            let channels = network.channels(module);
            let mut part =
                |part: &str| file.take_shaped(&format!("{}.{part}", module.name), &[channels]).map(Arc::<[f32]>::from);
            Ok(LayerStatistics {
                module: module.name.clone(),
                mean: part("mean")?,
                variance: part("variance")?,
                mean_spread: part("mean_spread")?,
                variance_spread: part("variance_spread")?,
            })
        };
        let layers = network.measured_modules().into_iter().map(&mut layer).collect::<Result<_>>()?;
        if let Some(name) = file.names().next() {
            return Err(Error::input(format!("tensor `{name}` is of no module whose statistics this network needs")));
        }
        let statistics = Self { layers, pictures, sha256: sha256_hex(bytes) };
        statistics.check(network)?;
        Ok(statistics)
    }

    /// Checks that these may be statistics of a network.
    ///
    /// # Errors
    /// If there are no pictures, the modules or their channels are others, or a value is not finite, or a negative variance.
    pub(super) fn check(&self, network: &Network) -> Result<()> {
        if self.pictures.is_empty() {
            return Err(Error::input("it has no pictures"));
        }
        let modules = network.measured_modules();
        if !self.layers.iter().map(|layer| &layer.module).eq(modules.iter().map(|module| &module.name)) {
            let (these, those) = (self.layers.len(), modules.len());
            return Err(Error::input(format!(
                "there are statistics of {these} modules, which are not the {those} that the network needs"
            )));
        }
        for (layer, module) in self.layers.iter().zip(modules) {
            let (name, channels) = (&layer.module, network.channels(module));
            for (part, values) in layer.parts() {
                if values.len() != channels {
                    let len = values.len();
                    return Err(Error::input(format!("`{name}.{part}` has {len} values for {channels} channels")));
                }
                if let Some(at) = values.iter().position(|x| !x.is_finite() || part != "mean" && *x < 0.0) {
                    let (x, must) = (values[at], if part == "mean" { "finite" } else { "finite and at least 0" });
                    return Err(Error::input(format!("`{name}.{part}` is {x} at {at}, but must be {must}")));
                }
            }
        }
        Ok(())
    }
}

impl Network {
    /// The modules whose outputs tell what photographs are like: the batch norms, or the convolutions if there are none. Hooks that copy
    /// see these outputs, so no ReLU has changed them.
    pub fn measured_modules(&self) -> Vec<&Module> {
        let graph = self.graph();
        let measured = |module: &&Module| {
            let node = module.node(Semantics::Snapshot);
            if !self.norms().is_empty() {
                return self.norms().iter().any(|norm| norm.node() == node && norm.name == module.name);
            }
            let at = graph.node(node);
            at.name == module.name
                && at.inputs.first().is_some_and(|x| at.op.convolution(graph.node(*x).shape).is_some())
        };
        self.modules().iter().filter(measured).collect()
    }

    /// The channels of a module's output.
    pub(crate) fn channels(&self, module: &Module) -> usize {
        self.graph().node(module.node(Semantics::Snapshot)).shape.c()
    }

    /// The same network, which knows what photographs are like from these statistics instead of from its batch norms.
    ///
    /// # Errors
    /// If they are not of its [`Network::measured_modules`], or no photographs have such statistics.
    pub fn with_statistics(mut self, statistics: Statistics) -> Result<Self> {
        statistics.check(&self)?;
        self.statistics = Some(Arc::new(statistics));
        Ok(self)
    }

    /// The statistics that it was given.
    pub fn statistics(&self) -> Option<&Statistics> {
        self.statistics.as_deref()
    }
}
