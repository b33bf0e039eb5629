//! `protogpu modules`: a network's parts.

use protogpu::Result;

use super::args::NetworkArgs;

/// List the modules of a network with their output shapes
#[derive(clap::Args, Debug)]
pub(crate) struct ModulesArgs {
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    network: NetworkArgs,
}

impl ModulesArgs {
    /// Not wired yet.
    pub(crate) fn run(&self) -> Result<()> {
        Err(protogpu::Error::input("not available yet"))
    }
}
