//! Benchmarks: checks the losses of a batch, then times its steps and its kernels.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::drive::{Pace, drive};
use super::observer::Nobody;
use crate::gpu::{Context, KernelTime, KernelTotal, PeakRates, Summary};
use crate::method::{Job, MAX_STEPS, Overrides, Session, Settings};
use crate::networks::Network;
use crate::ops::{ConvAlgorithm, ConvAlgorithms};
use crate::{Error, Result};
use serde::Serialize;

/// Steps before the clock starts. They warm up the adapter, and their losses must fall.
const WARM_UP: usize = 3;
/// The number of samples of a median.
const SAMPLES: usize = 20;
/// The duration of a sample, about that of a run's submission.
const SAMPLE: Duration = Duration::from_millis(100);
/// The most steps whose kernels are timed.
const PROFILES: usize = 5;

/// How long to measure.
#[derive(Clone, Copy)]
pub(crate) struct Effort {
    pub(crate) steps: Option<u32>,
    pub(crate) seconds: Duration,
}

/// The result of a batch.
#[derive(Serialize)]
pub(crate) struct Measured {
    pub(crate) batch: usize,
    /// The algorithm of each direction of each convolution.
    pub(crate) convolutions: BTreeMap<String, ConvAlgorithm>,
    pub(crate) plan: Summary,
    #[serde(flatten)]
    pub(crate) outcome: Outcome,
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Outcome {
    /// Why this adapter cannot take the batch.
    DoesNotFit(String),
    #[serde(untagged)]
    Fits {
        step: StepTimes,
        /// None without timestamps.
        kernels: Option<KernelTable>,
    },
}

/// Steps, timed by the clock.
#[derive(Serialize)]
pub(crate) struct StepTimes {
    /// The number of measured steps.
    pub(crate) steps: usize,
    /// The number of samples. Each ends when the adapter is done.
    pub(crate) samples: usize,
    pub(crate) steps_per_sample: usize,
    pub(crate) median_ms: f64,
    pub(crate) quartiles_ms: [f64; 2],
    pub(crate) fastest_ms: f64,
    pub(crate) steps_per_s: f64,
    /// The rate over all images of the batch.
    pub(crate) image_steps_per_s: f64,
    pub(crate) gflop_per_s: f64,
    /// The share of the measured peak.
    pub(crate) of_peak: f64,
    /// The median time of single steps, each until the adapter is done.
    pub(crate) single_step_ms: f64,
}

/// Kernels, timed by the adapter's timestamps, one dispatch at a time.
#[derive(Serialize)]
pub(crate) struct KernelTable {
    /// The number of steps; each time below is a median over them.
    pub(crate) steps: usize,
    /// The sum over all dispatches.
    pub(crate) time_ms: f64,
    pub(crate) kernels: Vec<Row>,
    pub(crate) dispatches: Vec<Row>,
}

/// The dispatches of a kernel, or a single dispatch.
#[derive(Serialize)]
pub(crate) struct Row {
    pub(crate) kernel: String,
    /// The layer, for one dispatch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) label: Option<String>,
    pub(crate) dispatches: usize,
    pub(crate) time_ms: f64,
    pub(crate) share: f64,
    pub(crate) gflop_per_s: f64,
    pub(crate) gb_per_s: f64,
    /// The share of the measured peak.
    pub(crate) of_peak: f64,
    /// The share of the measured copy.
    pub(crate) of_copy: f64,
}

/// Times a batch. A batch that does not fit the adapter is not an error.
pub(crate) fn measure(
    context: &Context,
    network: &Network,
    algorithms: &ConvAlgorithms,
    batch: usize,
    effort: Effort,
    peak: &PeakRates,
) -> Result<Measured> {
    // So every step does the same work, and its loss has the same terms.
    let settings = Settings { steps: MAX_STEPS, tv_start: 1.0, warp_probability: 1.0, ..Settings::default() };
    let plan = Session::summary(algorithms, network, &settings, batch)?;
    let job = |i: usize| Job { class: i % network.classes(), seed: i as u64, init: None };
    let jobs: Vec<Job> = (0..batch).map(job).collect();
    let convolutions = network.graph().fused()?.chosen(algorithms);
    let parts = Overrides { algorithms: Some(algorithms.clone()), ..Overrides::default() };
    let outcome = match Session::with_overrides(context, network, &settings, &jobs, parts) {
        Ok(mut session) => {
            let warm = warm_up(&mut session)?;
            let step = time_steps(&mut session, warm, effort, peak)?;
            Outcome::Fits { step, kernels: time_kernels(context, &mut session, effort, peak)? }
        }
        Err(Error::Input(why) | Error::Device(why) | Error::OutOfMemory(why)) => {
            context.check_lost()?;
            Outcome::DoesNotFit(why)
        }
        Err(other) => return Err(other),
    };
    Ok(Measured { batch, convolutions, plan, outcome })
}

/// Checks that losses are finite and fall, because a wrong computation may be fast. Returns the milliseconds of the last step.
fn warm_up(session: &mut Session) -> Result<f64> {
    let last_ms = sample(session, 1, WARM_UP, Duration::MAX)?[WARM_UP - 1];
    let histories = session.histories();
    let mean = |step: usize| histories.iter().map(|h| f64::from(h.loss()[step])).sum::<f64>() / histories.len() as f64;
    let (first, last) = (mean(0), mean(WARM_UP - 1));
    if last < first {
        return Ok(last_ms);
    }
    Err(Error::Device(format!(
        "the mean loss goes from {first} to {last} in {WARM_UP} steps, but should fall: the computation is wrong, so its \
             time means nothing"
    )))
}

fn time_steps(session: &mut Session, warm_ms: f64, effort: Effort, peak: &PeakRates) -> Result<StepTimes> {
    let fit = (SAMPLE.as_secs_f64() * 1e3 / warm_ms.max(1e-3)).clamp(1.0, 512.0) as usize;
    let asked = effort.steps.map(|steps| steps as usize);
    let each = asked.map_or(fit, |steps| fit.min((steps / SAMPLES).max(1)));
    let count = asked.map_or(SAMPLES, |steps| steps.div_ceil(each));
    let samples = sorted(sample(session, each, count, effort.seconds)?);
    let singles = if each == 1 { samples.clone() } else { sorted(sample(session, 1, SAMPLES, effort.seconds)?) };
    let median_ms = quantile(&samples, 0.5);
    let flops = step_flops(session) as f64;
    let gflop_per_s = flops / median_ms / 1e6;
    Ok(StepTimes {
        steps: samples.len() * each,
        samples: samples.len(),
        steps_per_sample: each,
        median_ms,
        quartiles_ms: [quantile(&samples, 0.25), quantile(&samples, 0.75)],
        fastest_ms: quantile(&samples, 0.0),
        steps_per_s: 1e3 / median_ms,
        image_steps_per_s: 1e3 / median_ms * session.jobs().len() as f64,
        gflop_per_s,
        of_peak: gflop_per_s / peak.peak_gflop_per_s,
        single_step_ms: quantile(&singles, 0.5),
    })
}

/// Milliseconds per step in samples of `each` steps: `count` samples, or as many as fit into the time, at least one.
fn sample(session: &mut Session, each: usize, count: usize, most: Duration) -> Result<Vec<f64>> {
    let (begun, mut pace, mut made) = (Instant::now(), Pace::of(each as u32), 0);
    drive(
        session,
        &mut pace,
        &Nobody,
        |_| u32::MAX,
        |_, _| {
            made += 1;
            Ok(made < count && begun.elapsed() < most)
        },
    )?;
    Ok(pace.stretches_ms().collect())
}

fn sorted(mut samples: Vec<f64>) -> Vec<f64> {
    samples.sort_by(f64::total_cmp);
    samples
}

/// A percentile of sorted numbers: the nearest of them.
fn quantile(sorted: &[f64], share: f64) -> f64 {
    sorted[((sorted.len() - 1) as f64 * share).round() as usize]
}

fn step_flops(session: &Session) -> u64 {
    let sections = Summary::new(session.recording()).sections;
    sections.iter().filter(|section| section.name == "step").map(|section| section.flops).sum()
}

/// The median time of each dispatch over several steps, at least one.
fn time_kernels(
    context: &Context,
    session: &mut Session,
    effort: Effort,
    peak: &PeakRates,
) -> Result<Option<KernelTable>> {
    if !context.has_timestamps() {
        return Ok(None);
    }
    let begun = Instant::now();
    let mut profiles = Vec::new();
    while profiles.is_empty() || profiles.len() < PROFILES && begun.elapsed() < effort.seconds / 4 {
        profiles.push(session.profile()?);
    }
    let times = KernelTime::medians(&profiles);
    let all_ms: f64 = times.iter().map(|time| time.time_ms).sum();
    let row = |total: KernelTotal, label| Row::new(total, label, all_ms, peak);
    let one = |time: &KernelTime| {
        let total = KernelTotal::of(std::slice::from_ref(time)).pop()?;
        Some(row(total, Some(time.label.clone())))
    };
    Ok(Some(KernelTable {
        steps: profiles.len(),
        time_ms: all_ms,
        kernels: KernelTotal::of(&times).into_iter().map(|total| row(total, None)).collect(),
        dispatches: times.iter().filter_map(one).collect(),
    }))
}

impl Row {
    fn new(total: KernelTotal, label: Option<String>, all_ms: f64, peak: &PeakRates) -> Self {
        let KernelTotal { kernel, dispatches, time_ms, flops, bytes } = total;
        // A dispatch may take less than a tick of the adapter's clock.
        let giga = |count: u64| count as f64 / time_ms.max(1e-6) / 1e6;
        let (gflop_per_s, gb_per_s) = (giga(flops), giga(bytes));
        Self {
            kernel,
            label,
            dispatches,
            time_ms,
            share: time_ms / all_ms.max(1e-6),
            gflop_per_s,
            gb_per_s,
            of_peak: gflop_per_s / peak.peak_gflop_per_s,
            of_copy: gb_per_s / peak.copy_gb_per_s,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_the_nearest_of_the_numbers() {
        let five = [1.0, 2.0, 3.0, 4.0, 5.0];
        assert_eq!([0.0, 0.25, 0.5, 0.75].map(|share| quantile(&five, share)), [1.0, 2.0, 3.0, 4.0]);
        assert_eq!([0.0, 0.25, 0.5, 0.75].map(|share| quantile(&[7.0], share)), [7.0; 4]);
    }

    /// A device with WebGPU's default limits.
    #[test]
    fn a_batch_that_is_too_large_is_no_error() {
        let network = Network::generated(crate::networks::Architecture::ResNet18, 8, 5, 0).unwrap();
        let effort = Effort { steps: Some(1), seconds: Duration::from_secs(1) };
        let (context, peak) = (Context::noop(), PeakRates { copy_gb_per_s: 1.0, peak_gflop_per_s: 1.0 });
        let measured =
            measure(&context, &network, &ConvAlgorithms::fixed(context.capabilities()), 1000, effort, &peak).unwrap();
        let Outcome::DoesNotFit(why) = &measured.outcome else { panic!("1000 images fit") };
        assert!(why.contains("this adapter allows 134217728"), "{why}");
        let json = serde_json::to_value(&measured).unwrap();
        let keys: Vec<&String> = json.as_object().unwrap().keys().collect();
        assert_eq!(keys, ["batch", "convolutions", "plan", "does_not_fit"]);
    }

    #[test]
    fn rows_are_held_against_the_yardstick() {
        let total = KernelTotal { kernel: "k".into(), dispatches: 2, time_ms: 2.0, flops: 4_000_000, bytes: 6_000_000 };
        let row = Row::new(total, None, 8.0, &PeakRates { copy_gb_per_s: 12.0, peak_gflop_per_s: 8.0 });
        assert_eq!([row.share, row.gflop_per_s, row.gb_per_s, row.of_peak, row.of_copy], [0.25, 2.0, 3.0, 0.25, 0.25]);
    }
}
