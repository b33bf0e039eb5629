//! `protogpu compare`: the prototypes of several checkpoints side by side.

use std::path::PathBuf;
use std::process::ExitCode;

use super::args::{AdapterArgs, NetworkArgs, PrintArgs};
use super::observer::Terminal;
use super::terminal::{table, words};
use super::work::{NOTHING_WRITTEN, print_report, work};
use crate::analysis::compare::{Comparison, Distance};
use crate::analysis::judge::Recognition;
use crate::gpu::Context;
use crate::lab::compare::{CompareRequest, Inputs};
use crate::lab::run::record::WeightsRecord;
use crate::networks::Network;
use crate::{Error, Result};

/// Compare the prototypes of several checkpoints
#[derive(clap::Args, Debug)]
#[command(after_help = super::help::COMPARE)]
pub(crate) struct CompareArgs {
    /// Folders of prototypes made by `protogpu run`, each with the weights of one checkpoint, in the order of training
    #[arg(value_name = "FOLDER", required = true, num_args = 2..)]
    runs: Vec<PathBuf>,
    /// Weights of the runs, if they are no longer where the runs found them; they are recognised by their SHA-256
    #[arg(long = "with", value_name = "FILE", num_args = 1..)]
    weights: Vec<PathBuf>,
    /// The folder for the report
    #[arg(long, value_name = "DIR", default_value = "compare")]
    out: PathBuf,
    /// Images per batch
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=64))]
    batch: u16,
    /// Replace an earlier report
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    print: PrintArgs,
    #[command(flatten)]
    adapter: AdapterArgs,
}

impl CompareArgs {
    /// Compares, writes the report and prints a summary.
    pub(crate) fn run(&self) -> Result<ExitCode> {
        let inputs = Inputs::find(&self.runs)?;
        let given = self.given(&inputs)?;
        let request = CompareRequest {
            inputs: &inputs,
            open: &|maker| open(maker, &given),
            words,
            batch: self.batch.into(),
            out: &self.out,
            force: self.force,
        };
        request.check()?;
        let terminal = Terminal::new(self.print.quiet);
        let run = |context: &Context| request.run(context, &terminal);
        work(&self.adapter, NOTHING_WRITTEN, run, |comparison| {
            print_report(
                &self.print,
                &terminal,
                &comparison,
                [&comparison.skipped, &comparison.notes],
                || shown(&comparison),
                &self.out,
            )
        })
    }

    /// The files of `--with`, each with its SHA-256.
    fn given(&self, inputs: &Inputs) -> Result<Vec<(String, PathBuf)>> {
        let known = |path: &PathBuf| {
            let sha256 = NetworkArgs { weights: Some(path.clone()), ..NetworkArgs::default() }.sha256()?;
            match inputs.made_with(&sha256) {
                true => Ok((sha256, path.clone())),
                false => Err(Error::input(format!(
                    "{} has sha256 {sha256}, and none of the runs was made with these weights: leave it out, or give the file \
                     that the run used",
                    path.display()
                ))),
            }
        };
        self.weights.iter().map(known).collect()
    }
}

/// The network of a record: the given file of the same weights, or else the recorded one.
fn open(maker: &WeightsRecord, given: &[(String, PathBuf)]) -> Result<Network> {
    let found = given.iter().find(|(sha256, _)| *sha256 == maker.sha256);
    // The label file of an earlier run may be gone.
    let labels = maker.labels.clone().filter(|path| path.is_file());
    let recorded = match found {
        Some((_, path)) => WeightsRecord { path: Some(path.clone()), model: None, labels, ..maker.clone() },
        None => WeightsRecord { labels, ..maker.clone() },
    };
    let network = NetworkArgs::default().or_recorded(Some(&recorded)).open();
    let advised = |error: Error| error.advised("; give the run's weights with {with} FILE");
    let network = network.map_err(advised)?;
    if network.weights().sha256() == maker.sha256 {
        return Ok(network);
    }
    let changed = format!("{} has changed since the run", network.weights().name());
    Err(advised(Error::input(changed)))
}

/// The summary as text.
fn shown(comparison: &Comparison) -> String {
    let mut text = runs(comparison);
    for network in &comparison.networks {
        if let Some(why) = &network.missing {
            text += &format!("{} judges nothing: {why}\n", network.weights);
        }
    }
    if !comparison.differing.is_empty() {
        text += "\nsettings that differ, so the weights alone do not explain what changed:\n";
        let row = |one: &_| {
            let crate::analysis::compare::Differing { setting, values } = one;
            [setting].into_iter().chain(values).cloned().collect::<Vec<_>>()
        };
        text += &table(&comparison.differing.iter().map(row).collect::<Vec<_>>());
    }
    text += "\n";
    text += &changes(comparison);
    text + "\n"
}

/// A line for each run, with its prototypes as each network sees them.
fn runs(comparison: &Comparison) -> String {
    let mut rows = vec![["run", "prototypes", "missing", "left out"].map(str::to_owned).to_vec()];
    rows[0].extend(comparison.networks.iter().map(|network| format!("in {}", network.weights)));
    for (run, recognised) in comparison.runs.iter().zip(&comparison.recognised) {
        let mut row = vec![run.folder.clone()];
        row.extend([run.prototypes, run.missing, run.without_class].map(|count| count.to_string()));
        for (at, seen) in recognised.iter().enumerate() {
            let own = if at == run.network { " (own)" } else { "" };
            row.push(match seen {
                Some(Recognition { top1, probability, .. }) => {
                    format!("top 1 {:.1} %, p {probability:.3}{own}", top1.value * 100.0)
                }
                None => "-".to_owned(),
            });
        }
        rows.push(row);
    }
    table(&rows)
}

/// A line for each step from one run to the next.
fn changes(comparison: &Comparison) -> String {
    let header = ["from", "to", "pairs", "distance (pixels, features)", "other seeds", "other classes"];
    let mut rows = vec![header.map(str::to_owned).to_vec()];
    for change in &comparison.changes {
        let mut row = vec![change.from.clone(), change.to.clone(), change.pairs.to_string()];
        row.extend([change.distance, change.other_seed, change.other_class].map(distance));
        rows.push(row);
    }
    table(&rows)
}

fn distance(Distance { pixels, features }: Distance) -> String {
    let [pixels, features] =
        [pixels, features].map(|value| value.map_or("-".to_owned(), |value| format!("{value:.3}")));
    format!("{pixels}, {features}")
}
