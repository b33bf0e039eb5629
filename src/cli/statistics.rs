//! `protogpu statistics`: what a network's activations are like on photographs.

use std::path::PathBuf;

use serde_json::json;

use super::args::{EngineArgs, PrintArgs};
use super::interrupt;
use super::observer::Terminal;
use super::terminal::{print, print_json};
use crate::Result;
use crate::lab::statistics::{Measured, StatisticsRequest};

/// Measure means and variances of a network's activations on photographs, for the loss of `protogpu run --natural-weight`
#[derive(clap::Args, Debug)]
#[command(after_help = super::help::STATISTICS)]
pub(super) struct StatisticsArgs {
    /// Photographs of anything, in a folder with or without subfolders
    #[arg(long, value_name = "DIR")]
    images: PathBuf,
    /// The safetensors file to write
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Images per batch; the result does not depend on it
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=64))]
    batch: u16,
    #[command(flatten)]
    print: PrintArgs,
    #[command(flatten)]
    engine: EngineArgs,
}

impl StatisticsArgs {
    /// Measures, and writes the file.
    pub(super) fn run(&self) -> Result<()> {
        let network = self.engine.network.open()?;
        let request = StatisticsRequest::new(&network, &self.images, self.batch.into())?;
        let (context, terminal) = (self.engine.adapter.open()?, Terminal::new(self.print.quiet));
        interrupt::listen()?;
        let Measured { statistics, unreadable, notes } = request.write(&context, &self.out, &terminal)?;
        let (out, pictures) = (self.out.display().to_string(), statistics.pictures.len());
        let modules = statistics.layers.len();
        if self.print.json {
            return print_json(&json!({"out": out, "sha256": statistics.sha256, "modules": modules,
                "pictures": statistics.pictures, "unreadable": unreadable, "notes": notes}));
        }
        if self.print.quiet {
            return Ok(());
        }
        let what = if network.norms().is_empty() { "convolutions" } else { "batch norms" };
        print(&format!("{out}: statistics of {modules} {what} over {pictures} images\n"))
    }
}
