//! `protogpu run`: prototypes of classes.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use super::args::{EngineArgs, ExistingArgs, PrintArgs, TuneArgs};
use super::default_preset::DefaultPreset;
use super::interrupt;
use super::judges::{AskArgs, short};
use super::method::MethodArgs;
use super::observer::Terminal;
use super::open::adapter_record;
use super::run_judges::{self, ask};
use super::run_report::{failures_text, report, throughput_text};
use super::terminal::{FAILURE, INTERRUPTED, note, print, print_json};
use crate::gpu::Context;
use crate::lab::gallery::{Pictures, rebuild};
use crate::lab::judge::NamedJudge;
use crate::lab::kernels::TuneFor;
use crate::lab::observer::{Event, Note, Observer};
use crate::lab::run::animation::frame_steps;
use crate::lab::run::batch::Run;
use crate::lab::run::batch_size::BatchSize;
use crate::lab::run::classes::wanted;
use crate::lab::run::many::{Done, Throughput, make_all};
use crate::lab::run::record::{AdapterRecord, Config};
use crate::lab::run::request::{Request, requests};
use crate::lab::run::slot::{RunSlot, batch_len, check_diverse, slots};
use crate::method::losses::OptionValue;
use crate::method::{Session, Settings};
use crate::networks::{Network, Preprocessing};
use crate::ops::ConvAlgorithms;
use crate::{Error, Result};
use serde_json::json;

/// The weight of `--diverse`.
const DIVERSE: f64 = 4.0;

/// The most memory for keeping images until the contact sheet is drawn.
const PICTURES_BYTES: usize = 256 << 20;

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
    #[arg(long, alias = "per-class", value_name = "K", default_value_t = 1)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=100_000))]
    seeds: u32,
    /// Make the prototypes of each class or objective different from each other, with --seeds 2 or more: short for --diversity-weight 4
    #[arg(long, conflicts_with = "diversity_weight")]
    diverse: bool,
    /// Prototypes per batch, 1 to 256, or auto: as many as memory allows, at most 8 on a software adapter. A prototype's bits do
    /// not depend on its batch
    #[arg(long, value_name = "N|auto", default_value = "auto")]
    batch: BatchSize,
    #[command(flatten)]
    existing: ExistingArgs,
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
    #[command(flatten)]
    judges: AskArgs,
    #[command(flatten)]
    print: PrintArgs,
    #[command(flatten)]
    engine: EngineArgs,
    #[command(flatten)]
    tune: TuneArgs,
    #[command(flatten)]
    method: MethodArgs,
}

