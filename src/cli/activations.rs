//! `protogpu activations`: every named module's output for a picture.

use std::io::Write;
use std::path::{Path, PathBuf};

use crate::analysis::Activations;
use crate::atomic::write_atomically;
use crate::networks::{Module, Network, Semantics};
use crate::picture::preprocess;
use crate::tensor_file::TensorFile;
use crate::{Result, Shape};
use serde_json::json;

use super::activations_mean::MeanArgs;
use super::args::{AdapterArgs, NetworkArgs, hook};
use super::terminal::{print, print_json};

/// Write the outputs of a network's modules for an image
#[derive(clap::Args, Debug)]
#[command(after_help = super::help::ACTIVATIONS, args_conflicts_with_subcommands = true)]
#[command(subcommand_negates_reqs = true)]
pub(crate) struct ActivationsArgs {
    #[command(subcommand)]
    command: Option<ActivationsCommand>,
    /// The image file
    #[arg(required = true)]
    image: Option<PathBuf>,
    /// The safetensors file to write: a tensor `[N,C,H,W]` per module; the network's output is `root`
    #[arg(long, value_name = "FILE", required = true)]
    out: Option<PathBuf>,
    /// Write only these modules, see `protogpu modules`; repeat it or separate them by commas [default: all]
    #[arg(long = "module", value_name = "NAME", value_delimiter = ',')]
    modules: Vec<String>,
    /// `copy`: each module's output as it leaves the module. `reference`: what a PyTorch hook sees if it keeps a reference, which
    /// later in-place operations overwrite
    #[arg(long = "hook", alias = "semantics", value_name = "copy|reference", value_parser = hook(), default_value = "copy")]
    semantics: Semantics,
    /// Print the file and its tensors' names and shapes as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    network: NetworkArgs,
    #[command(flatten)]
    adapter: AdapterArgs,
}

#[derive(clap::Subcommand, Debug)]
enum ActivationsCommand {
    Mean(MeanArgs),
}

impl ActivationsArgs {
    /// Runs one image and writes the outputs of its modules; or runs `mean`.
    pub(crate) fn run(&self) -> Result<()> {
        match (&self.command, &self.image, &self.out) {
            (Some(ActivationsCommand::Mean(mean)), ..) => mean.run(),
            (None, Some(image), Some(out)) => self.of(image, out),
            _ => unreachable!("both are required"),
        }
    }

    fn of(&self, image: &Path, out: &Path) -> Result<()> {
        let network = self.network.open()?;
        let modules = self.modules(&network)?;
        let pixels = preprocess(image, network.image())?;
        let context = self.adapter.open()?;
        let mut activations = Activations::new(&context, &network, 1)?;
        activations.run(&pixels)?;
        let read = |module: &Module| Ok((module.name.clone(), activations.read(module, self.semantics)?));
        let outputs: Vec<(String, (Shape, Vec<f32>))> = modules.into_iter().map(read).collect::<Result<_>>()?;
        let mut file = TensorFile::default()
            .metadata("format", "protogpu activations 1")
            .metadata("semantics", self.semantics.to_string())
            .metadata("image", image.display().to_string())
            .metadata("weights_sha256", network.weights().sha256())
            .metadata("input", network.preprocessing().to_json());
        for (name, (shape, data)) in &outputs {
            file = file.tensor(name.as_str(), shape.extents(), data);
        }
        let bytes = file.to_bytes();
        write_atomically(out, |out| out.write_all(&bytes))?;
        let shown = out.display();
        if self.json {
            let tensors = outputs.iter().map(|(name, (shape, _))| json!({"name": name, "shape": shape.extents()}));
            let tensors: Vec<_> = tensors.collect();
            return print_json(&json!({"out": shown.to_string(), "semantics": self.semantics, "tensors": tensors}));
        }
        print(&format!("{shown}: {} modules' outputs for {}\n", outputs.len(), image.display()))
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
