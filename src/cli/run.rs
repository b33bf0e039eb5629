//! `protogpu run`: prototypes of classes.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use protogpu::nets::{Input, Network};
use protogpu::ops::Choices;
use protogpu::optimize::{Optimizer, Preset, Settings};
use protogpu::{Error, Result};
use serde_json::json;

use super::args::{AdapterArgs, NetworkArgs};
use super::folder::Existing;
use super::interrupt;
use super::method::MethodArgs;
use super::open::adapter_record;
use super::run_batch::{Ended, Run};
use super::run_goals::{Goal, goals};
use super::run_record::{AdapterRecord, Config};
use super::run_report::{Made, report};
use super::run_targets::{Target, batches, start, targets};
use super::terminal::{INTERRUPTED, note, print, print_json};
use super::top::Top;
use super::tuned::TuneArgs;

/// Generate prototypes: pictures of what a network has learned about classes
#[derive(clap::Args, Debug)]
#[command(after_help = super::help::run())]
pub(crate) struct RunArgs {
    /// Classes, by index, WordNet id or name; repeat it or separate them by commas [default: the embedded network's
    /// first; none with --weights]
    #[arg(long = "class", value_name = "CLASS", conflicts_with = "objective")]
    classes: Vec<String>,
    /// The folder in which each prototype gets its own, `<index>_<name>_seed<S>`, or of an objective `<objective>_seed<S>`
    #[arg(long, value_name = "DIR", default_value = "out")]
    out: PathBuf,
    /// Settings from a JSON file; with a run.json also its class, seed and weights
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// How many prototypes to make at once
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=256))]
    batch: u16,
    /// Go on from the checkpoints of an interrupted run, or with more --steps
    #[arg(long)]
    resume: bool,
    /// Begin anew and replace what an earlier run wrote
    #[arg(long, conflicts_with = "resume")]
    force: bool,
    /// Keep the picture after every K steps
    #[arg(long, value_name = "K")]
    snapshot_every: Option<NonZeroU32>,
    /// Keep the state after every K steps
    #[arg(long, value_name = "K", default_value = "64")]
    checkpoint_every: NonZeroU32,
    /// Print the plan (dispatches, FLOPs, bytes, peak memory) and stop
    #[arg(long)]
    dry_run: bool,
    /// Print nothing but errors
    #[arg(long)]
    quiet: bool,
    /// Print JSON: where the prototypes are and what came of them
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    network: NetworkArgs,
    #[command(flatten)]
    adapter: AdapterArgs,
    #[command(flatten)]
    tune: TuneArgs,
    #[command(flatten)]
    method: MethodArgs,
}

impl RunArgs {
    /// Makes the prototypes.
    pub(crate) fn run(&self, launched: Instant) -> Result<ExitCode> {
        self.check_paths()?;
        let config = self.config.as_deref().map(Config::read).transpose()?;
        let settings = self.settings(config.as_ref())?;
        let recorded = config.as_ref().and_then(|config| config.recorded.as_ref());
        let network_args = self.network.or_recorded(recorded.map(|recorded| &recorded.weights));
        let network = network_args.open()?;
        let weights = network_args.record(&network);
        if let Some(config) = &config {
            config.check_weights(&weights.sha256, network.weights().name())?;
        }
        let goals = goals(&self.classes, &self.method.objectives, &settings, config.as_ref(), &network)?;
        let start = start(&settings, config.as_ref(), network.input().h())?;
        if self.dry_run {
            return self.dry_run(&network, &settings, &goals);
        }
        let steps_given = self.method.steps.is_some() || config.is_some();
        let mut targets = targets(&goals, &self.out, self.existing(), &settings, steps_given, &network)?;
        if targets.iter().all(|target| target.finished) {
            self.note("all of it is finished already");
            return self.report(&targets, settings.seed, Vec::new());
        }
        let context = self.adapter.open()?;
        let adapter = adapter_record(context.info());
        self.introduce(&network, &targets, &adapter, config.as_ref());
        let recorded = config.as_ref().and_then(|config| config.recorded.as_ref()).map(|recorded| &recorded.kernels);
        // What was begun goes on with its own.
        let fresh = targets.iter().filter(|target| !target.finished && target.begun.is_none()).count();
        let choices = match fresh {
            0 => Choices::fixed(context.capabilities()),
            _ => self.tune.choices(&context, &network, fresh.min(self.batch.into()), recorded, self.quiet)?,
        };
        interrupt::listen()?;
        let run = Run {
            context: &context,
            network: &network,
            settings: &settings,
            start: start.as_ref(),
            weights: &weights,
            adapter: &adapter,
            choices: &choices,
            snapshot_every: self.snapshot_every.map(NonZeroU32::get),
            checkpoint_every: self.checkpoint_every.get(),
            quiet: self.quiet,
            launched,
        };
        let mut tops = Vec::new();
        for batch in diverse(batches(&mut targets, self.batch.into()))? {
            let folders: Vec<PathBuf> = batch.iter().map(|target| target.folder.path().to_path_buf()).collect();
            match run.make(batch)? {
                Ended::Finished(made) => tops.extend(folders.into_iter().zip(made)),
                Ended::Interrupted(step) => {
                    let (total, out) = (settings.total_steps(), self.out.display());
                    note(&format!("stopped after step {step} of {total}, kept in {out}: go on with --resume"));
                    return Ok(INTERRUPTED.into());
                }
            }
        }
        self.report(&targets, settings.seed, tops)
    }

    /// Records and reports are text, and name these.
    fn check_paths(&self) -> Result<()> {
        let paths = [Some(&self.out), self.network.weights.as_ref(), self.network.labels.as_ref()];
        match paths.into_iter().flatten().find(|path| path.to_str().is_none()) {
            Some(path) => Err(Error::input(format!(
                "{}: the path is not UTF-8, and run.json names it: rename it",
                path.display()
            ))),
            None => Ok(()),
        }
    }

