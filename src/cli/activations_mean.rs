//! `protogpu activations mean`: the mean output of every module over natural images of a class.

use std::path::PathBuf;

use crate::Result;
use crate::lab::mean_activations::MeanRequest;
use crate::lab::pictures::ImageFolder;
use crate::lab::similarity::choice::Choice;
use serde_json::json;

use super::args::{EngineArgs, PrintArgs};
use super::observer::Terminal;
use super::terminal::{print, print_json};

/// Write the mean outputs of a network's modules over natural images of a class
#[derive(clap::Args, Debug)]
#[command(after_help = super::help::MEAN)]
pub(super) struct MeanArgs {
    /// Natural images, one folder per class, named by the class's index, WordNet id or name
    #[arg(value_name = "DIR")]
    images: PathBuf,
    /// The class, by index, WordNet id or name
    #[arg(long, value_name = "CLASS")]
    class: String,
    /// The safetensors file to write
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Images to average
    #[arg(long = "images-per-class", alias = "per-class", value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    per_class: u32,
    /// Seed that selects the images
    #[arg(long, value_name = "S", default_value_t = 0)]
    seed: u64,
    /// Images per batch
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=64))]
    batch: u16,
    #[command(flatten)]
    print: PrintArgs,
    #[command(flatten)]
    engine: EngineArgs,
}

impl MeanArgs {
    /// Averages over the images, and writes the file.
    pub(super) fn run(&self) -> Result<()> {
        let network = self.engine.network.open()?;
        let class = network.labels().find(&self.class)?;
        let folder = ImageFolder::open(&self.images, network.labels())?;
        let choice = Choice {
            folder: &folder,
            per_class: self.per_class as usize,
            different: None,
            seed: self.seed,
            leave_one_out: false,
        };
        let request = MeanRequest::new(&network, choice, class, self.batch.into())?;
        let (context, terminal) = (self.engine.adapter.open()?, Terminal::new(self.print.quiet));
        let (mean, tensors, notes) = request.write(&context, &self.out, &terminal)?;
        let name = network.labels().name(class);
        let (out, count) = (self.out.display().to_string(), mean.pictures.len());
        if self.print.json {
            let class = json!({"index": class, "name": name});
            return print_json(&json!({"out": out, "class": class, "tensors": tensors, "pictures": mean.pictures,
                "unreadable": mean.unreadable, "left_out": folder.left_out(), "notes": notes}));
        }
        if self.print.quiet {
            return Ok(());
        }
        print(&format!("{out}: {tensors} mean outputs over {count} images of {name}\n"))
    }
}
