//! The best rates of an adapter, measured on it, with which the rates of kernels are compared.

use super::device::Context;
use super::plan::{Plan, Readback};
use super::recording::{Grid, Layout, Recording, Sources, TensorId};
use super::shader::Kernel;
use crate::error::{Error, Result};

crate::params! {
    /// Mirrors `Params` of shaders/bench.wgsl.
    struct BenchParams { len: u32, rounds: u32, factor: f32, addend: f32 }
}

/// The fastest rates at which an adapter copies and computes.
#[derive(Clone, Copy, Debug, serde::Serialize)]
pub struct PeakRates {
    /// 10⁹ bytes per second, read and written, by a copy of 128 MiB, far more than most caches hold.
    pub copy_gb_per_s: f64,
    /// 10⁹ floating-point operations per second, by f32 multiply-adds in registers; each counts as two.
    pub peak_gflop_per_s: f64,
}

/// The size of the copy: WebGPU's default limit for a binding, which every adapter allows.
const COPY_BYTES: u64 = 128 << 20;
/// The vectors of four that an invocation copies, one from each section of the buffer.
const RUNS: [(&str, u32); 2] = [("neighbours", 1), ("runs", 8)];
/// The words that are compared at the beginning and at the end of a copy.
const ENDS_BYTES: usize = 4 << 10;

/// The invocations of the peak kernel: enough to fill any adapter, and few enough for a software adapter.
const INVOCATIONS: usize = 1 << 18;
/// The chains of an invocation, and the multiply-adds of each chain in a round: as in shaders/bench.wgsl.
const CHAINS: usize = 12;
const FUSED: usize = 16;

/// The duration of a dispatch of the peak kernel, in seconds: long enough that its start and end do not matter.
const DISPATCH: f64 = 0.005;
/// The duration of a submission, in seconds: long enough that the wait for it does not matter.
const SUBMISSION: f64 = 0.040;
/// The number of submissions. The fastest counts, because other work of the machine can only slow one down.
const TRIALS: usize = 8;

impl PeakRates {
    /// Measures for about a second. `clock` returns seconds. Blocks.
    ///
    /// # Errors
    /// If the adapter is out of memory or computes wrong values, or the device is lost.
    pub fn measure(context: &Context, clock: &dyn Fn() -> f64) -> Result<Self> {
        let rig = Rig { context, clock };
        Ok(Self { copy_gb_per_s: rig.copy_gb_per_s()?, peak_gflop_per_s: rig.peak_gflop_per_s()? })
    }
}

/// The adapter that is measured, and the clock.
#[derive(Clone, Copy)]
struct Rig<'a> {
    context: &'a Context,
    clock: &'a dyn Fn() -> f64,
}

impl Rig<'_> {
    /// The better rate of two lengths of a run: some adapters prefer one, some the other.
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
        // Few rounds first, because their duration is unknown.
        let few = 8;
        let (first, took) = rate(few)?;
        let rounds = (f64::from(few) * DISPATCH / took).clamp(f64::from(few), 65_536.0) as u32;
        Ok(first.max(rate(rounds)?.0))
    }

    /// The fastest time of a section with one dispatch, from submissions of many.
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

/// The buffer and the offset of the beginning and of the end of a tensor.
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

/// A plan of the peak kernel that has run once and given the right sums.
fn peak(context: &Context, rounds: u32) -> Result<Plan> {
    let mut rec = Recording::new();
    let sums = rec.kept("bench sums", INVOCATIONS);
    // v/2 + 1/2, repeated, reaches 1 exactly from any start.
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
