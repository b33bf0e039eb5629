//! Options that several subcommands share.

use std::path::PathBuf;

/// Which network.
#[derive(clap::Args, Clone, Debug, Default)]
#[command(next_help_heading = "Network")]
pub(crate) struct NetworkArgs {
    /// Weights of a ResNet-18 with torchvision's names, a safetensors file or one of PyTorch; or `imagenet`, those of
    /// --model that `protogpu weights pull` fetched [default: the embedded network's]
    #[arg(long, value_name = "FILE|imagenet")]
    pub(crate) weights: Option<PathBuf>,
    /// An embedded network, or with --weights imagenet a published one: resnet18 [default: resnet18]
    #[arg(long, value_name = "NAME")]
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
