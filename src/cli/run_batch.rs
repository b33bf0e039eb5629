//! The loop of a run: a batch from its first step or checkpoint to its files.

use std::collections::BTreeMap;
use std::io;
use std::time::Instant;

use crate::error::is_full;
use crate::gpu::Context;
use crate::method::{Checkpoint, History, ImageState, Job, Optimizer, Overrides, Settings};
use crate::networks::Network;
use crate::ops::{ConvAlgorithm, ConvAlgorithms};
use crate::tensor_file::TensorFile;
use crate::{Error, Result, picture};

use super::animation;
use super::progress::{Figures, LINE_EVERY, Progress};
use super::{interrupt, run::next_stop};
use crate::lab::pace::Pace;
use crate::lab::run::folder::Results;
use crate::lab::run::record::{AdapterRecord, RunRecord, Timings, WeightsRecord};
use crate::lab::run::slot::{Start, Target};
use crate::lab::top::top;

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
    pub(crate) choices: &'a ConvAlgorithms,
    pub(crate) snapshot_every: Option<u32>,
    /// The steps whose pictures become an animation; none without one.
    pub(crate) frames: Vec<u32>,
    pub(crate) checkpoint_every: u32,
    pub(crate) quiet: bool,
    pub(crate) launched: Instant,
}

/// How a batch ended.
pub(crate) enum Ended {
    /// Each target says what it was seen as, or why it failed.
    Finished,
    /// The user stopped it after so many steps, which are kept.
    Interrupted(u32),
}

