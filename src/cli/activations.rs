//! `protogpu activations`: every named module's output for a picture.

use std::path::PathBuf;

use protogpu::Result;

use super::args::{AdapterArgs, NetworkArgs};

/// Write the outputs of a network's modules for a picture
#[derive(clap::Args, Debug)]
pub(crate) struct ActivationsArgs {
    /// The picture
    image: PathBuf,
    /// The safetensors file to write: a tensor [N,C,H,W] for each module, the whole network's as `root`
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Only these modules, as `protogpu modules` names them
    #[arg(long = "module", value_name = "NAME", value_delimiter = ',')]
    modules: Vec<String>,
    /// `snapshot`: each module's output as it leaves the module. `torch-alias`: as a PyTorch hook sees it that keeps a
    /// reference, so that a ReLU in place has changed it
    #[arg(long, value_name = "HOW", default_value = "snapshot")]
    semantics: String,
    #[command(flatten)]
    network: NetworkArgs,
    #[command(flatten)]
    adapter: AdapterArgs,
}

impl ActivationsArgs {
    /// Not wired yet.
    pub(crate) fn run(&self) -> Result<()> {
        Err(protogpu::Error::input("not available yet"))
    }
}
