//! The text output of `protogpu bench`.

use std::fmt::Write as _;
use std::path::PathBuf;

use crate::gpu::PeakRates;
use crate::lab::run::record::AdapterRecord;
use crate::networks::{Architecture, Inspection, Network};
use serde::Serialize;

use super::terminal::table;
use crate::lab::bench::{KernelTable, Measured, Outcome, Row, StepTimes};

/// Everything that was measured.
#[derive(Serialize)]
pub(crate) struct Report {
    pub(crate) version: &'static str,
    pub(crate) adapter: AdapterRecord,
    /// Whether the adapter times its kernels.
    pub(crate) timestamps: bool,
    pub(crate) yardstick: PeakRates,
    pub(crate) networks: Vec<NetworkReport>,
}

/// One network's batches.
#[derive(Serialize)]
pub(crate) struct NetworkReport {
    pub(crate) architecture: Architecture,
    pub(crate) width: usize,
    pub(crate) classes: usize,
    /// The weights file; `None` for generated weights.
    pub(crate) weights: Option<PathBuf>,
    pub(crate) batches: Vec<Measured>,
}

/// The text sums up the kernels below this share of the time.
const LEAST_SHARE: f64 = 0.005;

/// The adapter, the version and the adapter's peak rates.
pub(crate) fn head_text(report: &Report) -> String {
    let Report { version, adapter, timestamps, yardstick, .. } = report;
    let (copy, peak) = (yardstick.copy_gb_per_s, yardstick.peak_gflop_per_s);
    let mut text = format!("{}\nprotogpu {version}\n", adapter.description);
    let _ = writeln!(text, "measured  copy {copy:.1} GB/s, peak {peak:.1} GFLOP/s");
    if !timestamps {
        text.push_str("This adapter has no timestamps, so kernels cannot be timed.\n");
    }
    text
}

/// The heading of a network.
pub(crate) fn network_text(network: &Network) -> String {
    let (width, classes) = (Inspection::of(network.weights()).width, network.classes());
    let (architecture, weights) = (network.architecture(), network.weights().name());
    format!("\n{architecture} of width {width}, {classes} classes, {weights}\n")
}

/// A batch's plan, steps and kernels.
pub(crate) fn batch_text(measured: &Measured, every_dispatch: bool) -> String {
    let Measured { batch, plan, outcome, .. } = measured;
    let mut text = format!("\nbatch of {batch}\n{plan}\n");
    match outcome {
        Outcome::DoesNotFit(why) => {
            let _ = writeln!(text, "does not fit this adapter: {why}");
        }
        Outcome::Fits { step, kernels } => {
            text.push_str(&step_text(step));
            if let Some(kernels) = kernels {
                text.push_str(&kernels_text(kernels, every_dispatch));
            }
        }
    }
    text
}

fn step_text(times: &StepTimes) -> String {
    let StepTimes { steps, steps_per_sample, median_ms, fastest_ms, .. } = times;
    let [lower, upper] = times.quartiles_ms;
    let mut text = format!(
        "time      {median_ms:.2} ms per step, median of {} samples of {steps_per_sample} \
         (quartiles {lower:.2} and {upper:.2}, fastest {fastest_ms:.2})\n",
        count(*steps)
    );
    let (rate, images, gflop) = (times.steps_per_s, times.image_steps_per_s, times.gflop_per_s);
    let of_peak = percent(times.of_peak);
    let _ =
        writeln!(text, "rate      {rate:.2} steps/s, {images:.2} image-steps/s, {gflop:.1} GFLOP/s, {of_peak} of peak");
    if *steps_per_sample > 1 {
        let _ = writeln!(text, "alone     {:.2} ms for a single step by itself", times.single_step_ms);
    }
    text
}

fn kernels_text(kernels: &KernelTable, every_dispatch: bool) -> String {
    let KernelTable { steps, time_ms, .. } = kernels;
    let mut text = format!("\nkernels, median of {}; {time_ms:.2} ms together\n", count(*steps));
    // Sorted by time: a step has some forty kernels, and most do not matter.
    let matter = kernels.kernels.partition_point(|row| row.share >= LEAST_SHARE);
    let (shown, others) = kernels.kernels.split_at(if every_dispatch { kernels.kernels.len() } else { matter });
    text.push_str(&rows_text(shown));
    if !others.is_empty() {
        let sum = |of: fn(&Row) -> f64| others.iter().map(of).sum::<f64>();
        let (time_ms, share) = (sum(|row| row.time_ms), percent(sum(|row| row.share)));
        let _ = writeln!(text, "{time_ms:>8.3}  {share:>8}  {} more (--kernels lists them)", others.len());
    }
    if every_dispatch {
        text.push_str("\ndispatches, in order\n");
        text.push_str(&rows_text(&kernels.dispatches));
    }
    text
}

fn rows_text(rows: &[Row]) -> String {
    let head = ["ms", "share", "GFLOP/s", "of peak", "GB/s", "of copy"];
    let head = head.iter().map(|title| format!("{title:>8}")).chain([" n  kernel".to_owned()]).collect();
    let line = |row: &Row| {
        let Row { kernel, label, dispatches, time_ms, share, gflop_per_s, gb_per_s, of_peak, of_copy } = row;
        let name = label.as_ref().map_or_else(|| kernel.clone(), |label| format!("{kernel} ({label})"));
        vec![
            format!("{time_ms:>8.3}"),
            format!("{:>8}", percent(*share)),
            format!("{gflop_per_s:>8.1}"),
            format!("{:>8}", percent(*of_peak)),
            format!("{gb_per_s:>8.1}"),
            format!("{:>8}", percent(*of_copy)),
            format!("{dispatches:>2}  {name}"),
        ]
    };
    table(&std::iter::once(head).chain(rows.iter().map(line)).collect::<Vec<_>>())
}

fn count(steps: usize) -> String {
    if steps == 1 { "1 step".into() } else { format!("{steps} steps") }
}

fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}
