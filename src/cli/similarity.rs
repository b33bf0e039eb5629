//! `protogpu similarity`: how similar prototypes are to natural images, layer by layer.

use std::path::PathBuf;
use std::process::ExitCode;

use super::args::{EngineArgs, PrintArgs, hook};
use super::judges::{AskArgs, short};
use super::observer::Terminal;
use super::terminal::{table, words};
use super::work::{print_report, work};
use crate::Result;
use crate::analysis::similarity::{Compared, Over, Similarity, Spread};
use crate::analysis::study::{Interval, p_value};
use crate::gpu::Context;
use crate::lab::judge::Judges;
use crate::lab::pictures::ImageFolder;
use crate::lab::similarity::choice::Choice;
use crate::lab::similarity::inputs::{Pixels, Prototype, find, given_controls, prototypes, recorded};
use crate::lab::similarity::measure::Measurement;
use crate::networks::Semantics;
use crate::report::SimilarityReport;
use clap::ValueEnum;
use clap::builder::PossibleValue;
use serde::Deserialize;
use serde_json::{Map, Value};

impl ValueEnum for Pixels {
    fn value_variants<'a>() -> &'a [Self] {
        &[Self::Float, Self::Clamped, Self::EightBit]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        let (name, help) = match self {
            Self::Float => ("float", "As floats, which may exceed [0,1]"),
            Self::Clamped => ("clamped", "Clamped to [0,1]"),
            Self::EightBit => ("8-bit", "Clamped and rounded to 8 bits, as in prototype.png"),
        };
        Some(PossibleValue::new(name).help(help))
    }
}

/// Measure how similar prototypes are to natural images, layer by layer
#[derive(clap::Args, Debug)]
#[command(after_help = super::help::SIMILARITY)]
pub(crate) struct SimilarityArgs {
    /// Folders of prototypes made by `protogpu run`, or folders of such folders
    #[arg(long = "prototype", value_name = "FOLDER", required = true, num_args = 1..)]
    prototypes: Vec<PathBuf>,
    /// Natural images, one folder per class, named by the class's index, WordNet id or name
    #[arg(long, value_name = "DIR")]
    images: PathBuf,
    /// The folder for the report
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Images per class, for the mean activations and for the comparison with them
    #[arg(long = "images-per-class", alias = "per-class", value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(2..=1_000_000))]
    per_class: u32,
    /// Images of other classes to compare [default: the number of --images-per-class]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    different: Option<u32>,
    /// Seed that selects the images and draws the noise
    #[arg(long, value_name = "S", default_value_t = 0)]
    seed: u64,
    /// Compare each image of the class with the mean of the others
    #[arg(long)]
    leave_one_out: bool,
    /// What a hook on a module keeps: a copy of its output, or a reference, whose contents later in-place operations overwrite
    #[arg(long = "hook", alias = "semantics", value_name = "copy|reference", value_parser = hook(), default_value = "copy")]
    semantics: Semantics,
    /// Average over module `names`, as in the paper, or over distinct `tensors`
    #[arg(long = "average-over", alias = "over", value_name = "names|tensors", default_value = "names")]
    over: Over,
    /// The form in which the network gets the prototypes' pixels
    #[arg(long, value_name = "HOW", value_enum, default_value_t = Pixels::Float)]
    pixels: Pixels,
    /// Add a control: an image, or a folder with a prototype of every class, such as another method's; repeat it for more
    #[arg(long = "control", value_name = "NAME=PATH")]
    controls: Vec<String>,
    /// Use a class's mean activations from `protogpu activations mean` instead of computing them; repeat it for more
    #[arg(long = "mean-file", alias = "mean", value_name = "FILE")]
    mean: Vec<PathBuf>,
    /// Folder that caches the mean activations and correlations of natural images [default: OUT/means]
    #[arg(long = "mean-cache", alias = "means", value_name = "DIR")]
    means: Option<PathBuf>,
    /// Images per batch
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=64))]
    batch: u16,
    /// Replace an earlier report, and cached mean activations that do not fit
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    judges: AskArgs,
    #[command(flatten)]
    print: PrintArgs,
    #[command(flatten)]
    engine: EngineArgs,
}

