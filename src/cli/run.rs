//! `protogpu run`: prototypes of classes.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::process::ExitCode;

use protogpu::optimize::{Preset, Settings};
use protogpu::{Error, Result};

use super::args::{AdapterArgs, NetworkArgs};
use super::folder::Existing;
use super::method::MethodArgs;
use super::run_record::Config;

/// Generate prototypes: pictures of what a network has learned about classes
#[derive(clap::Args, Debug)]
pub(crate) struct RunArgs {
    /// Classes, by index, WordNet id or name; repeat it or separate them by commas [default: see README; none with --weights]
    #[arg(long = "class", value_name = "CLASS")]
    classes: Vec<String>,
    /// The folder in which each prototype gets its own, `<index>_<name>_seed<S>`
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
    method: MethodArgs,
}

impl RunArgs {
    /// Makes the prototypes.
    pub(crate) fn run(&self) -> Result<ExitCode> {
        let config = self.config.as_deref().map(Config::read).transpose()?;
        let settings = self.settings(config.as_ref())?;
        Err(Error::input(format!("{settings:?}")))
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