    /// What one batch would do and take.
    fn dry_run(&self, network: &Network, settings: &Settings, goals: &[Goal]) -> Result<ExitCode> {
        let context = self.adapter.open()?;
        let adapter = adapter_record(context.info());
        let n = goals.len().min(self.batch.into());
        let first = goals[0].settings(settings);
        let summary = Optimizer::summary(&Choices::fixed(context.capabilities()), network, &first, n)?;
        let steps = settings.total_steps();
        if self.json {
            let classes: Vec<usize> = goals.iter().filter_map(|goal| goal.class()).map(|class| class.index).collect();
            let objectives: Vec<String> = goals.iter().map(|goal| goal.objective.to_string()).collect();
            let plan = json!({"adapter": adapter, "network": format!("{network:?}"), "classes": classes,
                "objectives": objectives, "batch": n, "steps": steps, "plan": summary});
            print_json(&plan)?;
        } else {
            let description = &adapter.description;
            let jobs = format!("{} of {}, {n} at once, {steps} steps each", plural(goals.len()), names(goals));
            print(&format!("adapter   {description}\nnetwork   {network:?}\nto make   {jobs}\n{summary}\n"))?;
        }
        Ok(ExitCode::SUCCESS)
    }

    /// What is about to happen, on stderr.
    fn introduce(&self, network: &Network, targets: &[Target], adapter: &AdapterRecord, config: Option<&Config>) {
        let adapter = &adapter.description;
        self.note(&format!("{network:?}, on {adapter}"));
        let input = network.expects();
        if Input::of(network.weights(), network.architecture()).is_ok_and(|own| own != input) {
            self.note(&format!("other than its file says, it is taken to expect {input}"));
        }
        let goal = &targets[0].goal;
        let asked = !self.classes.is_empty() || !self.method.objectives.is_empty() || !goal.aim.is_class();
        if !asked && config.is_none_or(|config| config.recorded.is_none()) {
            self.note(&format!("no --class was given: making {}", goal.title()));
        }
        if let Some(recorded) = config.and_then(|config| config.recorded.as_ref())
            && recorded.adapter.description != *adapter
        {
            let other = &recorded.adapter.description;
            self.note(&format!("the configuration was recorded on {other}: the bits will differ"));
        }
        for target in targets {
            let Some(begun) = &target.begun else { continue };
            self.note(&format!("{}: going on after step {}", target.goal.title(), begun.step()));
            if begun.adapter != *adapter {
                self.note(&format!("its steps so far were made on {}: the bits will differ", begun.adapter));
            }
        }
    }

    fn note(&self, text: &str) {
        if !self.quiet {
            note(text);
        }
    }

    fn report(&self, targets: &[Target], seed: u64, mut tops: Vec<(PathBuf, Vec<Top>)>) -> Result<ExitCode> {
        let mut made = Vec::new();
        for target in targets {
            let at = tops.iter().position(|(folder, _)| folder == target.folder.path());
            made.push(Made::new(target, seed, at.map(|at| tops.swap_remove(at).1)));
        }
        if self.json || !self.quiet {
            report(&made, self.json)?;
        }
        Ok(ExitCode::SUCCESS)
    }

    /// Options over the file's settings over those of the preset.
    fn settings(&self, config: Option<&Config>) -> Result<Settings> {
        let named = match (self.method.preset, config) {
            (None, Some(config)) => config.preset()?,
            (preset, _) => preset,
        };
        let mut settings = Settings::preset(named.unwrap_or(Preset::Paper));
        if let Some(config) = config {
            settings = config.apply(&settings)?;
        }
        self.method.apply(&mut settings);
        settings.validate()?;
        Ok(settings)
    }

    fn existing(&self) -> Existing {
        match (self.resume, self.force) {
            (true, _) => Existing::Resume,
            (_, true) => Existing::Replace,
            _ => Existing::Refuse,
        }
    }
}

fn plural(count: usize) -> String {
    if count == 1 { "1 prototype".into() } else { format!("{count} prototypes") }
}

/// The batches, none of which has an image alone that is to be unlike others.
fn diverse(batches: Vec<Vec<&mut Target>>) -> Result<Vec<Vec<&mut Target>>> {
    match batches.iter().find(|batch| batch.len() == 1 && batch[0].goal.aim.is_diverse()) {
        None => Ok(batches),
        Some(batch) => Err(Error::input(format!(
            "`{}` would be made alone, and diversity is of images that are made at once: give more objectives of this form, and \
             --batch",
            batch[0].goal.name
        ))),
    }
}

/// The first few.
fn names(goals: &[Goal]) -> String {
    const AT_MOST: usize = 5;
    let mut names: Vec<String> = goals.iter().take(AT_MOST).map(Goal::title).collect();
    if goals.len() > AT_MOST {
        names.push("...".into());
    }
    names.join(", ")
}

/// The steps after which something is due, so that the steps in between can go in one submission: the next multiple of
/// any of these numbers after `step`, at most `total`.
pub(crate) fn next_stop(step: u32, total: u32, every: impl IntoIterator<Item = u32>) -> u32 {
    every.into_iter().map(|every| (step / every).saturating_add(1).saturating_mul(every)).fold(total, u32::min)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stops_at_each_multiple_and_at_the_end() {
        assert_eq!(next_stop(0, 100, [64, 10]), 10);
        assert_eq!(next_stop(60, 100, [64, 10]), 64);
        assert_eq!(next_stop(64, 100, [64, 50]), 100);
        assert_eq!(next_stop(99, 100, [u32::MAX]), 100);
        assert_eq!(next_stop(7, 9, []), 9);
    }
}
