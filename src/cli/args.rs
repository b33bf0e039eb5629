//! Options that several subcommands share.

use std::path::PathBuf;

/// Which network.
#[derive(clap::Args, Clone, Debug, Default)]
#[command(next_help_heading = "Network")]
pub(crate) struct NetworkArgs {
    /// Weights of a ResNet-18 with torchvision's names, a safetensors file [default: the embedded network]
    #[arg(long, value_name = "FILE")]
    pub(crate) weights: Option<PathBuf>,
    /// An embedded network: resnet18
    #[arg(long, value_name = "NAME", conflicts_with = "weights")]
    pub(crate) model: Option<String>,
    /// Names of the classes: one a line, or index, WordNet id and name separated by tabs
    #[arg(long, value_name = "FILE")]
    pub(crate) labels: Option<PathBuf>,
}

/// Which adapter.
#[derive(clap::Args, Clone, Debug, Default)]
#[command(next_help_heading = "Adapter")]
pub(crate) struct AdapterArgs {
    /// By its index or a part of its name, as `protogpu adapters` lists them [default: the fastest kind]
    #[arg(long, value_name = "INDEX|NAME")]
    pub(crate) adapter: Option<String>,
}
