//! `protogpu sweep`: settings in every combination, each scored by path similarity.

mod merge;
mod natural;
mod plan;
mod preset;
mod score;
mod table;

use std::num::NonZeroU16;
use std::path::PathBuf;
use std::process::ExitCode;
use std::str::FromStr;

use crate::analysis::ImageFolder;
use crate::analysis::similarity::{Observer, Over};
use crate::networks::{Network, Semantics};
use crate::report::sweep::FailedPoint;
use crate::{Error, Result};

use super::args::{AdapterArgs, NetworkArgs};
use super::interrupt;
use super::open::adapter_record;
use super::terminal::{INTERRUPTED, note};
use super::tuned::TuneArgs;
use crate::lab::run::record::Config;
use crate::lab::similarity::choice::Choice;
use crate::lab::sweep::files::{Files, Kernels, POINT_FORMAT, Plan, Record, read_json, write_json};
use crate::lab::sweep::grid::Point;
use preset::GridMethodArgs;
use score::{Bench, Scored};
use table::ShowArgs;

/// Make prototypes with every combination of settings, and rank them by path similarity
#[derive(clap::Args, Debug)]
#[command(after_help = super::help::SWEEP, args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct SweepArgs {
    #[command(subcommand)]
    command: Option<SweepCommand>,
    /// Natural images, one folder per class, named by the class's index, WordNet id or name
    #[arg(long, value_name = "DIR", required = true)]
    images: Option<PathBuf>,
    /// The output folder; a sweep that is already in it continues
    #[arg(long, value_name = "DIR", required = true)]
    out: Option<PathBuf>,
    /// A setting and its values, such as tv_weight=0.01,0.05; separate values that contain commas by semicolons: scale=0.7,1.3;1,1.
    /// Repeat it for more settings. Values of --set replace those of the grid
    #[arg(long = "set", value_name = "SETTING=VALUES")]
    set: Vec<String>,
    /// The built-in grid table3, or a JSON file with a list of values per setting
    #[arg(long, value_name = "table3|FILE")]
    grid: Option<String>,
    /// Classes by index, WordNet id or name; repeat it or separate them by commas [default: all that have images]
    #[arg(long = "class", value_name = "CLASS")]
    classes: Vec<String>,
    /// Number of prototypes of each class; their seeds are S, S+1, ... from --seed S on
    #[arg(long, value_name = "K", default_value = "1")]
    seeds: NonZeroU16,
    /// Make only every Nth point, from the Ith on; `protogpu sweep merge` merges the parts
    #[arg(long, value_name = "I/N")]
    shard: Option<Shard>,
    /// Images of a class to average, and to compare with the mean
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(2..=1_000_000))]
    per_class: u32,
    /// Images of other classes to compare [default: as many as of the class]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    different: Option<u32>,
    /// Seed that selects the images
    #[arg(long, value_name = "S", default_value_t = 0)]
    pictures_seed: u64,
    /// What a hook on a layer keeps: a copy of its output, or a reference that later in-place operations overwrite
    #[arg(long, value_name = "HOW", default_value = "snapshot")]
    semantics: Semantics,
    /// Average over module `names`, as in the paper, or over distinct `tensors`
    #[arg(long, value_name = "HOW", default_value = "names")]
    over: Over,
    /// Folder that keeps means and correlations of natural images for the next run [default: OUT/means]
    #[arg(long, value_name = "DIR")]
    means: Option<PathBuf>,
    /// Read the settings that the grid changes from a JSON file; from a run.json, also its weights
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Prototypes per batch
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..=256))]
    batch: u16,
    /// Replace points made with other settings, and kept means that do not fit
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    show: ShowArgs,
    #[command(flatten)]
    network: NetworkArgs,
    #[command(flatten)]
    adapter: AdapterArgs,
    #[command(flatten)]
    tune: TuneArgs,
    #[command(flatten)]
    given: GridMethodArgs,
}

#[derive(clap::Subcommand, Debug)]
enum SweepCommand {
    Merge(merge::MergeArgs),
}

/// `I/N`, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Shard {
    index: usize,
    of: usize,
}

impl Shard {
    const WHOLE: Self = Self { index: 1, of: 1 };

    fn has(self, point: usize) -> bool {
        point % self.of == self.index - 1
    }
}

impl FromStr for Shard {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let numbers = text.split_once('/').and_then(|(i, n)| Some((i.trim().parse().ok()?, n.trim().parse().ok()?)));
        match numbers {
            Some((index, of)) if (1..=of).contains(&index) => Ok(Self { index, of }),
            _ => Err(Error::input(format!("`{text}` is not I/N with I from 1 to N, such as 2/8"))),
        }
    }
}

/// What came of a point.
enum Outcome {
    Done(Box<Record>),
    Failed(String),
}

