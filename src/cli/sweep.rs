//! `protogpu sweep`: every combination of settings, scored by path similarity and by judges.

use std::num::NonZeroU16;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::args::{EngineArgs, TuneArgs, hook};
use super::default_preset::DefaultPreset;
use super::grid_method::GridMethodArgs;
use super::interrupt;
use super::judges::AskArgs;
use super::observer::Terminal;
use super::sweep_table::ShowArgs;
use super::terminal::{INTERRUPTED, note, words};
use crate::analysis::similarity::Over;
use crate::gpu::describe_adapter;
use crate::lab::judge::Judges;
use crate::lab::pictures::ImageFolder;
use crate::lab::run::record::Config;
use crate::lab::similarity::choice::Choice;
use crate::lab::sweep::files::{Files, Plan, Record};
use crate::lab::sweep::grid::Point;
use crate::lab::sweep::judges::SweepJudges;
use crate::lab::sweep::make::Outcomes;
use crate::lab::sweep::merge::{Merge, Merged};
use crate::lab::sweep::plan::classes_with_pictures;
use crate::lab::sweep::request::{Shard, SweepRequest};
use crate::method::Preset;
use crate::networks::Semantics;
use crate::report::sweep::SweepJudge;
use crate::{Error, Result};
use serde_json::Value;

/// Make prototypes with every combination of settings, and rank them by path similarity
#[derive(clap::Args, Debug)]
#[command(after_help = super::help::SWEEP, args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct SweepArgs {
    #[command(subcommand)]
    command: Option<SweepCommand>,
    /// Natural images, one folder per class, named by the class's index, WordNet id or name
    #[arg(long, value_name = "DIR", required = true)]
    images: Option<PathBuf>,
    /// The output folder; if it has a part of this sweep, the sweep continues
    #[arg(long, value_name = "DIR", required = true)]
    out: Option<PathBuf>,
    /// A setting and its values, such as tv_weight=0.01,0.05; separate values that contain commas by semicolons: scale=0.7,1.3;1,1.
    /// Repeat it for more settings. --set replaces the grid's values of the same setting
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
    /// Make only every Nth point, starting from the Ith; `protogpu sweep merge` merges the parts
    #[arg(long, value_name = "I/N")]
    shard: Option<Shard>,
    /// Images per class, for the mean activations and for the comparison with them
    #[arg(long = "images-per-class", alias = "per-class", value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(2..=1_000_000))]
    per_class: u32,
    /// Images of other classes to compare [default: the number of --images-per-class]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    different: Option<u32>,
    /// Seed that selects the images
    #[arg(long, alias = "pictures-seed", value_name = "S", default_value_t = 0)]
    images_seed: u64,
    /// What a hook on a module keeps: a copy of its output, or a reference, whose contents later in-place operations overwrite
    #[arg(long = "hook", alias = "semantics", value_name = "copy|reference", value_parser = hook(), default_value = "copy")]
    semantics: Semantics,
    /// Average over module `names`, as in the paper, or over distinct `tensors`
    #[arg(long = "average-over", alias = "over", value_name = "names|tensors", default_value = "names")]
    over: Over,
    /// Folder that caches the mean activations and correlations of natural images [default: OUT/means]
    #[arg(long = "mean-cache", alias = "means", value_name = "DIR")]
    means: Option<PathBuf>,
    /// Read the other settings from a JSON file; from a run.json, also its weights
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Prototypes per batch
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..=256))]
    batch: u16,
    /// Replace points made with other settings, and cached mean activations that do not fit
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    judges: AskArgs,
    #[command(flatten)]
    show: ShowArgs,
    #[command(flatten)]
    engine: EngineArgs,
    #[command(flatten)]
    tune: TuneArgs,
    #[command(flatten)]
    given: GridMethodArgs,
}

#[derive(clap::Subcommand, Debug)]
enum SweepCommand {
    Merge(MergeArgs),
}

/// Merge the parts of a sweep that was split with --shard
#[derive(clap::Args, Debug)]
#[command(after_help = super::help::SWEEP_MERGE)]
pub(super) struct MergeArgs {
    /// The --out folders of `protogpu sweep --shard`
    #[arg(value_name = "PART", required = true)]
    parts: Vec<PathBuf>,
    /// The output folder
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Replace another sweep in that folder
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    show: ShowArgs,
}

impl MergeArgs {
    /// Merges the parts, and writes the table.
    fn run(&self) -> Result<ExitCode> {
        let merge = Merge { parts: &self.parts, out: &self.out, force: self.force };
        let check = |judges: &[SweepJudge], seeds| self.show.ranking(judges, seeds).map(|_| ());
        let Merged { plan, outcomes, judges } = merge.run(check)?;
        self.show.finish(&Files::new(&self.out), plan, outcomes, judges)
    }
}