impl SimilarityArgs {
    /// Measures, writes the report and prints a summary.
    pub(crate) fn run(&self) -> Result<ExitCode> {
        let found = find(&self.prototypes)?;
        let record = recorded(&found[0].0, &found[0].1)?;
        let network = self.engine.network.or_recorded(Some(&record.weights)).open()?;
        let prototypes: Vec<(usize, Vec<Prototype>)> = prototypes(&found, &network, self.pixels)?.into_iter().collect();
        let classes: Vec<usize> = prototypes.iter().map(|(class, _)| *class).collect();
        let controls = given_controls(&self.controls, &classes, &network, self.pixels)?;
        let folder = ImageFolder::open(&self.images, network.labels())?;
        let choice = Choice {
            folder: &folder,
            per_class: self.per_class as usize,
            different: self.different.map(|n| n as usize),
            seed: self.seed,
            leave_one_out: self.leave_one_out,
        };
        let judges = self.judges.open(&record.weights)?;
        let measurement = Measurement {
            network: &network,
            choice,
            prototypes: &prototypes,
            folders: &self.prototypes,
            judges: Judges { judges: &judges, words },
            pixels: self.pixels,
            controls: &controls,
            control_names: &self.controls,
            mean_files: &self.mean,
            mean_cache: self.means.as_deref(),
            semantics: self.semantics,
            over: self.over,
            batch: self.batch.into(),
            out: &self.out,
            force: self.force,
        };
        measurement.check()?;
        let terminal = Terminal::new(self.print.quiet);
        let kept = measurement.kept();
        let stopped = format!("the finished work is in {}, and the same command continues", kept.display());
        let measure = |context: &Context| measurement.run(context, &terminal);
        work(&self.engine.adapter, &stopped, measure, |report| self.report(&report, &terminal))
    }

    fn report(&self, report: &SimilarityReport, terminal: &Terminal) -> Result<ExitCode> {
        let SimilarityReport { similarity, judges } = report;
        let summary = || match &judges[..] {
            [] => shown(similarity),
            judges => format!("{}\n{}\n", shown(similarity), short(judges)),
        };
        print_report(&self.print, terminal, report, [&similarity.skipped, &similarity.notes], summary, &self.out)
    }
}

/// The summary as text.
fn shown(similarity: &Similarity) -> String {
    let mut rows =
        vec![["class", "prototype", "same", "different", "normalised", "holds", "top 1"].map(str::to_owned).to_vec()];
    for class in &similarity.classes {
        let top = class.prototypes.iter().filter_map(|one| one.top.first());
        let top: Vec<String> = top.map(|top| format!("{} {:.2}", top.name, top.probability)).collect();
        rows.push(vec![
            format!("{} {}", class.index, class.name),
            figure(class.measured.prototype),
            figure(class.measured.same),
            figure(class.measured.different),
            figure(class.measured.normalised),
            format!("{}/{}", class.holds.layers, class.holds.of),
            top.join(", "),
        ]);
    }
    let all = &similarity.overall;
    let spread = |spread: &Spread| match (spread.mean, spread.std) {
        (Some(mean), Some(std)) => format!("{mean:.3}±{std:.3}"),
        (mean, _) => figure(mean),
    };
    rows.push(vec![
        "all".to_owned(),
        spread(&all.prototype),
        spread(&all.same),
        spread(&all.different),
        figure(all.normalised),
        format!("{}/{}", all.holds.layers, all.holds.of),
    ]);
    let mut text = table(&rows);
    text += &table(&controls(&all.controls));
    for warning in &similarity.warnings {
        text += &format!("{warning}\n");
    }
    text
}

/// A line per control, with the prototypes' lead over it.
fn controls(controls: &Map<String, Value>) -> Vec<Vec<String>> {
    let row = |(name, value): (&String, &Value)| {
        let Compared { spread, difference, p } = Compared::deserialize(value).unwrap_or_default();
        let mut row = vec![format!("control {name}"), figure(spread.mean)];
        if let Some((Interval { value, low, high }, p)) = difference.zip(p) {
            row.push(format!("prototypes {value:+.3} [{low:+.3}, {high:+.3}], p {}", p_value(p)));
        }
        row
    };
    controls.iter().map(row).collect()
}

fn figure(value: Option<f64>) -> String {
    value.map_or("-".to_owned(), |value| format!("{value:.3}"))
}
