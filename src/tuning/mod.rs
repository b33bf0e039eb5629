//! Finds the fastest algorithm for each convolution on an adapter, by short timed trials, and keeps the results in a file.

mod file;

use std::time::Instant;

pub use file::TuningFile;

use crate::error::{Error, Result};
use crate::gpu::{Context, Plan, Recording};
use crate::graph::Graph;
use crate::ops::{
    ConvAlgorithm, ConvAlgorithms, ConvKey, Direction, Forward, GradEpilogue, Op, Tensor, backward_alone, pack, unpack,
};

/// An algorithm must be this much faster than the fixed choice to replace it, so that noise does not decide.
const MARGIN: f64 = 0.95;
/// Timed rounds, each with all candidates in turn; the fastest round counts.
const ROUNDS: usize = 4;
/// The least duration of a round, so that the submission does not matter.
const ROUND_MS: f64 = 2.0;
/// Most repetitions in a round.
const REPETITIONS: f64 = 64.0;
/// The largest difference from a plain sum, relative to the largest output.
const TOLERANCE: f32 = 1e-3;

/// The trial of one direction of one convolution.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Trial {
    /// The convolution and its direction.
    pub key: ConvKey,
    /// The candidates, the fixed choice first.
    pub candidates: Vec<Candidate>,
    /// The fastest accurate candidate.
    pub chosen: ConvAlgorithm,
}

/// A candidate in a trial.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Candidate {
    /// The algorithm.
    pub algorithm: ConvAlgorithm,
    /// The time of one convolution in the fastest round.
    pub time_ms: f64,
    /// Largest difference from a plain sum's output, relative to the largest output.
    pub difference: f32,
}

/// Times the candidates of every direction of every convolution of `graph` that `algorithms` does not know, on `batch` images,
/// and adds the fastest to `algorithms`. `report` receives each trial.
///
/// # Errors
/// If the device is lost or out of memory.
pub fn tune(
    context: &Context,
    graph: &Graph,
    batch: usize,
    algorithms: &mut ConvAlgorithms,
    mut report: impl FnMut(&Trial),
) -> Result<()> {
    for convolution in graph.convolutions() {
        for key in convolution.keys.into_iter().filter(|key| !algorithms.knows(key)).collect::<Vec<_>>() {
            let candidates = ConvAlgorithm::candidates(algorithms.capabilities(), &key);
            if candidates.len() > 1 {
                let trial = attempt(context, convolution.op, batch, key, &candidates)?;
                algorithms.set(key, trial.chosen);
                report(&trial);
            } else {
                algorithms.set(key, candidates[0]);
            }
        }
    }
    Ok(())
}

fn attempt(context: &Context, op: &dyn Op, batch: usize, key: ConvKey, candidates: &[ConvAlgorithm]) -> Result<Trial> {
    let mut entrants = Vec::new();
    for (i, &algorithm) in candidates.iter().enumerate() {
        match Entrant::new(context, op, batch, &key, algorithm) {
            Ok(entrant) => entrants.push(entrant),
            // Only the fixed choice must fit the memory and limits of the adapter.
            Err(Error::Input(_) | Error::Device(_) | Error::OutOfMemory(_)) if i > 0 => context.check_lost()?,
            Err(error) => return Err(error),
        }
    }
    for _ in 0..ROUNDS {
        entrants.iter_mut().try_for_each(Entrant::round)?;
    }
    let reference = entrants.iter().find(|e| e.algorithm.is_plain()).unwrap_or(&entrants[0]);
    let candidate = |e: &Entrant| Candidate {
        algorithm: e.algorithm,
        time_ms: e.best_ms,
        difference: difference(&e.output, &reference.output),
    };
    let candidates: Vec<Candidate> = entrants.iter().map(candidate).collect();
    let chosen = choose(&candidates);
    Ok(Trial { key, candidates, chosen })
}

/// The fastest accurate candidate; but the fixed choice (the first) if that is accurate and hardly slower.
fn choose(candidates: &[Candidate]) -> ConvAlgorithm {
    let accurate = |c: &&Candidate| c.difference <= TOLERANCE;
    let fastest = candidates.iter().filter(accurate).min_by(|a, b| a.time_ms.total_cmp(&b.time_ms));
    match (fastest, &candidates[0]) {
        (Some(fastest), fixed) if !accurate(&fixed) || fastest.time_ms < MARGIN * fixed.time_ms => fastest.algorithm,
        (_, fixed) => fixed.algorithm,
    }
}

/// A candidate with its plan.
struct Entrant {
    algorithm: ConvAlgorithm,
    plan: Plan,
    output: Vec<f32>,
    repetitions: usize,
    best_ms: f64,
}