impl SweepArgs {
    /// Makes the missing points, and writes the table.
    pub(crate) fn run(&self) -> Result<ExitCode> {
        match (&self.command, &self.images, &self.out) {
            (Some(SweepCommand::Merge(merge)), ..) => merge.run(),
            (None, Some(images), Some(out)) => self.sweep(images, out),
            _ => unreachable!("both are required"),
        }
    }

    fn sweep(&self, images: &Path, out: &Path) -> Result<ExitCode> {
        let config = self.config.as_deref().map(Config::read).transpose()?;
        let recorded = config.as_ref().and_then(|config| config.recorded.as_ref());
        let network_args = self.engine.network.or_recorded(recorded.map(|recorded| &recorded.weights));
        let network = network_args.open()?;
        let maker = network_args.record(&network);
        if let Some(config) = &config {
            config.check_weights(network.weights().sha256(), network.weights().name())?;
        }
        let (network, _) = self.given.method.with_statistics(network, config.as_ref())?;
        let folder = ImageFolder::open(images, network.labels())?;
        let terminal = Terminal::new(self.show.print.quiet);
        for line in folder.skipped() {
            terminal.note(&format!("skipped: {line}"));
        }
        folder.notes().iter().for_each(|line| terminal.note(&format!("note: {line}")));
        let (opened, files) = (self.judges.open(&maker)?, Files::new(out));
        let judges = SweepJudges::new(Judges { judges: &opened, words }, &files, &maker, network.labels())?;
        self.show.ranking(&judges.named, self.seeds.get() > 1)?;
        let request = SweepRequest {
            network: &network,
            choice: Choice {
                folder: &folder,
                per_class: self.per_class as usize,
                different: self.different.map(|n| n as usize),
                seed: self.images_seed,
                leave_one_out: false,
            },
            classes: &classes_with_pictures(&self.classes, &network, &folder)?,
            seeds: self.seeds,
            shard: self.shard,
            semantics: self.semantics,
            over: self.over,
            mean_cache: self.means.as_deref(),
            batch: self.batch.into(),
            tune: self.tune.wanted(),
            out,
            force: self.force,
        };
        let default = DefaultPreset::of(&network, network_args.weights.is_none(), true);
        let base = |preset: Option<&Value>| {
            let named = preset.map(|name| name.as_str().unwrap_or_default().parse::<Preset>()).transpose()?;
            self.given.method.settings(named, config.as_ref(), &default.preset)
        };
        let grid = self.grid.as_ref().or(self.given.grid.as_ref());
        let (plan, points) = request.plan(grid.map(String::as_str), &self.set, &base)?;
        let shard = self.shard.unwrap_or(Shard::WHOLE);
        let points: Vec<Point> = points.into_iter().enumerate().filter(|(at, _)| shard.has(*at)).map(|p| p.1).collect();
        if !self.force {
            judges.check(&points)?;
        }
        let done = request.begin(&files, &plan, &points)?;
        match self.make(&request, &plan, &points, done, &judges, &terminal) {
            Err(Error::Cancelled) => {
                note(&format!(
                    "stopped; the finished points and mean activations are in {}, and the same command continues",
                    out.display()
                ));
                Ok(INTERRUPTED.into())
            }
            Err(error) => Err(error),
            Ok(outcomes) => self.show.finish(&files, plan, outcomes, judges.named),
        }
    }

    /// Makes the points that are missing, and asks the judges about those that they have not seen.
    fn make(
        &self,
        request: &SweepRequest<'_>,
        plan: &Plan,
        points: &[Point],
        done: Vec<Option<Record>>,
        judges: &SweepJudges<'_>,
        terminal: &Terminal,
    ) -> Result<Outcomes> {
        let before = done.iter().flatten().count();
        let is_made = before == points.len();
        if is_made && judges.have_seen(done.iter().flatten())? {
            let mut records: Vec<Record> = done.into_iter().flatten().collect();
            judges.fill(&mut records)?;
            return Ok(Outcomes { records, failed: Vec::new() });
        }
        let context = self.engine.adapter.open()?;
        let (network, adapter, count) = (request.network, describe_adapter(context.info()), points.len());
        terminal.note(&format!("{network:?}, on {adapter}: {count} points, {before} of them already finished"));
        interrupt::listen()?;
        let mut outcomes = match is_made {
            true => Outcomes { records: done.into_iter().flatten().collect(), failed: Vec::new() },
            false => request.make(&context, plan, points, done, terminal)?,
        };
        judges.ask(&outcomes.records, &context, terminal)?;
        judges.fill(&mut outcomes.records)?;
        Ok(outcomes)
    }
}
