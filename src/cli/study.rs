//! `protogpu study`: compares how a network classifies groups of images; with `--demo`, images with and without the planted biases.

use std::path::PathBuf;
use std::process::ExitCode;

use super::args::{EngineArgs, PrintArgs};
use super::observer::Terminal;
use super::terminal::table;
use super::work::{NOTHING_WRITTEN, print_report, work};
use crate::analysis::study::{Comparison, GroupRow, Interval, Outcome, Study, p_value, percent, points};
use crate::gpu::Context;
use crate::lab::study::{CheckedStudy, Given, StudyRequest, Subject};
use crate::{Error, Result};

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
    /// Pair images of the same file name in two folders, such as an image with a cue and the same image without it
    #[arg(long)]
    paired: bool,
    /// Prototypes to show beside the numbers: folders made by `protogpu run`, or folders of such folders
    #[arg(long = "prototype", value_name = "FOLDER", num_args = 1..)]
    prototypes: Vec<PathBuf>,
    /// Make prototypes and draw images that reveal the planted biases of the built-in networks
    #[arg(long, conflicts_with_all = ["classes", "images", "paired", "weights", "labels"])]
    demo: bool,
    /// With --demo, images to draw per class, each with and without its bias [default: 200]
    #[arg(long, alias = "pictures", value_name = "N", value_parser = clap::value_parser!(u32).range(2..=100_000))]
    images_per_class: Option<u32>,
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
    #[command(flatten)]
    print: PrintArgs,
    #[command(flatten)]
    engine: EngineArgs,
}

impl StudyArgs {
    /// Measures, writes the report and prints a summary.
    pub(crate) fn run(&self) -> Result<ExitCode> {
        if !self.demo && (self.images_per_class.is_some() || self.steps.is_some()) {
            return Err(Error::input("--images-per-class and --steps apply to --demo only: add --demo, or drop them"));
        }
        let given = Given::find(&self.prototypes)?;
        let network = self.engine.network.or_recorded(given.weights()?).open()?;
        let subject = match self.demo {
            true => Subject::Demo { pictures: self.images_per_class.unwrap_or(200), steps: self.steps },
            false => Subject::Folders { classes: &self.classes, images: &self.images, paired: self.paired },
        };
        let request = StudyRequest {
            network: &network,
            subject,
            given: &given,
            out: &self.out,
            seed: self.seed,
            resamples: self.resamples as usize,
            batch: self.batch.into(),
            force: self.force,
        };
        let study = CheckedStudy::new(&request)?;
        let terminal = Terminal::new(self.print.quiet);
        let compare = |context: &Context| study.run(context, &terminal);
        work(&self.engine.adapter, NOTHING_WRITTEN, compare, |study| self.report(&study, &terminal))
    }

    fn report(&self, study: &Study, terminal: &Terminal) -> Result<ExitCode> {
        for line in &study.skipped {
            terminal.note(&format!("skipped: {line}"));
        }
        print_report(&self.print, terminal, study, [&[], &study.notes], || shown(study), &self.out)
    }
}

/// The summary as text.
fn shown(study: &Study) -> String {
    let mut text = String::new();
    for part in &study.parts {
        let head = ["group", "class", "correct", "accuracy", "95 %", "probability", "95 %", "mistaken for"];
        let mut rows = vec![head.map(str::to_owned).to_vec()];
        rows.extend(part.groups.iter().flat_map(|group| group.classes.iter().map(move |outcome| row(group, outcome))));
        text += &format!("{}\n{}", part.title, table(&rows));
        if !part.comparisons.is_empty() {
            let head = ["difference", "class", "accuracy", "95 %", "p", "p (Holm)", "probability", "p", "p (Holm)"];
            let mut rows = vec![head.map(str::to_owned).to_vec()];
            rows.extend(part.comparisons.iter().map(compared));
            text += &format!("\n{}", table(&rows));
        }
        text += &format!("\n{}\n\n", part.findings.join("\n"));
    }
    text
}

fn row(group: &GroupRow, outcome: &Outcome) -> Vec<String> {
    let (accuracy, probability) = (outcome.accuracy, outcome.probability);
    let otherwise = group.instead.iter().take(2).map(|other| format!("{} {}", other.name, percent(other.share)));
    vec![
        group.name.clone(),
        outcome.class.clone(),
        format!("{}/{}", outcome.correct, group.pictures),
        percent(accuracy.value),
        format!("{} to {}", percent(accuracy.low), percent(accuracy.high)),
        format!("{:.3}", probability.value),
        format!("{:.3} to {:.3}", probability.low, probability.high),
        otherwise.collect::<Vec<_>>().join(", "),
    ]
}

fn compared(comparison: &Comparison) -> Vec<String> {
    let Comparison { first, second, accuracy, probability, .. } = comparison;
    let Interval { value, low, high } = accuracy.interval;
    vec![
        format!("{first} − {second}"),
        comparison.class.clone(),
        points(value),
        format!("{} to {}", points(low), points(high)),
        p_value(accuracy.p),
        p_value(accuracy.p_holm),
        format!("{:+.3}", probability.interval.value),
        p_value(probability.p),
        p_value(probability.p_holm),
    ]
}