impl RunArgs {
    /// Makes the prototypes.
    pub(crate) fn run(&self, launched: Instant) -> Result<ExitCode> {
        self.engine.network.check_paths(&self.out)?;
        let config = self.config.as_deref().map(Config::read).transpose()?;
        self.method.check_logsumexp_weight()?;
        let recorded = config.as_ref().and_then(|config| config.recorded.as_ref());
        let network_args = self.engine.network.or_recorded(recorded.map(|recorded| &recorded.weights));
        let network = network_args.open()?;
        let weights = network_args.record(&network);
        if let Some(config) = &config {
            config.check_weights(&weights.sha256, network.weights().name())?;
        }
        let (network, statistics) = self.method.with_statistics(network, config.as_ref())?;
        let default = DefaultPreset::of(&network, network_args.weights.is_none(), self.method.objectives.is_empty());
        let mut settings = self.method.valid_settings(config.as_ref(), &default.preset)?;
        if self.diverse && !settings.regularizers.compares_seeds() {
            settings.regularizers.set("diversity_weight", OptionValue::Number(DIVERSE));
        }
        let settings = settings;
        settings.check_image(network.image())?;
        settings.regularizers.check(&network)?;
        let requests = requests(&self.classes, &self.method.objectives, &settings, config.as_ref(), &network)?;
        let wanted = wanted(&requests, settings.seed, self.seeds)?;
        let judges = run_judges::open(&self.judges, &weights, &requests)?;
        if self.dry_run {
            return self.dry_run(&network, &settings, &wanted);
        }
        let steps_given = self.method.steps.is_some() || config.is_some();
        let existing = self.existing.wanted();
        let mut slots = slots(&wanted, &self.out, existing, &settings, config.as_ref(), steps_given, &network)?;
        let terminal = Terminal::new(self.print.quiet);
        // All requests of a run have plans of the same size as the first.
        let settings = requests[0].settings(&settings);
        if slots.iter().all(|slot| slot.finished) {
            terminal.note("all prototypes are finished already");
            if self.animate && !slots.iter().all(|slot| slot.folder.animation().is_file()) {
                terminal.note("prototypes made without --animate have no animation; --force makes them again");
            }
            // A killed process may have left them.
            slots.iter().for_each(|slot| slot.folder.clear_frames());
            return self.report(&mut slots, None, &judges, None, &terminal);
        }
        let context = self.engine.adapter.open()?;
        let adapter = adapter_record(context.info());
        if let Some(why) = default.why.filter(|_| self.method.preset.is_none() && config.is_none()) {
            terminal.note(&why);
        }
        self.introduce(&network, &slots, &adapter, config.as_ref(), &terminal);
        let (algorithms, most) = self.kernels(&context, &network, &settings, &slots, config.as_ref(), &terminal)?;
        check_diverse(&slots, most)?;
        interrupt::listen()?;
        let bytes = network.image().len();
        let frames = if self.animate { frame_steps(settings.total_steps()) } else { Vec::new() };
        let run = Run {
            context: &context,
            network: &network,
            settings: &settings,
            statistics: statistics.as_ref(),
            weights: &weights,
            adapter: &adapter,
            algorithms: &algorithms,
            snapshot_every: self.snapshot_every.map(NonZeroU32::get),
            frames: &frames,
            checkpoint_every: self.checkpoint_every.get(),
            launched,
            keep_pictures: slots.len() > 1 && slots.len().saturating_mul(bytes) <= PICTURES_BYTES,
            observer: &terminal,
        };
        match make_all(&run, &mut slots, most, self.batch == BatchSize::Auto)? {
            Done::All(throughput) => self.report(&mut slots, Some(throughput), &judges, Some(&context), &terminal),
            Done::Cancelled(step) => {
                let (total, out) = (settings.total_steps(), self.out.display());
                note(&format!("stopped after step {step} of {total}; the state is in {out}, and --resume continues"));
                Ok(INTERRUPTED.into())
            }
        }
    }

    /// The algorithms of the convolutions, and the batch size.
    fn kernels(
        &self,
        context: &Context,
        network: &Network,
        settings: &Settings,
        slots: &[RunSlot],
        config: Option<&Config>,
        observer: &dyn Observer,
    ) -> Result<(ConvAlgorithms, usize)> {
        let recorded = config.and_then(|config| config.recorded.as_ref()).map(|recorded| &recorded.kernels);
        let open = slots.iter().filter(|slot| slot.is_open()).count();
        let objective = &slots[0].request.resolved;
        let size = |algorithms: &ConvAlgorithms| self.batch.of(open, context, algorithms, network, settings, objective);
        let fixed = ConvAlgorithms::fixed(context.capabilities());
        // Resumed prototypes keep their kernels.
        let fresh = slots.iter().filter(|slot| slot.is_open() && slot.begun.is_none()).count();
        let algorithms = match fresh {
            0 => fixed,
            _ => {
                let tune = self.tune.wanted();
                // Other trials do not depend on the batch.
                let batch = if tune == TuneFor::Batch { batch_len(fresh, size(&fixed)?) } else { 1 };
                tune.algorithms(context, &settings.networks(network)?, batch, recorded, observer)?
            }
        };
        let most = size(&algorithms)?;
        Ok((algorithms, most))
    }

    /// Prints the plan of one batch.
    fn dry_run(&self, network: &Network, settings: &Settings, wanted: &[(Request, u64)]) -> Result<ExitCode> {
        let context = self.engine.adapter.open()?;
        let adapter = adapter_record(context.info());
        let algorithms = ConvAlgorithms::fixed(context.capabilities());
        let (settings, objective) = (&wanted[0].0.settings(settings), &wanted[0].0.resolved);
        let most = self.batch.of(wanted.len(), &context, &algorithms, network, settings, objective)?;
        let n = batch_len(wanted.len(), most);
        let summary = Session::summary_towards(objective, &algorithms, network, settings, n)?;
        let steps = settings.total_steps();
        let mut requests: Vec<&Request> = wanted.iter().map(|(request, _)| request).collect();
        requests.dedup_by(|a, b| a.is(b));
        if self.print.json {
            let classes: Vec<usize> =
                requests.iter().filter_map(|request| request.class()).map(|class| class.index).collect();
            let objectives: Vec<String> = requests.iter().map(|request| request.objective.to_string()).collect();
            let plan = json!({"adapter": adapter, "network": format!("{network:?}"), "classes": classes,
                "objectives": objectives, "seeds": self.seeds, "batch": n, "steps": steps, "plan": summary});
            print_json(&plan)?;
        } else {
            let description = &adapter.description;
            let (jobs, s) = (plural(wanted.len()), if steps == 1 { "" } else { "s" });
            let jobs = format!("{jobs} of {}, {n} at once, {steps} step{s} each", names(&requests));
            print(&format!("adapter   {description}\nnetwork   {network:?}\nto make   {jobs}\n{summary}\n"))?;
        }
        Ok(ExitCode::SUCCESS)
    }