impl Entrant {
    /// Plans the convolution alone, runs it once (which compiles its kernels), and keeps its output.
    fn new(context: &Context, op: &dyn Op, batch: usize, key: &ConvKey, algorithm: ConvAlgorithm) -> Result<Self> {
        let x = key.x(batch);
        let y = op.output("trial", &[x])?;
        let backward = key.direction == Direction::Backward;
        let (from, to) = if backward { (y, x) } else { (x, y) };
        let mut rec = Recording::new();
        let (input, output) = (Tensor::kept(&mut rec, "input", from), Tensor::kept(&mut rec, "output", to));
        let texels = matches!(algorithm, ConvAlgorithm::Texels(_));
        rec.section("before");
        let (a, b) = if texels {
            (pack(&mut rec, "trial", input)?, Tensor::transient_texels(&mut rec, "trial output", to))
        } else {
            (input, output)
        };
        rec.section("trial");
        let only = ConvAlgorithms::only(context.capabilities(), algorithm);
        let mut cx = Forward { rec: &mut rec, label: "trial", algorithms: &only };
        if backward {
            // The backward of a convolution does not read x and y: any tensors of their shapes stand for them.
            backward_alone(op, cx, a, &[b], (a, &[]), &[(b, GradEpilogue::default())])?;
        } else {
            op.forward(&mut cx, &[a], b)?;
        }
        rec.section("after");
        if texels {
            unpack(&mut rec, "trial", b, output, GradEpilogue::default(), false)?;
            // Read the input last, so that no other tensor takes its memory while the trial is repeated.
            let echo = Tensor::kept(&mut rec, "echo", from);
            unpack(&mut rec, "trial", a, echo, GradEpilogue::default(), false)?;
        }
        let plan = Plan::new(context, rec)?;
        plan.write(input.id, &pixels(from.len()))?;
        for section in ["before", "trial", "after"] {
            plan.submit(section, 1);
        }
        let output = plan.read(output.id)?;
        let mut entrant = Self { algorithm, plan, output, repetitions: 1, best_ms: f64::INFINITY };
        entrant.round()?;
        entrant.repetitions = (ROUND_MS / entrant.best_ms).clamp(1.0, REPETITIONS) as usize;
        Ok(entrant)
    }

    fn round(&mut self) -> Result<()> {
        let started = Instant::now();
        self.plan.submit("trial", self.repetitions);
        self.plan.context().wait()?;
        let time_ms = started.elapsed().as_secs_f64() * 1e3 / self.repetitions as f64;
        self.best_ms = self.best_ms.min(time_ms);
        Ok(())
    }
}

/// Values in [0,1) without a pattern: the Weyl sequence of the golden ratio.
fn pixels(len: usize) -> Vec<f32> {
    (0..len as u32).map(|i| i.wrapping_mul(0x9E37_79B9) as f32 / 4_294_967_296.0).collect()
}

/// The largest difference relative to the largest value of `b`; infinite if the lengths differ.
fn difference(a: &[f32], b: &[f32]) -> f32 {
    if a.len() != b.len() || a.iter().chain(b).any(|v| !v.is_finite()) {
        return f32::INFINITY;
    }
    let largest = b.iter().fold(f32::MIN_POSITIVE, |m, v| m.max(v.abs()));
    a.iter().zip(b).fold(0.0f32, |m, (a, b)| m.max((a - b).abs())) / largest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speed_counts_only_where_it_is_accurate_and_clear() {
        let pick = |rows: &[(u32, f64, f32)]| {
            let candidate = |&(slices, time_ms, difference): &(u32, f64, f32)| Candidate {
                algorithm: ConvAlgorithm::Workgroup { slices },
                time_ms,
                difference,
            };
            let ConvAlgorithm::Workgroup { slices } = choose(&rows.iter().map(candidate).collect::<Vec<_>>()) else {
                return 0;
            };
            slices
        };
        assert_eq!(pick(&[(1, 2.0, 0.0), (4, 1.0, 1e-6), (16, 1.5, 0.0)]), 4);
        assert_eq!(pick(&[(1, 2.0, 0.0), (4, 1.0, 2e-3), (16, 1.5, 0.0)]), 16);
        assert_eq!(pick(&[(1, 2.0, 0.0), (4, 1.95, 0.0)]), 1);
        assert_eq!(pick(&[(1, 2.0, 2e-3), (4, 9.0, 0.0)]), 4);
        assert_eq!(pick(&[(1, 2.0, f32::INFINITY), (4, 9.0, f32::INFINITY)]), 1);
        assert_eq!(difference(&[1.0, f32::NAN], &[1.0, 2.0]), f32::INFINITY);
        assert_eq!(difference(&[], &[1.0]), f32::INFINITY);
        assert_eq!(difference(&[1.0, 2.5], &[1.0, 2.0]), 0.25);
    }
}
