//! `protogpu tune`: times kernels and keeps the fastest.

use std::slice;
use std::time::Instant;

use crate::Result;
use crate::gpu::describe_adapter;
use crate::ops::ConvAlgorithms;
use crate::tuning::{Trial, TuningFile};
use serde_json::json;

use super::args::EngineArgs;
use super::observer::Terminal;
use super::terminal::{print, print_json, table};
use crate::lab::cache;
use crate::lab::kernels::remembered;

/// Find the fastest kernels for a network on this adapter, and keep them for later runs
#[derive(clap::Args, Debug)]
#[command(after_help = super::help::TUNE)]
pub(crate) struct TuneArgs {
    /// Images per batch; a run with --tune batch uses the kernels found for its batch size
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=256))]
    batch: u16,
    /// Show the kept kernels without timing any
    #[arg(long)]
    show: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    engine: EngineArgs,
}

impl TuneArgs {
    /// Times the kernels, or shows the kept ones.
    pub(crate) fn run(&self) -> Result<()> {
        let network = self.engine.network.open()?;
        let context = self.engine.adapter.open()?;
        let (batch, started) = (usize::from(self.batch), Instant::now());
        let file = TuningFile::new(&cache::folder()?, &context, batch);
        let mut trials = Vec::new();
        let algorithms = match self.show {
            true => file.read(&context)?,
            false => {
                let terminal = Terminal::new(false);
                remembered(&context, slice::from_ref(&network), batch, true, &terminal, |trial| {
                    trials.push(trial.clone())
                })?
            }
        };
        let seconds = started.elapsed().as_secs_f64();
        let adapter = describe_adapter(context.info());
        if self.json {
            let kernels = network.graph().fused()?.chosen(&algorithms);
            let path = file.path().to_string_lossy();
            return print_json(&json!({"adapter": adapter, "network": format!("{network:?}"), "batch": batch,
                "file": path, "seconds": seconds, "trials": trials, "kernels": kernels}));
        }
        print(&format!("{network:?}, batch of {batch}, on {adapter}\n\n"))?;
        if self.show {
            return self.show(&network, &algorithms, &file);
        }
        let head = ["convolution", "chosen", "candidates: ms, difference"].map(String::from).to_vec();
        let rows: Vec<Vec<String>> = std::iter::once(head).chain(trials.iter().map(row)).collect();
        print(&table(&rows))?;
        let count = trials.len();
        print(&format!("\n{count} trials in {seconds:.1} s, kept in {}\n", file.path().display()))
    }

    fn show(&self, network: &crate::networks::Network, algorithms: &ConvAlgorithms, file: &TuningFile) -> Result<()> {
        let path = file.path().display();
        let line = |(key, algorithm): (String, crate::ops::ConvAlgorithm)| {
            let how =
                if key.parse().is_ok_and(|key| algorithms.knows(&key)) { "" } else { "(fixed choice: not timed)" };
            vec![key, algorithm.to_string(), how.to_owned()]
        };
        let chosen = network.graph().fused()?.chosen(algorithms);
        let rows: Vec<Vec<String>> = chosen.into_iter().map(line).collect();
        print(&table(&rows))?;
        let state = if file.path().exists() { "from" } else { "nothing is kept yet in" };
        print(&format!("\n{state} {path}\n"))
    }
}

fn row(trial: &Trial) -> Vec<String> {
    let candidate = |c: &crate::tuning::Candidate| format!("{} {:.3}, {:.0e}", c.algorithm, c.time_ms, c.difference);
    let candidates: Vec<String> = trial.candidates.iter().map(candidate).collect();
    vec![trial.key.to_string(), trial.chosen.to_string(), candidates.join("; ")]
}