    /// Describes the run on stderr.
    fn introduce(
        &self,
        network: &Network,
        slots: &[RunSlot],
        adapter: &AdapterRecord,
        config: Option<&Config>,
        terminal: &Terminal,
    ) {
        let adapter = &adapter.description;
        terminal.note(&format!("{network:?}, on {adapter}"));
        let input = network.preprocessing();
        if Preprocessing::of(network.weights(), network.architecture()).is_ok_and(|own| own != *input) {
            terminal.note(&format!("options override the input of the weights file: the network gets {input}"));
        }
        if let Some(told) = self.method.without_effect(&slots[0].settings) {
            terminal.note(&told);
        }
        let request = &slots[0].request;
        let asked = !self.classes.is_empty() || !self.method.objectives.is_empty() || !request.resolved.is_class();
        if !asked && config.is_none_or(|config| config.recorded.is_none()) {
            terminal.note(&format!("no --class was given: making {}", request.title()));
        }
        if let Some(recorded) = config.and_then(|config| config.recorded.as_ref())
            && recorded.adapter.description != *adapter
        {
            let other = &recorded.adapter.description;
            terminal.note(&format!("the run of the configuration ran on {other}: the bits will differ"));
        }
        for slot in slots {
            let Some(begun) = &slot.begun else { continue };
            terminal.note(&format!("{}: continuing after step {}", slot.request.title(), begun.step));
            if begun.adapter != *adapter {
                terminal.note(&format!("its steps so far ran on {}: the bits will differ", begun.adapter));
            }
        }
    }

    /// Asks the judges, and reports results and failures. If the only prototype of a run failed, the run fails with its error.
    fn report(
        &self,
        slots: &mut [RunSlot],
        throughput: Option<Throughput>,
        judges: &[NamedJudge],
        context: Option<&Context>,
        terminal: &Terminal,
    ) -> Result<ExitCode> {
        if let [one] = slots
            && one.failed.is_some()
        {
            if self.print.json {
                report(slots, throughput, None, &[], true)?;
            }
            return Err(slots[0].failed.take().expect("it failed"));
        }
        // The prototypes exist even if the page cannot be written.
        let name = |slot: &RunSlot| slot.folder.path().file_name()?.to_str().map(str::to_owned);
        let known: Pictures = slots.iter_mut().filter_map(|slot| Some((name(slot)?, slot.picture.take()?))).collect();
        let warn = |error: &Error| terminal.tell(Event::Note(Note::NoGallery(error)));
        let index = rebuild(&self.out, &known).inspect_err(warn).ok().flatten();
        // The prototypes exist even if a judge fails.
        let judged = ask(judges, &self.out, slots, context, &self.engine.adapter, terminal);
        let rows = judged.as_deref().unwrap_or_default();
        if self.print.json || !self.print.quiet {
            report(slots, throughput, index.as_deref(), rows, self.print.json)?;
        }
        if !rows.is_empty() && !self.print.json && !self.print.quiet {
            print(&format!("\n{}", short(rows)))?;
        }
        if matches!(judged, Err(Error::Cancelled)) {
            note("stopped; the prototypes are finished, and `protogpu judge` asks other networks about them");
            return Ok(INTERRUPTED.into());
        }
        judged?;
        if let Some(throughput) = throughput.filter(|throughput| throughput.prototypes > 1) {
            terminal.note(&throughput_text(&throughput));
        }
        match failures_text(slots) {
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

/// The names of the first few requests.
fn names(requests: &[&Request]) -> String {
    const AT_MOST: usize = 5;
    let mut names: Vec<String> = requests.iter().take(AT_MOST).map(|request| request.title()).collect();
    if requests.len() > AT_MOST {
        names.push("...".into());
    }
    names.join(", ")
}
