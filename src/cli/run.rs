//! `protogpu run`: prototypes of classes.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use crate::gpu::Context;
use crate::method::{Optimizer, Settings};
use crate::networks::{Network, Preprocessing};
use crate::ops::ConvAlgorithms;
use crate::{Error, Result};
use serde_json::json;

use super::animation::frame_steps;
use super::args::{AdapterArgs, NetworkArgs};
use super::index::rebuild;
use super::interrupt;
use super::method::MethodArgs;
use super::open::adapter_record;
use super::run_batch::Run;
use super::run_many::{Done, Throughput, failures_text, make_all};
use super::run_report::report;
use super::terminal::{FAILURE, INTERRUPTED, note, print, print_json};
use super::tuned::TuneArgs;
use crate::lab::run::batch_size::BatchSize;
use crate::lab::run::classes::wanted;
use crate::lab::run::folder::Existing;
use crate::lab::run::record::{AdapterRecord, Config};
use crate::lab::run::request::{Request, goals};
use crate::lab::run::slot::{Target, batch_len, check_diverse, start, targets};

/// Make prototypes: images of what a network has learned about a class
#[derive(clap::Args, Debug)]
#[command(after_help = super::help::run())]
pub(crate) struct RunArgs {
    /// Classes by index, WordNet id, name, range including both ends (0..99), or all; repeat it or separate them by commas
    /// [default: the first class of a built-in network; required with --weights]
    #[arg(long = "class", value_name = "CLASS", conflicts_with = "objective")]
    classes: Vec<String>,
    /// The output folder; each prototype gets a folder in it, `<index>_<name>_seed<S>` or `<objective>_seed<S>`
    #[arg(long, value_name = "DIR", default_value = "out")]
    out: PathBuf,
    /// Read settings from a JSON file; from a run.json, also its class, seed and weights
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Number of prototypes of each class or objective; their seeds are S, S+1, ... from --seed S on
    #[arg(long, value_name = "K", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    per_class: u32,
    /// Prototypes per batch, 1 to 256, or auto: as many as memory allows, at most 8 on a software adapter. A prototype's bits do
    /// not depend on its batch
    #[arg(long, value_name = "N|auto", default_value = "auto")]
    batch: BatchSize,
    /// Continue from the checkpoints of an interrupted run; with more --steps only if neither learning rate nor penalty depends
    /// on them
    #[arg(long)]
    resume: bool,
    /// Start again and replace the files of an earlier run
    #[arg(long, conflicts_with = "resume")]
    force: bool,
    /// Write the image after every K steps, to snapshots/
    #[arg(long, value_name = "K")]
    snapshot_every: Option<NonZeroU32>,
    /// Also write prototype.apng, an animation of how the prototype came about
    #[arg(long)]
    animate: bool,
    /// Write a checkpoint after every K steps
    #[arg(long, value_name = "K", default_value = "64")]
    checkpoint_every: NonZeroU32,
    /// Print the plan (dispatches, FLOPs, bytes, peak memory) and stop
    #[arg(long)]
    dry_run: bool,
    /// Print nothing but errors
    #[arg(long)]
    quiet: bool,
    /// Print the results as JSON
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
        self.network.check_paths(&self.out)?;
        let config = self.config.as_deref().map(Config::read).transpose()?;
        let settings = self.method.valid_settings(config.as_ref())?;
        self.method.check_rivals()?;
        let recorded = config.as_ref().and_then(|config| config.recorded.as_ref());
        let network_args = self.network.or_recorded(recorded.map(|recorded| &recorded.weights));
        let network = network_args.open()?;
        let weights = network_args.record(&network);
        if let Some(config) = &config {
            config.check_weights(&weights.sha256, network.weights().name())?;
        }
        let goals = goals(&self.classes, &self.method.objectives, &settings, config.as_ref(), &network)?;
        let wanted = wanted(&goals, settings.seed, self.per_class)?;
        let start = start(&settings, config.as_ref(), settings.image_side as usize)?;
        if self.dry_run {
            return self.dry_run(&network, &settings, &wanted);
        }
        let steps_given = self.method.steps.is_some() || config.is_some();
        let mut targets =
            targets(&wanted, &self.out, Existing::of(self.resume, self.force), &settings, steps_given, &network)?;
        // Its plan stands for the others'.
        let settings = goals[0].settings(&settings);
        if targets.iter().all(|target| target.finished) {
            self.note("everything is finished already");
            if self.animate && !targets.iter().all(|target| target.folder.animation().is_file()) {
                self.note("prototypes made without --animate have no animation; --force makes them again");
            }
            // Left by a process that was killed before it had cleared up.
            targets.iter().for_each(|target| target.folder.clear_frames());
            return self.report(&mut targets, None);
        }
        let context = self.adapter.open()?;
        let adapter = adapter_record(context.info());
        self.introduce(&network, &targets, &adapter, config.as_ref());
        let (choices, most) = self.kernels(&context, &network, &settings, &targets, config.as_ref())?;
        check_diverse(&targets, most)?;
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
            frames: if self.animate { frame_steps(settings.total_steps()) } else { Vec::new() },
            checkpoint_every: self.checkpoint_every.get(),
            quiet: self.quiet,
            launched,
        };
        match make_all(&run, &mut targets, most, self.batch == BatchSize::Auto)? {
            Done::All(throughput) => self.report(&mut targets, Some(throughput)),
            Done::Interrupted(step) => {
                let (total, out) = (settings.total_steps(), self.out.display());
                note(&format!("stopped after step {step} of {total}; {out} keeps the state, and --resume continues"));
                Ok(INTERRUPTED.into())
            }
        }
    }

    /// What computes the convolutions, and how many images to make at once.
    fn kernels(
        &self,
        context: &Context,
        network: &Network,
        settings: &Settings,
        targets: &[Target],
        config: Option<&Config>,
    ) -> Result<(ConvAlgorithms, usize)> {
        let recorded = config.and_then(|config| config.recorded.as_ref()).map(|recorded| &recorded.kernels);
        let open = targets.iter().filter(|target| target.is_open()).count();
        let size = |choices: &ConvAlgorithms| self.batch.of(open, context, choices, network, settings);
        let fixed = ConvAlgorithms::fixed(context.capabilities());
        // What was begun goes on with its own.
        let fresh = targets.iter().filter(|target| target.is_open() && target.begun.is_none()).count();
        let choices = match fresh {
            0 => fixed,
            _ => self.tune.choices(context, network, batch_len(fresh, size(&fixed)?), recorded, self.quiet)?,
        };
        let most = size(&choices)?;
        Ok((choices, most))
    }

    /// What one batch would do and take.
    fn dry_run(&self, network: &Network, settings: &Settings, wanted: &[(Request, u64)]) -> Result<ExitCode> {
        let context = self.adapter.open()?;
        let adapter = adapter_record(context.info());
        let choices = ConvAlgorithms::fixed(context.capabilities());
        let settings = &wanted[0].0.settings(settings);
        let n = batch_len(wanted.len(), self.batch.of(wanted.len(), &context, &choices, network, settings)?);
        let summary = Optimizer::summary(&choices, network, settings, n)?;
        let steps = settings.total_steps();
        let mut goals: Vec<&Request> = wanted.iter().map(|(goal, _)| goal).collect();
        goals.dedup_by(|a, b| a.is(b));
        if self.json {
            let classes: Vec<usize> = goals.iter().filter_map(|goal| goal.class()).map(|class| class.index).collect();
            let objectives: Vec<String> = goals.iter().map(|goal| goal.objective.to_string()).collect();
            let plan = json!({"adapter": adapter, "network": format!("{network:?}"), "classes": classes,
                "objectives": objectives, "per_class": self.per_class, "batch": n, "steps": steps, "plan": summary});
            print_json(&plan)?;
        } else {
            let description = &adapter.description;
            let (jobs, s) = (plural(wanted.len()), if steps == 1 { "" } else { "s" });
            let jobs = format!("{jobs} of {}, {n} at once, {steps} step{s} each", names(&goals));
            print(&format!("adapter   {description}\nnetwork   {network:?}\nto make   {jobs}\n{summary}\n"))?;
        }
        Ok(ExitCode::SUCCESS)
    }

    /// What is about to happen, on stderr.
    fn introduce(&self, network: &Network, targets: &[Target], adapter: &AdapterRecord, config: Option<&Config>) {
        let adapter = &adapter.description;
        self.note(&format!("{network:?}, on {adapter}"));
        let input = network.preprocessing();
        if Preprocessing::of(network.weights(), network.architecture()).is_ok_and(|own| own != *input) {
            self.note(&format!("options override the input of the weights file: the network gets {input}"));
        }
        if let Some(told) = self.method.without_effect(&targets[0].settings) {
            self.note(&told);
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
            self.note(&format!("{}: continuing after step {}", target.goal.title(), begun.step));
            if begun.adapter != *adapter {
                self.note(&format!("its steps so far ran on {}: the bits will differ", begun.adapter));
            }
        }
    }

    fn note(&self, text: &str) {
        if !self.quiet {
            note(text);
        }
    }

    /// What was made and what was not. A run of one prototype that failed is that failure.
    fn report(&self, targets: &mut [Target], throughput: Option<Throughput>) -> Result<ExitCode> {
        if let [one] = targets
            && one.failed.is_some()
        {
            if self.json {
                report(targets, throughput, None, true)?;
            }
            return Err(targets[0].failed.take().expect("it failed"));
        }
        // What was made is there; a page that cannot be written takes nothing of it away.
        let warn = |error: &Error| note(&format!("warning: index.html and contact.png were not written: {error}"));
        let index = rebuild(&self.out).inspect_err(warn).ok().flatten();
        if self.json || !self.quiet {
            report(targets, throughput, index.as_deref(), self.json)?;
        }
        if let Some(throughput) = throughput.filter(|throughput| throughput.prototypes > 1) {
            self.note(&throughput.text());
        }
        match failures_text(targets) {
            None => Ok(ExitCode::SUCCESS),
            Some(text) => {
                note(&format!("error: {text}"));
                Ok(FAILURE.into())
            }
        }
    }
}

fn plural(count: usize) -> String {
    if count == 1 { "1 prototype".into() } else { format!("{count} prototypes") }
}

/// The first few.
fn names(goals: &[&Request]) -> String {
    const AT_MOST: usize = 5;
    let mut names: Vec<String> = goals.iter().take(AT_MOST).map(|goal| goal.title()).collect();
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
