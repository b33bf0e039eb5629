//! `protogpu gradient`: how a class's logit changes with each pixel.

use std::path::PathBuf;

use protogpu::Result;

use super::args::{AdapterArgs, NetworkArgs};

/// Write the gradient of a class's logit with respect to a picture's pixels
#[derive(clap::Args, Debug)]
pub(crate) struct GradientArgs {
    /// The picture
    image: PathBuf,
    /// The class: index, WordNet id or name
    #[arg(long, value_name = "CLASS")]
    class: String,
    /// The safetensors file to write: `gradient` [1,3,224,224] for pixels in [0,1], and `logits`
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Also draw it: grey where the gradient is zero
    #[arg(long, value_name = "FILE")]
    png: Option<PathBuf>,
    #[command(flatten)]
    network: NetworkArgs,
    #[command(flatten)]
    adapter: AdapterArgs,
}

impl GradientArgs {
    /// Not wired yet.
    pub(crate) fn run(&self) -> Result<()> {
        Err(protogpu::Error::input("not available yet"))
    }
}
