//! `protogpu bench`: how fast steps are on this machine, and where their time goes.

use std::path::PathBuf;
use std::slice;
use std::time::Duration;

use crate::Result;
use crate::gpu::{Context, PeakRates};
use crate::networks::{Architecture, Network};

use super::args::{AdapterArgs, TakenArgs, TuneArgs, architecture};
use super::bench_report::{NetworkReport, Report, batch_text, head_text, network_text};
use super::observer::Terminal;
use super::open::adapter_record;
use super::terminal::{print, print_json};
use crate::lab::bench::{Effort, measure};

/// Measure how long steps and their kernels take
#[derive(clap::Args, Debug)]
#[command(after_help = super::help::BENCH)]
pub(crate) struct BenchArgs {
    /// Architectures to time, with generated weights; repeat it or separate them by commas [default: resnet18, resnet34, resnet50, googlenet and
    /// inception_v1]
    #[arg(long = "model", value_name = "NAME", value_delimiter = ',', value_parser = architecture())]
    models: Vec<Architecture>,
    /// Time the network in this safetensors, PyTorch or ONNX file instead
    #[arg(long, value_name = "FILE", conflicts_with_all = ["models", "width"])]
    weights: Option<PathBuf>,
    /// Channels of the first layer; 64 is full width
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=512))]
    width: u16,
    /// Images per batch; each number is timed separately
    #[arg(long = "batch", value_name = "N", value_delimiter = ',', default_values_t = [1, 8, 32])]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=4096))]
    batches: Vec<u16>,
    /// Steps per batch size [default: as many as take about 2 seconds]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    steps: Option<u32>,
    /// Measure each batch size for at most S seconds, but for at least one step
    #[arg(long, value_name = "S", default_value = "20", value_parser = seconds)]
    seconds: Duration,
    /// List every kernel, then every dispatch with its layer
    #[arg(long)]
    kernels: bool,
    /// Print JSON at the end
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    taken: TakenArgs,
    #[command(flatten)]
    tune: TuneArgs,
    #[command(flatten)]
    adapter: AdapterArgs,
}

impl BenchArgs {
    /// Prints text after each measurement, or JSON at the end.
    pub(crate) fn run(&self) -> Result<()> {
        // The file first: a wrong path fails at once.
        let given = self.weights.as_ref().map(|path| self.taken.open(path)).transpose()?;
        if given.is_none() {
            self.taken.refuse_options_of_files("a network with generated weights")?;
        }
        let context = self.adapter.open()?;
        let begun = std::time::Instant::now();
        let mut report = Report {
            version: env!("CARGO_PKG_VERSION"),
            adapter: adapter_record(context.info()),
            timestamps: context.has_timestamps(),
            yardstick: PeakRates::measure(&context, &|| begun.elapsed().as_secs_f64())?,
            networks: Vec::new(),
        };
        self.show(&head_text(&report))?;
        let networks = match given {
            Some(network) => vec![self.time(&context, &report, &network)?],
            None => self.generated(&context, &report)?,
        };
        report.networks = networks;
        if self.json { print_json(&report) } else { Ok(()) }
    }

    /// Times each architecture in turn, so that only one network is in memory.
    fn generated(&self, context: &Context, report: &Report) -> Result<Vec<NetworkReport>> {
        let models = if self.models.is_empty() { &Architecture::BENCHED[..] } else { &self.models };
        let time = |&model: &Architecture| {
            let network = self.taken.expecting(Network::generated(model, self.width.into(), 1000, 0)?)?;
            self.time(context, report, &network)
        };
        models.iter().map(time).collect()
    }

    fn time(&self, context: &Context, report: &Report, network: &Network) -> Result<NetworkReport> {
        self.show(&network_text(network))?;
        let effort = Effort { steps: self.steps, seconds: self.seconds };
        let (mut batches, terminal) = (Vec::new(), Terminal::new(self.json));
        for &batch in &self.batches {
            let algorithms =
                self.tune.wanted().algorithms(context, slice::from_ref(network), batch.into(), None, &terminal)?;
            let measured = measure(context, network, &algorithms, batch.into(), effort, &report.yardstick)?;
            self.show(&batch_text(&measured, self.kernels))?;
            batches.push(measured);
        }
        let inspection = crate::networks::Inspection::of(network.weights());
        Ok(NetworkReport {
            architecture: network.architecture(),
            width: inspection.width,
            classes: network.classes(),
            weights: self.weights.clone(),
            batches,
        })
    }

    /// Prints text, unless JSON was asked for.
    fn show(&self, text: &str) -> Result<()> {
        if self.json { Ok(()) } else { print(text) }
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    let number: f64 = text.parse().map_err(|error| format!("{error}"))?;
    let duration = Duration::try_from_secs_f64(number).map_err(|error| error.to_string())?;
    if duration.is_zero() { Err("must be above 0".into()) } else { Ok(duration) }
}
