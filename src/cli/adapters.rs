//! `protogpu adapters`: what there is to compute on.

use protogpu::Result;

/// List the adapters that --adapter chooses among
#[derive(clap::Args, Debug)]
pub(crate) struct AdaptersArgs {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl AdaptersArgs {
    /// Not wired yet.
    pub(crate) fn run(&self) -> Result<()> {
        Err(protogpu::Error::input("not available yet"))
    }
}
