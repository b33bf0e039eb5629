//! What an adapter does at best, measured on it: what a kernel's numbers are held against.

use super::device::Context;
use super::plan::{Plan, Readback};
use super::recording::{Grid, Layout, Recording, Sources, TensorId};
use super::shader::Kernel;
use crate::error::{Error, Result};

crate::params! {
    /// Mirrors `Params` of shaders/bench.wgsl.
    struct BenchParams { len: u32, rounds: u32, factor: f32, addend: f32 }
}

/// How fast an adapter copies and computes where nothing else bounds it.
#[derive(Clone, Copy, Debug, serde::Serialize)]
pub struct PeakRates {
    /// 10⁹ bytes read and written in a second by a copy of 128 MiB, far more than most caches hold.
    pub copy_gb_per_s: f64,
    /// 10⁹ floating-point operations in a second, of f32 multiply-adds that count as two and stay in registers.
    pub peak_gflop_per_s: f64,
}

/// The copy's size: WebGPU's default limit for a binding, so that every adapter can be asked for it.
const COPY_BYTES: u64 = 128 << 20;
/// Vectors of four that an invocation copies, each a section.
const RUNS: [(&str, u32); 2] = [("neighbours", 1), ("runs", 8)];
/// What is compared of a copy at its beginning and at its end.
const ENDS_BYTES: usize = 4 << 10;

/// Invocations of the peak: enough to fill any adapter, and few enough for a software one.
const INVOCATIONS: usize = 1 << 18;
/// Chains of an invocation, and multiply-adds of each in a round: as in shaders/bench.wgsl.
const CHAINS: usize = 12;
const FUSED: usize = 16;

/// Seconds that a dispatch of the peak should take, so that its beginning and end do not count.
const DISPATCH: f64 = 0.005;
/// Seconds that a submission should take, so that waiting for it does not count.
const SUBMISSION: f64 = 0.040;
/// Submissions, the fastest of which counts: whatever else the machine does can only slow it down.
const TRIALS: usize = 8;

impl PeakRates {
    /// Measures for about a second, by a clock that tells seconds.
    ///
    /// # Errors
    /// If the adapter has no memory for it, computes something else than it should, or the device is lost.
    pub fn measure(context: &Context, clock: &dyn Fn() -> f64) -> Result<Self> {
        let rig = Rig { context, clock };
        Ok(Self { copy_gb_per_s: rig.copy_gb_per_s()?, peak_gflop_per_s: rig.peak_gflop_per_s()? })
    }
}

/// What is measured, and by which clock.
#[derive(Clone, Copy)]
struct Rig<'a> {
    context: &'a Context,
    clock: &'a dyn Fn() -> f64,
}

impl Rig<'_> {
    /// The best of both lengths of run, between which adapters differ.
    fn copy_gb_per_s(self) -> Result<f64> {
        let context = self.context;
        let bytes = COPY_BYTES.min(context.device().limits().max_storage_buffer_binding_size);
        let len = (bytes / 128 * 8) as usize;
        let mut rec = Recording::new();
        // Not zeros, which some adapters compress.
        let make = move || Ok((0..4 * len as u32).map(|i| i.wrapping_mul(0x9E37_79B9)).collect());
        let (x, y) = (
            rec.constant("bench x", Sources::default(), "bench x", 4 * len, Layout::Words, make),
            rec.kept("bench y", 4 * len),
        );
        let params = BenchParams { len: len as u32, rounds: 0, factor: 0.0, addend: 0.0 };
        let bindings = [("x", x, 4 * len), ("y", y, 4 * len)];
        for (section, run) in RUNS {
            rec.section(section);
            let kernel = Kernel::new("bench", "copy").with("RUN", run);
            rec.dispatch("copy", kernel, &bindings, &params, Grid::Each(len / run as usize), 0)?;
        }
        let plan = Plan::new(context, rec)?;
        let mut best = f64::INFINITY;
        for (section, _) in RUNS {
            ends(&plan, y).into_iter().for_each(|end| context.queue().write_buffer(end.0, end.1, &[0; ENDS_BYTES]));
            plan.submit(section, 1);
            if read_ends(&plan, x)? != read_ends(&plan, y)? {
                return Err(wrong(context, "a copy differs from what was copied"));
            }
            best = best.min(self.seconds(&plan, section)?);
        }
        Ok((32 * len) as f64 / best / 1e9)
    }

    fn peak_gflop_per_s(self) -> Result<f64> {
        let rate = |rounds: u32| -> Result<(f64, f64)> {
            let took = self.seconds(&peak(self.context, rounds)?, "step")?;
            let fused = (INVOCATIONS * CHAINS * FUSED) as f64 * f64::from(rounds);
            Ok((2.0 * fused / took / 1e9, took))
        };
        // Few rounds first: nobody knows how long they take here.
        let few = 8;
        let (first, took) = rate(few)?;
        let rounds = (f64::from(few) * DISPATCH / took).clamp(f64::from(few), 65_536.0) as u32;
        Ok(first.max(rate(rounds)?.0))
    }

    /// The fastest time of a section of one dispatch, from submissions of many.
    fn seconds(self, plan: &Plan, section: &str) -> Result<f64> {
        let time = |times: usize| -> Result<f64> {
            let started = (self.clock)();
            plan.submit(section, times);
            plan.context().wait()?;
            Ok(((self.clock)() - started) / times as f64)
        };
        let first = time(1)?;
        let times = (SUBMISSION / first).clamp(1.0, 1000.0) as usize;
        let trials: Vec<f64> = (0..TRIALS).map(|_| time(times)).collect::<Result<_>>()?;
        Ok(trials.into_iter().fold(first, f64::min))
    }
}

/// Where a tensor begins and ends.
fn ends(plan: &Plan, tensor: TensorId) -> [(&wgpu::Buffer, u64); 2] {
    let buffer = plan.source(tensor).expect("what is bound has a buffer");
    [0, buffer.size() - ENDS_BYTES as u64].map(|at| (buffer, at))
}

/// The first and the last words of a tensor.
fn read_ends(plan: &Plan, tensor: TensorId) -> Result<Vec<u32>> {
    let mut encoder = plan.context().device().create_command_encoder(&Default::default());
    let parts = ends(plan, tensor).map(|(buffer, at)| (buffer, at, ENDS_BYTES as u64));
    let readback = Readback::record(plan.context(), &mut encoder, &parts)?;
    plan.context().queue().submit([encoder.finish()]);
    Ok(readback.wait()?.concat().into_iter().map(f32::to_bits).collect())
}

/// A plan of the peak that has run once to the right sums.
fn peak(context: &Context, rounds: u32) -> Result<Plan> {
    let mut rec = Recording::new();
    let sums = rec.kept("bench sums", INVOCATIONS);
    // v/2 + 1/2 comes to 1 exactly, from wherever it begins.
    let params = BenchParams { len: INVOCATIONS as u32, rounds, factor: 0.5, addend: 0.5 };
    let bindings = [("sums", sums, INVOCATIONS)];
    rec.dispatch("peak", Kernel::new("bench", "peak"), &bindings, &params, Grid::Each(INVOCATIONS), 0)?;
    let plan = Plan::new(context, rec)?;
    plan.submit("step", 1);
    if plan.read(sums)?.iter().any(|&sum| sum != CHAINS as f32) {
        return Err(wrong(context, "chains of multiply-adds end elsewhere than they must"));
    }
    Ok(plan)
}

fn wrong(context: &Context, what: &str) -> Error {
    Error::Device(format!("{}: {what}", super::describe_adapter(context.info())))
}
