//! `protogpu weights`: download, convert and inspect weights files.

use crate::Result;

use super::weights_convert::ConvertArgs;
use super::weights_inspect::InspectArgs;
use super::weights_pull::PullArgs;

/// Download, convert and inspect weights files
#[derive(clap::Subcommand, Debug)]
pub(crate) enum WeightsCommand {
    Pull(PullArgs),
    Convert(ConvertArgs),
    Inspect(InspectArgs),
}

impl WeightsCommand {
    /// Runs the subcommand.
    pub(crate) fn run(&self) -> Result<()> {
        match self {
            Self::Pull(args) => args.run(),
            Self::Convert(args) => args.run(),
            Self::Inspect(args) => args.run(),
        }
    }
}
