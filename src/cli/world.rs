//! `protogpu world`: pictures of the drawn world that the embedded network is trained on.

use std::path::PathBuf;

use protogpu::Result;

/// Draw pictures of the world that the embedded network knows
#[derive(clap::Args, Debug)]
pub(crate) struct WorldArgs {
    /// The folder to write to, which must not exist or be empty
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// How many pictures of each class
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    per_class: u64,
    /// The seed
    #[arg(long, value_name = "S", default_value_t = 0)]
    seed: u64,
    /// Only these classes, by index or name
    #[arg(long = "class", value_name = "CLASS", value_delimiter = ',')]
    classes: Vec<String>,
    /// Leave planted biases out
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    without_bias: Vec<String>,
}

impl WorldArgs {
    /// Not wired yet.
    pub(crate) fn run(&self) -> Result<()> {
        Err(protogpu::Error::input("not available yet"))
    }
}
