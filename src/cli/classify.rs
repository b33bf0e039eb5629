//! `protogpu classify`: the likeliest classes of pictures.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use protogpu::Result;

use super::args::{AdapterArgs, NetworkArgs};

/// Print the likeliest classes of pictures
#[derive(clap::Args, Debug)]
pub(crate) struct ClassifyArgs {
    /// Pictures, or folders of them
    #[arg(required = true, value_name = "IMAGE")]
    images: Vec<PathBuf>,
    /// How many classes for each picture
    #[arg(long, value_name = "K", default_value = "5")]
    top: NonZeroUsize,
    /// How many pictures at once
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=256))]
    batch: u16,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    network: NetworkArgs,
    #[command(flatten)]
    adapter: AdapterArgs,
}

impl ClassifyArgs {
    /// Not wired yet.
    pub(crate) fn run(&self) -> Result<()> {
        Err(protogpu::Error::input("not available yet"))
    }
}