impl Run<'_> {
    /// Makes one batch.
    ///
    /// # Errors
    /// If the device fails. What concerns one image alone is kept in its target, and the others go on.
    pub(crate) fn make(&self, targets: Vec<&mut Target>) -> Result<Ended> {
        let (mut begun, mut ready) = (Vec::new(), Vec::new());
        for target in targets {
            match target.checkpoint() {
                Ok(found) => {
                    begun.extend(found);
                    ready.push(target);
                }
                Err(error) => target.failed = Some(error),
            }
        }
        if ready.is_empty() {
            return Ok(Ended::Finished);
        }
        let names = named(&ready);
        let made = self.begin(ready, begun, names.clone()).and_then(Batch::go);
        made.map_err(|error| match error {
            Error::Device(message) => Error::Device(format!("{message} (while making {names})")),
            other => other,
        })
    }

    /// All of them anew, or all from the step of their checkpoints `begun` on.
    fn begin<'a>(&'a self, targets: Vec<&'a mut Target>, begun: Vec<Checkpoint>, names: String) -> Result<Batch<'a>> {
        let init = self.start.map(|start| start.pixels.clone());
        let job =
            |target: &&mut Target| Job { class: target.goal.class, seed: target.settings.seed, init: init.clone() };
        let jobs: Vec<Job> = targets.iter().map(job).collect();
        let choices = match begun.first() {
            // What was begun goes on as it began.
            Some(checkpoint) => ConvAlgorithms::known(self.context.capabilities(), checkpoint.kernels.clone()),
            None => self.choices.clone(),
        };
        let kernels = self.network.graph().fused()?.chosen(&choices);
        let objectives = Some(targets.iter().map(|target| target.goal.objective.clone()).collect());
        let parts = Overrides { choices: Some(choices), objectives, isolate: true, ..Overrides::default() };
        let mut optimizer = Optimizer::with_overrides(self.context, self.network, self.settings, &jobs, parts)?;
        let step = begun.first().map_or(0, |checkpoint| checkpoint.step());
        if !begun.is_empty() {
            let state = |c: Checkpoint| {
                let Checkpoint { image, parameters, m, v, history, .. } = c;
                (ImageState { image, parameters, m, v }, history)
            };
            let (states, histories): (Vec<ImageState>, Vec<History>) = begun.into_iter().map(state).unzip();
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
    kernels: BTreeMap<String, ConvAlgorithm>,
    progress: Progress,
    pace: Pace,
    /// The step up to which the state is on disk.
    kept: u32,
    startup_ms: f64,
}

impl Batch<'_> {
    fn go(mut self) -> Result<Ended> {
        let ended = self.steps().and_then(|whole| match whole {
            true => self.finish().map(|()| Ended::Finished),
            false => Ok(Ended::Interrupted(self.step())),
        });
        self.progress.end();
        ended.map_err(|error| self.explained(error, None))
    }

    /// All steps that are left, or as many as the user lets it make; whether all are made, by those that are still well.
    fn steps(&mut self) -> Result<bool> {
        let total = self.run.settings.total_steps();
        if self.step() == 0 {
            self.save(0, false)?;
        }
        while self.step() < total && self.targets.iter().any(|target| target.failed.is_none()) {
            let step = self.step();
            if interrupt::requested() {
                if step > self.kept {
                    let states = self.states()?;
                    self.keep(&states);
                }
                return Ok(false);
            }
            let frame = self.run.frames.iter().copied().find(|&frame| frame > step).unwrap_or(total);
            let stop = next_stop(step, total, self.run.stops()).min(frame);
            let count = (stop - step).min(self.pace.stretch());
            self.pace.time(count, || self.optimizer.advance(count as usize))?;
            self.leave_failed();
            let step = self.step();
            self.progress.update(step, self.figures());
            self.save(step, step == total)?;
        }
        Ok(true)
    }

    /// Writes what is due after a step.
    fn save(&mut self, step: u32, last: bool) -> Result<()> {
        let due = |every: u32| step > 0 && step.is_multiple_of(every);
        let snapshot = self.run.snapshot_every.is_some_and(due);
        let frame = self.run.frames.contains(&step);
        let checkpoint = last || due(self.run.checkpoint_every);
        if !(snapshot || frame || checkpoint) {
            return Ok(());
        }
        let states = self.states()?;
        if snapshot || frame {
            let side = self.run.network.input().h();
            self.each(|target, at| {
                let png = picture::png(&states[at].image, side)?;
                if snapshot {
                    target.folder.write_snapshot(step, &png)?;
                }
                if frame { target.folder.write_frame(step, &png) } else { Ok(()) }
            });
        }
        if checkpoint {
            self.keep(&states);
        }
        Ok(())
    }

    fn step(&self) -> u32 {
        // Settings limit the steps to far less.
        self.optimizer.step() as u32
    }

    /// Does something with each image that is still well; one with which it cannot be done is left behind.
    fn each(&mut self, mut act: impl FnMut(&mut Target, usize) -> Result<()>) {
        for at in 0..self.targets.len() {
            if self.targets[at].failed.is_none()
                && let Err(error) = act(self.targets[at], at)
            {
                self.fail(at, error);
            }
        }
    }

    /// Goes on without an image.
    fn fail(&mut self, at: usize, error: Error) {
        let error = self.explained(error, Some(at));
        let target = &mut self.targets[at];
        target.folder.write_failure(&error.to_string());
        target.failed = Some(error);
    }

    /// Leaves behind the images whose losses are no longer numbers.
    fn leave_failed(&mut self) {
        let failures = self.optimizer.failures().to_vec();
        self.each(|_, at| failures[at].clone().map_or(Ok(()), |why| Err(Error::NotFinite(why))));
    }

    /// The batch's state, which must be numbers: a checkpoint of others could not be gone on from.
    fn states(&mut self) -> Result<Vec<ImageState>> {
        let (states, step) = (self.optimizer.states()?, self.step());
        self.each(|target, at| {
            let state = &states[at];
            let parts = [&state.image[..], state.parameters(), &state.m, &state.v];
            if parts.iter().all(|part| part.iter().all(|value| value.is_finite())) {
                return Ok(());
            }
            let title = target.goal.long_title();
            Err(Error::NotFinite(format!(
                "the prototype of {title} is no longer finite after step {step}: try a smaller --lr or other \
                 weights"
            )))
        });
        Ok(states)
    }

    fn keep(&mut self, states: &[ImageState]) {
        let (run, input) = (self.run, self.run.network.input());
        let (histories, kernels) = (self.optimizer.histories().to_vec(), self.kernels.clone());
        self.each(|target, at| {
            let ImageState { image, parameters, m, v } = states[at].clone();
            target.folder.write_checkpoint(&Checkpoint {
                class: target.goal.class,
                settings: target.settings.clone(),
                weights_sha256: run.weights.sha256.clone(),
                input: Some(run.network.preprocessing().clone()),
                adapter: run.adapter.description.clone(),
                kernels: kernels.clone(),
                shape: [input.c(), input.h(), input.w()],
                image,
                parameters,
                m,
                v,
                history: histories[at].clone(),
            })
        });
        self.kept = self.step();
    }

    /// The last step's figures, averaged over the images that are well.
    fn figures(&self) -> Figures {
        let histories = self.optimizer.histories().iter().zip(&self.targets);
        let well: Vec<&History> = histories.filter(|(_, target)| target.failed.is_none()).map(|(h, _)| h).collect();
        let mean = |column: fn(&History) -> &Vec<f32>| {
            let last = well.iter().filter_map(|history| column(history).last());
            last.sum::<f32>() / well.len().max(1) as f32
        };
        Figures {
            loss: mean(|h| &h.loss),
            logit: mean(|h| &h.logit),
            probability: mean(|h| &h.probability),
            objective: well.first().filter(|h| !h.objective.is_empty()).map(|_| mean(|h| &h.objective)),
        }
    }

    /// Writes the results; the states are those of the last checkpoint.
    fn finish(&mut self) -> Result<()> {
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
        let (histories, kernels) = (self.optimizer.histories().to_vec(), self.kernels.clone());
        self.each(|target, at| {
            let image = &states[at].image;
            let pixels = TensorFile::default().metadata("format", "protogpu prototype 1");
            let pixels = match target.goal.class() {
                Some(class) => pixels.metadata("class", class.index.to_string()).metadata("class_name", class.name),
                None => pixels.metadata("objective", target.goal.objective.to_string()),
            };
            let pixels = pixels
                .metadata("seed", target.settings.seed.to_string())
                .metadata("settings_digest", target.settings.digest())
                .metadata("weights_sha256", run.weights.sha256.as_str())
                .metadata("input", run.network.preprocessing().to_json())
                .tensor("image", input.extents(), image)
                .to_bytes();
            let top = top(&logits[at], TOP, run.network.labels());
            let record = RunRecord {
                class: target.goal.class(),
                settings: &target.settings,
                init_sha256: run.start.map(|start| start.sha256.as_str()),
                weights: run.weights,
                adapter: run.adapter,
                kernels: &kernels,
                history: &histories[at],
                top: top.clone(),
                timings: timings.clone(),
            };
            target.folder.finish(&Results {
                png: picture::png(image, input.h())?,
                pixels,
                animation: animation::assemble(&target.folder, &run.frames, run.quiet)?,
                record: record.to_json(),
            })?;
            target.made = Some(top);
            Ok(())
        });
        Ok(())
    }

    /// The error with how far the batch, or an image of it, came and what is kept.
    fn explained(&self, error: Error, image: Option<usize>) -> Error {
        let step = self.step();
        let one = image.or((self.targets.len() == 1).then_some(0));
        let kept = match (self.kept, one) {
            (0, _) => format!("at step {step}, before the first checkpoint"),
            (kept, Some(at)) => {
                format!("at step {step}; step {kept} is kept in {}", self.targets[at].folder.path().display())
            }
            (kept, None) => format!("at step {step}; step {kept} is kept in {} folders", self.targets.len()),
        };
        match error {
            Error::Device(message) => Error::Device(format!("{message}; {kept}: continue with --resume")),
            Error::NotFinite(message) => Error::NotFinite(format!("{message} ({kept})")),
            Error::Io { action, path, source } if is_full(source.kind()) => {
                let told = format!("{source}; {kept}: free some space and continue with --resume");
                Error::Io { action, path, source: io::Error::new(source.kind(), told) }
            }
            other => other,
        }
    }
}

/// The targets in words: all names of a few, and how many there are of more.
fn named(targets: &[&mut Target]) -> String {
    const AT_MOST: usize = 4;
    let names: Vec<&str> = targets.iter().take(AT_MOST).map(|target| target.goal.name.as_str()).collect();
    match targets.len().saturating_sub(AT_MOST) {
        0 => names.join(", "),
        more => format!("{} and {more} more", names.join(", ")),
    }
}