impl SweepArgs {
    /// Makes what is missing, and writes the table.
    pub(crate) fn run(&self) -> Result<ExitCode> {
        let (images, out) = match (&self.command, &self.images, &self.out) {
            (Some(SweepCommand::Merge(merge)), ..) => return merge.run(),
            (None, Some(images), Some(out)) => (images, out),
            _ => unreachable!("both are required"),
        };
        let config = self.config.as_deref().map(Config::read).transpose()?;
        let recorded = config.as_ref().and_then(|config| config.recorded.as_ref());
        let network_args = self.network.or_recorded(recorded.map(|recorded| &recorded.weights));
        let network = network_args.open()?;
        if let Some(config) = &config {
            config.check_weights(network.weights().sha256(), network.weights().name())?;
        }
        let folder = ImageFolder::open(images, network.labels())?;
        let choice = Choice {
            folder: &folder,
            per_class: self.per_class as usize,
            different: self.different.map(|n| n as usize),
            seed: self.pictures_seed,
            leave_one_out: false,
        };
        for line in folder.ignored() {
            self.note(&format!("skipped: {line}"));
        }
        let classes = self.classes(&network, &folder)?;
        let (plan, points) = self.plan(config.as_ref(), &network, &choice, &classes)?;
        let shard = self.shard.unwrap_or(Shard::WHOLE);
        let points: Vec<Point> = points.into_iter().enumerate().filter(|(at, _)| shard.has(*at)).map(|p| p.1).collect();
        let files = Files::new(out);
        let done = self.begin(&files, &plan, &points)?;
        let Some(outcomes) = self.make(&files, &plan, &points, done, &network, &choice, &classes)? else {
            return Ok(INTERRUPTED.into());
        };
        self.finish(&files, plan, &points, outcomes)
    }

    /// Every point: made before, or now; none if the user asked to stop.
    #[expect(clippy::too_many_arguments, reason = "what a sweep is of, told once")]
    fn make(
        &self,
        files: &Files,
        plan: &Plan,
        points: &[Point],
        done: Vec<Option<Record>>,
        network: &Network,
        choice: &Choice<'_>,
        classes: &[usize],
    ) -> Result<Option<Vec<Outcome>>> {
        let before = done.iter().flatten().count();
        if before == points.len() {
            return Ok(Some(done.into_iter().flatten().map(|record| Outcome::Done(Box::new(record))).collect()));
        }
        let context = self.adapter.open()?;
        let adapter = adapter_record(context.info()).description;
        let count = points.len();
        self.note(&format!("{network:?}, on {adapter}: {count} points, {before} of them already finished"));
        let prototypes = classes.len() * usize::from(self.seeds.get());
        let batch = prototypes.min(self.batch.into());
        let kept: Option<Kernels> =
            if self.force { None } else { read_json(&files.kernels()).map_err(crate::lab::sweep::files::or_anew)? };
        let kept = kept.filter(|kept| kept.adapter == adapter).map(|kept| kept.kernels);
        let choices = self.tune.choices(&context, network, batch, kept.as_ref(), self.show.quiet)?;
        let kernels = network.graph().fused()?.chosen(&choices);
        write_json(&files.kernels(), &Kernels { adapter: adapter.clone(), kernels })?;
        interrupt::listen()?;
        let pictures = prototypes.clamp(4, 16);
        let mut observer = Observer::new(&context, network, pictures)?;
        let Some(sides) = self.sides(files, network, choice, classes, &mut observer)? else { return Ok(None) };
        let mut bench = Bench {
            context: &context,
            network,
            choices: &choices,
            observer: &mut observer,
            pictures,
            sides: &sides,
            seeds: self.seeds.get().into(),
            batch,
            semantics: self.semantics,
            over: self.over,
        };
        let digest = plan.digest();
        let mut outcomes = Vec::new();
        for (at, (point, done)) in points.iter().zip(done).enumerate() {
            if let Some(record) = done {
                outcomes.push(Outcome::Done(Box::new(record)));
                continue;
            }
            let made = bench.score(point).and_then(|scored| {
                let Some(Scored { score, pictures }) = scored else { return Ok(None) };
                let settings = point.settings.to_map();
                let (plan_sha256, adapter) = (digest.clone(), adapter.clone());
                let record = Record { format: POINT_FORMAT.into(), plan_sha256, settings, adapter, score };
                files.write(&record, &pictures)?;
                Ok(Some(record))
            });
            match made {
                Ok(None) => {
                    let out = files.out.display();
                    self.note(&format!("stopped; {out} keeps the finished points, and the same command continues"));
                    return Ok(None);
                }
                Ok(Some(record)) => {
                    self.note(&format!("{}/{count} {}", at + 1, table::brief(&record.score)));
                    outcomes.push(Outcome::Done(Box::new(record)));
                }
                Err(error) => {
                    // Without the device no other point would fare better.
                    if context.check_lost().is_err() {
                        return Err(Error::Device(format!(
                            "{}: {error}; finished points are kept, and the same command continues",
                            point.name
                        )));
                    }
                    let error = error.to_string();
                    self.note(&format!("{}/{count} {}: {error}; the other points continue", at + 1, point.name));
                    // On a full disk there is no room for this either; the table has it.
                    let _ = files.write_error(&point.name, &error);
                    outcomes.push(Outcome::Failed(error));
                }
            }
        }
        Ok(Some(outcomes))
    }

    fn finish(&self, files: &Files, plan: Plan, points: &[Point], outcomes: Vec<Outcome>) -> Result<ExitCode> {
        let (mut records, mut failed) = (Vec::new(), Vec::new());
        for (point, outcome) in points.iter().zip(outcomes) {
            match outcome {
                Outcome::Done(record) => records.push(*record),
                Outcome::Failed(error) => {
                    failed.push(FailedPoint { name: point.name.clone(), values: point.values.clone(), error })
                }
            }
        }
        self.show.finish(files, plan, records, failed)
    }

    fn note(&self, text: &str) {
        if !self.show.quiet {
            note(text);
        }
    }
}
