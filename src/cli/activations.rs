//! `protogpu activations`: every named module's output for a picture.

use std::io::Write;
use std::path::PathBuf;

use protogpu::analysis::Activations;
use protogpu::atomic::write_atomically;
use protogpu::nets::{Module, Network, Semantics};
use protogpu::picture::preprocess;
use protogpu::tensor_file::TensorFile;
use protogpu::{Result, Shape};
use serde_json::json;

use super::args::{AdapterArgs, NetworkArgs};
use super::terminal::{print, print_json};

/// Write the outputs of a network's modules for a picture
#[derive(clap::Args, Debug)]
#[command(after_help = super::help::ACTIVATIONS)]
pub(crate) struct ActivationsArgs {
    /// The picture
    image: PathBuf,
    /// The safetensors file to write: a tensor `[N,C,H,W]` for each module, the whole network's as `root`
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Only these modules, as `protogpu modules` names them; repeat it or separate them by commas
    #[arg(long = "module", value_name = "NAME", value_delimiter = ',')]
    modules: Vec<String>,
    /// `snapshot`: each module's output as it leaves the module. `torch-alias`: as a PyTorch hook sees it that keeps a
    /// reference, so that a ReLU in place has changed it
    #[arg(long, value_name = "HOW", default_value = "snapshot")]
    semantics: Semantics,
    /// Print JSON: the file, and its tensors' names and shapes
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    network: NetworkArgs,
    #[command(flatten)]
    adapter: AdapterArgs,
}

impl ActivationsArgs {
    /// One forward, then a file of what the modules gave.
    pub(crate) fn run(&self) -> Result<()> {
        let network = self.network.open()?;
        let modules = self.modules(&network)?;
        let pixels = preprocess(&self.image, network.input().h())?;
        let context = self.adapter.open()?;
        let mut activations = Activations::new(&context, &network, 1)?;
        activations.run(&pixels)?;
        let read = |module: &Module| Ok((module.name.clone(), activations.read(module, self.semantics)?));
        let outputs: Vec<(String, (Shape, Vec<f32>))> = modules.into_iter().map(read).collect::<Result<_>>()?;
        let mut file = TensorFile::default()
            .metadata("format", "protogpu activations 1")
            .metadata("semantics", self.semantics.to_string())
            .metadata("image", self.image.display().to_string())
            .metadata("weights_sha256", network.weights().sha256())
            .metadata("input", network.expects().to_json());
        for (name, (shape, data)) in &outputs {
            file = file.tensor(name.as_str(), &shape.0, data);
        }
        let bytes = file.to_bytes();
        write_atomically(&self.out, |out| out.write_all(&bytes))?;
        let out = self.out.display();
        if self.json {
            let tensors = outputs.iter().map(|(name, (shape, _))| json!({"name": name, "shape": shape.0}));
            let tensors: Vec<_> = tensors.collect();
            return print_json(&json!({"out": self.out, "semantics": self.semantics, "tensors": tensors}));
        }
        print(&format!("{out}: {} modules' outputs for {}\n", outputs.len(), self.image.display()))
    }

    /// Those that were asked for, each once, in the network's order; all if none was named.
    fn modules<'a>(&self, network: &'a Network) -> Result<Vec<&'a Module>> {
        for name in &self.modules {
            network.module(name)?;
        }
        let wanted = |module: &&Module| self.modules.is_empty() || self.modules.contains(&module.name);
        Ok(network.modules().iter().filter(wanted).collect())
    }
}
