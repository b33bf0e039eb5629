//! `protogpu weights`: what is in a weights file.

use std::path::PathBuf;

use protogpu::Result;

/// Look into weights files
#[derive(clap::Subcommand, Debug)]
pub(crate) enum WeightsCommand {
    /// Say what network a file holds, and what is missing, unexpected or of the wrong shape
    Inspect {
        /// A safetensors file
        file: PathBuf,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

impl WeightsCommand {
    /// Not wired yet.
    pub(crate) fn run(&self) -> Result<()> {
        Err(protogpu::Error::input("not available yet"))
    }
}
