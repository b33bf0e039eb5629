//! `protogpu study`: what a network makes of groups of pictures, and whether it differs; with `--demo`, of the planted biases.

mod demo;
mod folders;
mod prototypes;
mod report;

use std::path::PathBuf;
use std::process::ExitCode;

use crate::analysis::study::{Group, Part, Resampling};
use crate::networks::Network;
use crate::report::PartPictures;
use crate::{Error, Result};

use super::args::{AdapterArgs, NetworkArgs};
use super::interrupt;
use super::terminal::{INTERRUPTED, note};
use prototypes::Given;

/// What the report is called when it is complete; written last.
const REPORT: &str = "study.json";
/// Pictures of a group that the report shows.
const EXAMPLES: usize = 6;

/// Compare how a network classifies groups of images
#[derive(clap::Args, Debug)]
#[command(after_help = super::help::STUDY)]
pub(crate) struct StudyArgs {
    /// Classes to look for, by index, WordNet id or name; repeat it or separate them by commas
    #[arg(long = "class", value_name = "CLASS", required_unless_present = "demo")]
    classes: Vec<String>,
    /// A folder of images, which is one group; repeat it for more groups
    #[arg(long, value_name = "DIR", required_unless_present = "demo")]
    images: Vec<PathBuf>,
    /// Pair images with the same file name in two folders: the same image with and without something
    #[arg(long)]
    paired: bool,
    /// Prototype folders of `protogpu run`, or folders that contain such folders, to show beside the numbers
    #[arg(long = "prototype", value_name = "FOLDER", num_args = 1..)]
    prototypes: Vec<PathBuf>,
    /// Reveal the planted biases of the synthetic images: makes the prototypes and draws the images
    #[arg(long, conflicts_with_all = ["classes", "images", "paired", "weights", "labels"])]
    demo: bool,
    /// With --demo, images of each class to draw, each with and without its bias [default: 200]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(2..=100_000))]
    pictures: Option<u32>,
    /// With --demo, steps per prototype [default: as `protogpu run`]
    #[arg(long, value_name = "N")]
    steps: Option<u32>,
    /// The folder for the report
    #[arg(long, value_name = "DIR", default_value = "study")]
    out: PathBuf,
    /// Seed of the resampling behind intervals and tests, and of the demo's prototypes
    #[arg(long, value_name = "S", default_value_t = 0)]
    seed: u64,
    /// Resamples per bootstrap interval, and permutations per test
    #[arg(long, value_name = "N", default_value_t = 9_999, value_parser = clap::value_parser!(u32).range(99..=1_000_000))]
    resamples: u32,
    /// Images per batch
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=256))]
    batch: u16,
    /// Replace an earlier report
    #[arg(long)]
    force: bool,
    /// Print nothing but errors
    #[arg(long)]
    quiet: bool,
    /// Print study.json
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    network: NetworkArgs,
    #[command(flatten)]
    adapter: AdapterArgs,
}

/// One experiment, measured.
struct Measured {
    part: Part,
    groups: Vec<Group>,
    pictures: PartPictures,
    /// What could not be read, with the reason.
    skipped: Vec<String>,
}

impl StudyArgs {
    /// Measures, and writes the report.
    pub(crate) fn run(&self) -> Result<ExitCode> {
        if !self.demo && (self.pictures.is_some() || self.steps.is_some()) {
            return Err(Error::input("--pictures and --steps apply to --demo only: add --demo, or drop them"));
        }
        let given = Given::find(&self.prototypes)?;
        let network = self.network.or_recorded(given.weights()?).open()?;
        let measured = if self.demo { self.measure_demo(&network, &given) } else { self.measure(&network, &given) };
        match measured {
            Err(_) if interrupt::requested() => {
                note("stopped; nothing was written");
                Ok(INTERRUPTED.into())
            }
            Err(error) => Err(error),
            Ok(measured) => self.write(&network, measured),
        }
    }

    /// Of each class in the demo.
    fn demo_pictures(&self) -> u32 {
        self.pictures.unwrap_or(200)
    }

    fn resampling(&self) -> Resampling {
        Resampling { count: self.resamples as usize, seed: self.seed }
    }

    /// The names of classes, for people.
    fn names(&self, classes: &[usize], network: &Network) -> String {
        classes.iter().map(|&class| network.labels().name(class)).collect::<Vec<_>>().join(", ")
    }

    fn note(&self, text: &str) {
        if !self.quiet {
            note(text);
        }
    }
}
