//! `protogpu activations mean`: the mean output of every module over natural images of a class.

use std::io::Write;
use std::path::PathBuf;

use crate::analysis::similarity::{Correlator, MeanActivations};
use crate::atomic::write_atomically;
use crate::lab::pictures::ImageFolder;
use crate::lab::similarity::stream::sums;
use crate::{Error, Result};
use serde_json::json;

use super::args::{AdapterArgs, NetworkArgs};
use super::observer::Terminal;
use super::terminal::{print, print_json};
use crate::lab::observer::{Counted, Event, Observer as _};
use crate::lab::similarity::choice::Choice;

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
    /// Print nothing but errors
    #[arg(long)]
    quiet: bool,
    /// Print the file, its class and its images as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    network: NetworkArgs,
    #[command(flatten)]
    adapter: AdapterArgs,
}

impl MeanArgs {
    /// Streams the pictures, and writes the file.
    pub(super) fn run(&self) -> Result<()> {
        let network = self.network.open()?;
        let class = network.labels().find(&self.class)?;
        let folder = ImageFolder::open(&self.images, network.labels())?;
        let choice = Choice {
            folder: &folder,
            per_class: self.per_class as usize,
            different: None,
            seed: self.seed,
            leave_one_out: false,
        };
        let paths = choice.same(class);
        if paths.is_empty() {
            let (images, name) = (self.images.display(), network.labels().name(class));
            return Err(Error::input(format!("{images} has no images of class {class} ({name})")));
        }
        let context = self.adapter.open()?;
        let mut correlator = Correlator::new(&context, &network, usize::from(self.batch).min(paths.len()))?;
        let terminal = Terminal::new(self.quiet);
        terminal.tell(Event::Counting { what: Counted::Pictures, done: 0, total: Some(paths.len() as u64) });
        let sums = sums(&mut correlator, &folder, &paths, &terminal);
        terminal.tell(Event::CountingEnded);
        let sums = sums?;
        for reason in &sums.reasons {
            terminal.note(&format!("skipped: {reason}"));
        }
        let mean = MeanActivations::from_sums(class, &sums);
        let bytes = mean.to_bytes(&network, correlator.layers());
        write_atomically(&self.out, |out| out.write_all(&bytes))?;
        let (name, tensors) = (network.labels().name(class), correlator.layers().tensors().count());
        let (out, count) = (self.out.display().to_string(), mean.pictures.len());
        if self.json {
            let class = json!({"index": class, "name": name});
            return print_json(&json!({"out": out, "class": class, "tensors": tensors, "pictures": mean.pictures,
                "unreadable": mean.unreadable}));
        }
        if self.quiet {
            return Ok(());
        }
        print(&format!("{out}: {tensors} mean outputs over {count} pictures of {name}\n"))
    }
}
