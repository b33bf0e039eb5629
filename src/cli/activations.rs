//! `protogpu activations`: the output of every module for an image.

use std::path::{Path, PathBuf};

use crate::Result;
use crate::lab::activations::ActivationsRequest;
use crate::networks::Semantics;
use serde_json::json;

use super::activations_mean::MeanArgs;
use super::args::{EngineArgs, hook};
use super::terminal::{note, print, print_json};

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
    /// The safetensors file to write, with a tensor `[N,C,H,W]` per module; the network's output is called `root`
    #[arg(long, value_name = "FILE", required = true)]
    out: Option<PathBuf>,
    /// Write only these modules, which `protogpu modules` lists; repeat it or separate them by commas [default: all]
    #[arg(long = "module", value_name = "NAME", value_delimiter = ',')]
    modules: Vec<String>,
    /// What a hook on a module keeps: a copy of its output, or a reference, whose contents later in-place operations overwrite
    #[arg(long = "hook", alias = "semantics", value_name = "copy|reference", value_parser = hook(), default_value = "copy")]
    semantics: Semantics,
    /// Print the file and its tensors' names and shapes as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    engine: EngineArgs,
}

#[derive(clap::Subcommand, Debug)]
enum ActivationsCommand {
    Mean(MeanArgs),
}

impl ActivationsArgs {
    /// Writes the outputs of the modules for one image, or runs `mean`.
    pub(crate) fn run(&self) -> Result<()> {
        match (&self.command, &self.image, &self.out) {
            (Some(ActivationsCommand::Mean(mean)), ..) => mean.run(),
            (None, Some(image), Some(out)) => self.of(image, out),
            _ => unreachable!("both are required"),
        }
    }

    fn of(&self, image: &Path, out: &Path) -> Result<()> {
        let network = self.engine.network.open()?;
        let request = ActivationsRequest::new(&network, image, &self.modules, self.semantics)?;
        let context = self.engine.adapter.open()?;
        let written = request.write(&context, out)?;
        let (shown, notes) = (out.display(), request.note());
        if self.json {
            let tensors = written.iter().map(|(name, shape)| json!({"name": name, "shape": shape.extents()}));
            let tensors: Vec<_> = tensors.collect();
            return print_json(&json!({"out": shown.to_string(), "semantics": self.semantics, "tensors": tensors,
                "notes": notes.as_slice()}));
        }
        notes.iter().for_each(|text| note(&format!("note: {text}")));
        print(&format!("{shown}: {} modules' outputs for {}\n", written.len(), image.display()))
    }
}
