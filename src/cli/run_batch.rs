//! The loop of a run: a batch from its first step or checkpoint to its files.

use std::collections::BTreeMap;
use std::io;
use std::time::Instant;

use protogpu::error::is_full;
use protogpu::gpu::Context;
use protogpu::nets::Network;
use protogpu::ops::{Choices, Variant};
use protogpu::optimize::{Checkpoint, ImageState, Job, Optimizer, Parts, Settings};
use protogpu::tensor_file::TensorFile;
use protogpu::{Error, Result, picture};

use super::pace::Pace;
use super::progress::{Figures, LINE_EVERY, Progress};
use super::run_record::{AdapterRecord, RunRecord, Timings, WeightsRecord};
use super::run_targets::{Start, Target};
use super::top::{Top, top};
use super::{interrupt, run::next_stop};

/// How many classes a record lists.
const TOP: usize = 5;

/// What all batches of a run have in common.
pub(crate) struct Run<'a> {
    pub(crate) context: &'a Context,
    pub(crate) network: &'a Network,
    pub(crate) settings: &'a Settings,
    pub(crate) start: Option<&'a Start>,
    pub(crate) weights: &'a WeightsRecord,
    pub(crate) adapter: &'a AdapterRecord,
    pub(crate) choices: &'a Choices,
    pub(crate) snapshot_every: Option<u32>,
    pub(crate) checkpoint_every: u32,
    pub(crate) quiet: bool,
    pub(crate) launched: Instant,
}

/// How a batch ended.
pub(crate) enum Ended {
    /// All files are written; the top classes of each prototype.
    Finished(Vec<Vec<Top>>),
    /// The user stopped it after so many steps, which are kept.
    Interrupted(u32),
}

impl Run<'_> {
    /// Makes one batch.
    pub(crate) fn make(&self, targets: Vec<&mut Target>) -> Result<Ended> {
        let names: Vec<&str> = targets.iter().map(|target| target.goal.name.as_str()).collect();
        let names = names.join(", ");
        let made = self.begin(targets, names.clone()).and_then(Batch::go);
        made.map_err(|error| match error {
            Error::Device(message) => Error::Device(format!("{message} (while making {names})")),
            other => other,
        })
    }

    fn begin<'a>(&'a self, targets: Vec<&'a mut Target>, names: String) -> Result<Batch<'a>> {
        let init = self.start.map(|start| start.pixels.clone());
        let job = |target: &&mut Target| Job { class: target.goal.class, seed: self.settings.seed, init: init.clone() };
        let jobs: Vec<Job> = targets.iter().map(job).collect();
        let begun: Vec<&Checkpoint> = targets.iter().filter_map(|target| target.begun.as_deref()).collect();
        let choices = match begun.first() {
            // What was begun goes on as it began.
            Some(checkpoint) => Choices::known(self.context.capabilities(), checkpoint.kernels.clone()),
            None => self.choices.clone(),
        };
        let kernels = self.network.graph().fused()?.chosen(&choices);
        let objectives = Some(targets.iter().map(|target| target.goal.objective.clone()).collect());
        let parts = Parts { choices: Some(choices), objectives, ..Parts::default() };
        let mut optimizer = Optimizer::with_parts(self.context, self.network, self.settings, &jobs, parts)?;
        let step = begun.first().map_or(0, |checkpoint| checkpoint.step());
        if !begun.is_empty() {
            let state = |c: &&Checkpoint| ImageState { image: c.image.clone(), m: c.m.clone(), v: c.v.clone() };
            let states: Vec<ImageState> = begun.iter().map(state).collect();
            let histories = begun.iter().map(|checkpoint| checkpoint.history.clone()).collect();
            optimizer.load(step.into(), &states, histories)?;
        }
        let progress = Progress::new(names, step, self.settings.total_steps(), self.quiet);
        let (kept, startup_ms) = (step, self.launched.elapsed().as_secs_f64() * 1e3);
        Ok(Batch { run: self, targets, optimizer, kernels, progress, pace: Pace::new(), kept, startup_ms })
    }

    /// The steps after which something is due.
    fn stops(&self) -> impl Iterator<Item = u32> {
        [Some(self.checkpoint_every), self.snapshot_every, Some(LINE_EVERY)].into_iter().flatten()
    }
}

struct Batch<'a> {
    run: &'a Run<'a>,
    targets: Vec<&'a mut Target>,
    optimizer: Optimizer,
    /// What computes each direction of each convolution.
    kernels: BTreeMap<String, Variant>,
    progress: Progress,
    pace: Pace,
    /// The step up to which the state is on disk.
    kept: u32,
    startup_ms: f64,
}

