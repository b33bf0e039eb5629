//! The command line: one file per subcommand, and what subcommands share.
//!
//! Exit codes: 0, 2 for usage and bad input, 1 for failures, 130 after Ctrl-C. Errors go to stderr, once.

mod activations;
mod activations_mean;
mod adapters;
mod args;
mod bench;
mod bench_report;
mod classify;
mod compare;
mod default_preset;
mod entangle;
mod gradient;
mod grid_method;
mod help;
mod index;
mod interrupt;
mod isolate;
mod judge;
mod judges;
mod method;
mod models;
mod modules;
mod observer;
mod open;
mod presets;
mod regularization_strip;
mod run;
mod run_judges;
mod run_report;
mod similarity;
mod statistics;
mod study;
mod sweep;
mod sweep_table;
mod synth;
pub(crate) mod terminal;
mod top;
mod tune;
mod weights;
mod weights_convert;
mod weights_inspect;
mod weights_inspect_onnx;
mod weights_pull;
mod work;

use std::process::ExitCode;
use std::time::Instant;

use crate::Result;
use clap::{Parser, Subcommand};

/// Prototype Generation on the GPU: make images of what an image classifier has learned.
#[derive(Debug, Parser)]
#[command(name = "protogpu", version, propagate_version = true, arg_required_else_help = true)]
#[command(after_help = help::TOP)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Run(Box<run::RunArgs>),
    Index(index::IndexArgs),
    #[command(alias = "figure6")]
    RegularizationStrip(Box<regularization_strip::StripArgs>),
    Classify(classify::ClassifyArgs),
    Activations(Box<activations::ActivationsArgs>),
    Gradient(gradient::GradientArgs),
    Adapters(adapters::AdaptersArgs),
    Models(models::ModelsArgs),
    Modules(modules::ModulesArgs),
    Presets(presets::PresetsArgs),
    #[command(subcommand)]
    Weights(weights::WeightsCommand),
    Statistics(Box<statistics::StatisticsArgs>),
    Similarity(Box<similarity::SimilarityArgs>),
    Judge(judge::JudgeArgs),
    Entangle(Box<entangle::EntangleArgs>),
    Isolate(Box<isolate::IsolateArgs>),
    Compare(compare::CompareArgs),
    Study(Box<study::StudyArgs>),
    Sweep(Box<sweep::SweepArgs>),
    #[command(alias = "world")]
    Synth(synth::SynthArgs),
    Bench(bench::BenchArgs),
    Tune(tune::TuneArgs),
}

/// The `protogpu` binary: parses, runs, reports. It sets the panic hook, the environment and signal handlers of the process, so do not call it from a library.
pub fn main() -> ExitCode {
    let launched = Instant::now();
    terminal::report_panics();
    terminal::silence_display_search();
    match dispatch(Cli::parse().command, launched) {
        Ok(code) => code,
        Err(error) => terminal::report(&error),
    }
}

fn dispatch(command: Command, launched: Instant) -> Result<ExitCode> {
    let done = |result: Result<()>| result.map(|()| ExitCode::SUCCESS);
    match command {
        Command::Run(args) => args.run(launched),
        Command::Index(args) => done(args.run()),
        Command::RegularizationStrip(args) => args.run(launched),
        Command::Classify(args) => args.run(),
        Command::Activations(args) => done(args.run()),
        Command::Gradient(args) => done(args.run()),
        Command::Adapters(args) => done(args.run()),
        Command::Models(args) => done(args.run()),
        Command::Modules(args) => done(args.run()),
        Command::Presets(args) => done(args.run()),
        Command::Weights(command) => done(command.run()),
        Command::Statistics(args) => done(args.run()),
        Command::Similarity(args) => args.run(),
        Command::Judge(args) => args.run(),
        Command::Entangle(args) => args.run(),
        Command::Isolate(args) => args.run(),
        Command::Compare(args) => args.run(),
        Command::Study(args) => args.run(),
        Command::Sweep(args) => args.run(),
        Command::Synth(args) => done(args.run()),
        Command::Bench(args) => done(args.run()),
        Command::Tune(args) => done(args.run()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_is_consistent() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
    }
}
