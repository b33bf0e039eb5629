//! `protogpu regularization-strip`: one class or objective under growing regularisation, as a strip of images.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use super::args::{EngineArgs, ExistingArgs, PrintArgs, TuneArgs};
use super::interrupt;
use super::method::MethodArgs;
use super::observer::Terminal;
use super::open::adapter_record;
use super::terminal::{INTERRUPTED, note, print, print_json};
use crate::lab::run::batch::Run;
use crate::lab::run::request::requests;
use crate::lab::statistics::StatisticsRecord;
use crate::lab::strip::{Strip, StripEnd};
use crate::method::{Preset, Settings};
use crate::{Error, Result};

/// Steps between two checkpoints, as in a run.
const CHECKPOINT_EVERY: u32 = 64;

/// Make one class with growing regularisation, side by side, as the paper's Figure 6
#[derive(clap::Args, Debug)]
#[command(after_help = super::help::REGULARIZATION_STRIP)]
pub(crate) struct StripArgs {
    /// The class, by index, WordNet id or name [default: the first class of a built-in network; required with --weights]
    #[arg(long, value_name = "CLASS", conflicts_with = "objective")]
    class: Option<String>,
    /// Number of prototypes; the first has no regularisation, the last all of it
    #[arg(long, value_name = "N", default_value_t = 6, value_parser = clap::value_parser!(u32).range(2..=16))]
    count: u32,
    /// The output folder
    #[arg(long, value_name = "DIR", default_value = "regularization-strip")]
    out: PathBuf,
    #[command(flatten)]
    existing: ExistingArgs,
    #[command(flatten)]
    print: PrintArgs,
    #[command(flatten)]
    engine: EngineArgs,
    #[command(flatten)]
    tune: TuneArgs,
    #[command(flatten)]
    method: MethodArgs,
}

impl StripArgs {
    /// Makes the prototypes one after the other, then the strip.
    pub(crate) fn run(&self, launched: Instant) -> Result<ExitCode> {
        self.engine.network.check_paths(&self.out)?;
        let full = self.method.valid_settings(None, &Preset::Paper)?;
        self.method.check_logsumexp_weight()?;
        let (network, statistics) = self.method.with_statistics(self.engine.network.open()?, None)?;
        full.regularizers.check(&network)?;
        let given: Vec<String> = self.class.iter().cloned().collect();
        let requests = requests(&given, &self.method.objectives, &full, None, &network)?;
        let [request] = &requests[..] else {
            let what = if given.is_empty() { "objectives" } else { "classes" };
            return Err(Error::input(format!("{} {what} were given, but a strip shows one", requests.len())));
        };
        let existing = self.existing.wanted();
        let steps_given = self.method.steps.is_some();
        let mut strip = Strip::new(&self.out, &network, request, &full, self.count, existing, steps_given)?;
        if !strip.is_finished()
            && let StripEnd::Cancelled(step) = self.make(&mut strip, &full, statistics.as_ref(), launched)?
        {
            let out = self.out.display();
            note(&format!("stopped after step {step} of a prototype; the state is in {out}, and --resume continues"));
            return Ok(INTERRUPTED.into());
        }
        let (path, record) = strip.write()?;
        if self.print.json {
            print_json(&record)?;
        } else if !self.print.quiet {
            print(&format!("{}\n", path.display()))?;
        }
        Ok(ExitCode::SUCCESS)
    }

    fn make(
        &self,
        strip: &mut Strip<'_>,
        full: &Settings,
        statistics: Option<&StatisticsRecord>,
        launched: Instant,
    ) -> Result<StripEnd> {
        let (context, terminal, network) =
            (self.engine.adapter.open()?, Terminal::new(self.print.quiet), strip.network);
        let weights = self.engine.network.record(network);
        let adapter = adapter_record(context.info());
        terminal.note(&format!("{network:?}, on {}", adapter.description));
        let algorithms = self.tune.wanted().algorithms(&context, &full.networks(network)?, 1, None, &terminal)?;
        interrupt::listen()?;
        strip.make(&Run {
            context: &context,
            network,
            settings: full,
            statistics,
            weights: &weights,
            adapter: &adapter,
            algorithms: &algorithms,
            snapshot_every: None,
            frames: &[],
            checkpoint_every: CHECKPOINT_EVERY,
            launched,
            keep_pictures: true,
            observer: &terminal,
        })
    }
}