impl Batch<'_> {
    fn go(mut self) -> Result<Ended> {
        let ended = self.steps().and_then(|whole| match whole {
            true => self.finish().map(Ended::Finished),
            false => Ok(Ended::Interrupted(self.step())),
        });
        self.progress.end();
        ended.map_err(|error| self.explained(error))
    }

    /// All steps that are left, or as many as the user lets it make; whether all are made.
    fn steps(&mut self) -> Result<bool> {
        let total = self.run.settings.total_steps();
        while self.step() < total {
            let step = self.step();
            if interrupt::requested() {
                if step > self.kept {
                    self.keep(&self.states()?)?;
                }
                return Ok(false);
            }
            let count = (next_stop(step, total, self.run.stops()) - step).min(self.pace.stretch());
            self.pace.time(count, || self.optimizer.advance(count as usize))?;
            let step = self.step();
            self.progress.update(step, self.figures());
            self.save(step, step == total)?;
        }
        Ok(true)
    }

    /// Writes what is due after a step.
    fn save(&mut self, step: u32, last: bool) -> Result<()> {
        let snapshot = self.run.snapshot_every.is_some_and(|every| step.is_multiple_of(every));
        let checkpoint = last || step.is_multiple_of(self.run.checkpoint_every);
        if !(snapshot || checkpoint) {
            return Ok(());
        }
        let states = self.states()?;
        if snapshot {
            let side = self.run.network.input().h();
            for (target, state) in self.targets.iter_mut().zip(&states) {
                target.folder.write_snapshot(step, &picture::png(&state.image, side)?)?;
            }
        }
        if checkpoint { self.keep(&states) } else { Ok(()) }
    }

    fn step(&self) -> u32 {
        // Settings limit the steps to far less.
        self.optimizer.step() as u32
    }

    /// The batch's state, which must be numbers: a checkpoint of others could not be gone on from.
    fn states(&self) -> Result<Vec<ImageState>> {
        let states = self.optimizer.states()?;
        for (target, state) in self.targets.iter().zip(&states) {
            let parts = [&state.image, &state.m, &state.v];
            if parts.iter().any(|part| part.iter().any(|value| !value.is_finite())) {
                let (title, step) = (target.goal.long_title(), self.step());
                return Err(Error::NotFinite(format!(
                    "the prototype of {title} is no longer finite after step {step}: try a smaller --lr \
                     or other weights"
                )));
            }
        }
        Ok(states)
    }

    fn keep(&mut self, states: &[ImageState]) -> Result<()> {
        let input = self.run.network.input();
        let histories = self.optimizer.histories();
        for ((target, state), history) in self.targets.iter_mut().zip(states).zip(histories) {
            let ImageState { image, m, v } = state.clone();
            target.folder.write_checkpoint(&Checkpoint {
                class: target.goal.class,
                settings: target.goal.settings(self.run.settings),
                weights_sha256: self.run.weights.sha256.clone(),
                input: Some(self.run.network.expects()),
                adapter: self.run.adapter.description.clone(),
                kernels: self.kernels.clone(),
                shape: [input.c(), input.h(), input.w()],
                image,
                m,
                v,
                history: history.clone(),
            })?;
        }
        self.kept = self.step();
        Ok(())
    }

    /// The last step's figures, averaged over the batch.
    fn figures(&self) -> Figures {
        let histories = self.optimizer.histories();
        let mean = |column: fn(&protogpu::optimize::History) -> &Vec<f32>| {
            let last = histories.iter().filter_map(|history| column(history).last());
            last.sum::<f32>() / histories.len() as f32
        };
        Figures {
            loss: mean(|h| &h.loss),
            logit: mean(|h| &h.logit),
            probability: mean(|h| &h.probability),
            objective: (!histories[0].objective.is_empty()).then(|| mean(|h| &h.objective)),
        }
    }

    /// Writes the results; the states are those of the last checkpoint.
    fn finish(&mut self) -> Result<Vec<Vec<Top>>> {
        let (run, input) = (self.run, self.run.network.input());
        let states = self.states()?;
        let logits = self.optimizer.logits()?;
        let timings = Timings {
            startup_ms: self.startup_ms,
            step_ms: self.pace.step_ms(),
            total_ms: self.pace.total_ms(),
            steps: self.pace.steps(),
            batch: self.targets.len(),
        };
        let mut tops = Vec::new();
        for (at, target) in self.targets.iter_mut().enumerate() {
            let image = &states[at].image;
            let settings = target.goal.settings(run.settings);
            let pixels = TensorFile::default().metadata("format", "protogpu prototype 1");
            let pixels = match target.goal.class() {
                Some(class) => pixels.metadata("class", class.index.to_string()).metadata("class_name", class.name),
                None => pixels.metadata("objective", target.goal.objective.to_string()),
            };
            let pixels = pixels
                .metadata("seed", settings.seed.to_string())
                .metadata("settings_digest", settings.digest())
                .metadata("weights_sha256", run.weights.sha256.as_str())
                .metadata("input", run.network.expects().to_json())
                .tensor("image", &input.0, image)
                .to_bytes();
            let top = top(&logits[at], TOP, run.network.labels());
            let record = RunRecord {
                class: target.goal.class(),
                settings: &settings,
                init_sha256: run.start.map(|start| start.sha256.as_str()),
                weights: run.weights,
                adapter: run.adapter,
                kernels: &self.kernels,
                history: &self.optimizer.histories()[at],
                top: top.clone(),
                timings: timings.clone(),
            };
            target.folder.finish(&picture::png(image, input.h())?, &pixels, &record.to_json())?;
            tops.push(top);
        }
        Ok(tops)
    }

    /// The error with how far it came and what is kept.
    fn explained(&self, error: Error) -> Error {
        let step = self.step();
        let kept = match (self.kept, self.targets.as_slice()) {
            (0, _) => format!("at step {step}; nothing was kept yet"),
            (kept, [one]) => format!("at step {step}; step {kept} is kept in {}", one.folder.path().display()),
            (kept, many) => format!("at step {step}; step {kept} is kept in {} folders", many.len()),
        };
        match error {
            Error::Device(message) => Error::Device(format!("{message}; {kept}: go on with --resume")),
            Error::NotFinite(message) => Error::NotFinite(format!("{message} ({kept})")),
            Error::Io { action, path, source } if is_full(source.kind()) => {
                let told = format!("{source}; {kept}: make room and go on with --resume");
                Error::Io { action, path, source: io::Error::new(source.kind(), told) }
            }
            other => other,
        }
    }
}
