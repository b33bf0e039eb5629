//! A batch, from its first step or checkpoint to its files.

use std::collections::BTreeMap;
use std::io;
use std::time::Instant;

use super::animation;
use super::folder::Results;
use super::record::{AdapterRecord, RunRecord, Timings, WeightsRecord};
use super::slot::RunSlot;
use crate::error::is_full;
use crate::gpu::Context;
use crate::lab::drive::{Ended, Pace, REPORT_EVERY, drive, next_stop};
use crate::lab::kernels::chosen;
use crate::lab::observer::{Event, Observer};
use crate::lab::statistics::StatisticsRecord;
use crate::lab::top::top;
use crate::method::{Checkpoint, History, ImageState, Job, Overrides, Session, Settings};
use crate::networks::Network;
use crate::ops::{ConvAlgorithm, ConvAlgorithms};
use crate::tensor_file::TensorFile;
use crate::{Error, Result, picture};

/// The number of classes in a record's `top`.
const TOP: usize = 5;

/// The properties that all batches of a run share.
pub(crate) struct Run<'a> {
    pub(crate) context: &'a Context,
    pub(crate) network: &'a Network,
    pub(crate) settings: &'a Settings,
    /// The file of the network's natural statistics, if one was given.
    pub(crate) statistics: Option<&'a StatisticsRecord>,
    pub(crate) weights: &'a WeightsRecord,
    pub(crate) adapter: &'a AdapterRecord,
    pub(crate) algorithms: &'a ConvAlgorithms,
    pub(crate) snapshot_every: Option<u32>,
    /// The steps that become frames of an animation; empty without one.
    pub(crate) frames: &'a [u32],
    pub(crate) checkpoint_every: u32,
    pub(crate) launched: Instant,
    /// Whether slots keep their images, for the contact sheet.
    pub(crate) keep_pictures: bool,
    pub(crate) observer: &'a dyn Observer,
}

/// How a batch ended.
pub(crate) enum BatchEnd {
    /// All steps are done. Each slot has its likeliest classes, or the reason for its failure.
    Finished,
    /// The observer stopped the batch after this step. Its state is on disk.
    Cancelled(u32),
}

impl Run<'_> {
    /// Makes one batch.
    ///
    /// # Errors
    /// If the device fails. If one image fails, its slot has the error, and the others continue.
    pub(crate) fn make(&self, slots: Vec<&mut RunSlot>) -> Result<BatchEnd> {
        let (mut found, mut ready) = (Vec::new(), Vec::new());
        for slot in slots {
            match slot.checkpoint() {
                Ok(checkpoint) => {
                    found.extend(checkpoint);
                    ready.push(slot);
                }
                Err(error) => slot.failed = Some(error),
            }
        }
        if ready.is_empty() {
            return Ok(BatchEnd::Finished);
        }
        let names = named(&ready);
        let made = self.begin(ready, found, &names).and_then(|(batch, session)| batch.go(session));
        self.observer.tell(Event::BatchEnded);
        made.map_err(|error| {
            error.map_cause(|error| match error {
                Error::Device(message) => Error::Device(format!("{message} (while making {names})")),
                other => other,
            })
        })
    }

    /// Starts all images, or continues them from their checkpoints.
    fn begin<'a>(
        &'a self,
        slots: Vec<&'a mut RunSlot>,
        found: Vec<Checkpoint>,
        names: &str,
    ) -> Result<(Batch<'a>, Session)> {
        let image = self.settings.image(self.network.image());
        let job = |slot: &&mut RunSlot| {
            let init = slot.start.as_ref().map(|start| start.pixels(image)).transpose()?;
            Ok(Job { class: slot.request.class, seed: slot.settings.seed, init })
        };
        let jobs = slots.iter().map(job).collect::<Result<Vec<Job>>>()?;
        let algorithms = match found.first() {
            // Resumed prototypes keep their kernels.
            Some(checkpoint) => ConvAlgorithms::known(self.context.capabilities(), checkpoint.kernels.clone()),
            None => self.algorithms.clone(),
        };
        let kernels = chosen(&self.settings.networks(self.network)?, &algorithms)?;
        let objectives = Some(slots.iter().map(|slot| slot.request.objective.clone()).collect());
        let resolved = Some(slots.iter().map(|slot| slot.request.resolved.clone()).collect());
        let parts =
            Overrides { algorithms: Some(algorithms), objectives, resolved, isolate: true, ..Overrides::default() };
        let mut session = Session::with_overrides(self.context, self.network, self.settings, &jobs, parts)?;
        let step = found.first().map_or(0, |checkpoint| checkpoint.step());
        if !found.is_empty() {
            let state = |c: Checkpoint| {
                let Checkpoint { image, parameters, m, v, history, .. } = c;
                (ImageState { image, parameters, m, v }, history)
            };
            let (states, histories): (Vec<ImageState>, Vec<History>) = found.into_iter().map(state).unzip();
            session.load(step.into(), &states, histories)?;
        }
        self.observer.tell(Event::Batch { names, step, total: self.settings.total_steps() });
        let (kept, startup_ms) = (step, self.launched.elapsed().as_secs_f64() * 1e3);
        Ok((Batch { run: self, slots, kernels, pace: Pace::new(), kept, startup_ms }, session))
    }

    /// The next step after which something is due.
    fn next_stop(&self, step: u32) -> u32 {
        let every = [Some(self.checkpoint_every), self.snapshot_every, Some(REPORT_EVERY)];
        let frame = self.frames.iter().copied().find(|&frame| frame > step).unwrap_or(u32::MAX);
        next_stop(step, every.into_iter().flatten()).min(frame)
    }
}

struct Batch<'a> {
    run: &'a Run<'a>,
    slots: Vec<&'a mut RunSlot>,
    /// The algorithm of each direction of each convolution.
    kernels: BTreeMap<String, ConvAlgorithm>,
    pace: Pace,
    /// The step of the state on disk.
    kept: u32,
    startup_ms: f64,
}

impl Batch<'_> {
    fn go(mut self, mut session: Session) -> Result<BatchEnd> {
        let ended = self.steps(&mut session).and_then(|whole| match whole {
            true => self.finish(&session).map(|()| BatchEnd::Finished),
            false => Ok(BatchEnd::Cancelled(step_of(&session))),
        });
        ended.map_err(|error| self.explained(error, step_of(&session), None))
    }

    /// Makes the remaining steps. Returns false if the observer stopped it before the last.
    fn steps(&mut self, session: &mut Session) -> Result<bool> {
        let run = self.run;
        if session.step() == 0 {
            self.save(session, 0)?;
        }
        let mut pace = std::mem::replace(&mut self.pace, Pace::new());
        let ended = drive(
            session,
            &mut pace,
            run.observer,
            |step| run.next_stop(step),
            |session, step| {
                self.leave_failed(session);
                self.save(session, step)?;
                Ok(self.slots.iter().any(|slot| slot.failed.is_none()))
            },
        );
        self.pace = pace;
        if ended? != Ended::Cancelled {
            return Ok(true);
        }
        if step_of(session) > self.kept {
            let states = self.states(session)?;
            self.keep(session, &states);
        }
        Ok(false)
    }

    /// Writes the files that are due after a step.
    fn save(&mut self, session: &Session, step: u32) -> Result<()> {
        let due = |every: u32| step > 0 && step.is_multiple_of(every);
        let snapshot = self.run.snapshot_every.is_some_and(due);
        let frame = self.run.frames.contains(&step);
        let last = u64::from(step) == session.total_steps();
        let checkpoint = last || due(self.run.checkpoint_every);
        if !(snapshot || frame || checkpoint) {
            return Ok(());
        }
        let states = self.states(session)?;
        if snapshot || frame {
            let spec = self.run.network.image();
            self.each(step, |slot, at| {
                let image = &states[at].image;
                if snapshot {
                    slot.folder.write_snapshot(step, &picture::png(image, spec)?)?;
                }
                if frame { slot.folder.write_frame(step, &picture::to_rgb8(image, spec)?) } else { Ok(()) }
            });
        }
        if checkpoint {
            self.keep(session, &states);
        }
        Ok(())
    }

    /// Acts on each image that has not failed. If that fails, the image has failed, and the others continue.
    fn each(&mut self, step: u32, mut act: impl FnMut(&mut RunSlot, usize) -> Result<()>) {
        for at in 0..self.slots.len() {
            if self.slots[at].failed.is_none()
                && let Err(error) = act(self.slots[at], at)
            {
                self.fail(at, error, step);
            }
        }
    }

    /// Marks an image as failed.
    fn fail(&mut self, at: usize, error: Error, step: u32) {
        let error = self.explained(error, step, Some(at));
        let slot = &mut self.slots[at];
        slot.folder.write_failure(&self.run.observer.wording(&error));
        slot.failed = Some(error);
    }

    /// Fails the images whose losses are no longer finite.
    fn leave_failed(&mut self, session: &Session) {
        let failures = session.failures();
        self.each(step_of(session), |_, at| failures[at].clone().map_or(Ok(()), |why| Err(Error::diverged(why))));
    }

    /// The state of the batch. Images whose state is not finite fail, because no run can continue from such a checkpoint.
    fn states(&mut self, session: &Session) -> Result<Vec<ImageState>> {
        let (states, step) = (session.states()?, step_of(session));
        self.each(step, |slot, at| {
            let state = &states[at];
            let parts = [&state.image[..], state.parameters(), &state.m, &state.v];
            if parts.iter().all(|part| part.iter().all(|value| value.is_finite())) {
                return Ok(());
            }
            let title = slot.request.long_title();
            Err(Error::diverged(format!("the prototype of {title} is no longer finite after step {step}")))
        });
        Ok(states)
    }

    fn keep(&mut self, session: &Session, states: &[ImageState]) {
        let (run, input) = (self.run, self.run.network.image().batch(1));
        let (histories, kernels) = (session.histories(), self.kernels.clone());
        self.each(step_of(session), |slot, at| {
            let ImageState { image, parameters, m, v } = states[at].clone();
            slot.folder.write_checkpoint(&Checkpoint {
                class: slot.request.class,
                settings: slot.settings.clone(),
                weights_sha256: run.weights.sha256.clone(),
                statistics_sha256: run.network.statistics().map(|statistics| statistics.sha256.clone()),
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
        self.kept = step_of(session);
    }

    /// Writes the results; the states are those of the last checkpoint.
    fn finish(&mut self, session: &Session) -> Result<()> {
        let (run, input) = (self.run, self.run.network.image().batch(1));
        let states = self.states(session)?;
        let logits = session.logits()?;
        let timings = Timings {
            startup_ms: self.startup_ms,
            step_ms: self.pace.step_ms(),
            total_ms: self.pace.total_ms(),
            steps: self.pace.steps(),
            batch: self.slots.len(),
        };
        let (histories, kernels) = (session.histories(), self.kernels.clone());
        self.each(step_of(session), |slot, at| {
            let image = &states[at].image;
            let pixels = TensorFile::default().metadata("format", "protogpu prototype 1");
            let pixels = match slot.request.class() {
                Some(class) => pixels.metadata("class", class.index.to_string()).metadata("class_name", class.name),
                None => pixels.metadata("objective", slot.request.objective.to_string()),
            };
            let pixels = pixels
                .metadata("seed", slot.settings.seed.to_string())
                .metadata("settings_digest", slot.settings.digest())
                .metadata("weights_sha256", run.weights.sha256.as_str())
                .metadata("input", run.network.preprocessing().to_json())
                .tensor("image", input.extents(), image)
                .to_bytes();
            let top = top(&logits[at], TOP, run.network.labels());
            slot.warning = histories[at].constant_objective().map(|value| {
                format!(
                    "the objective was {value} at every step, so it has no gradient, and the image is not made for it; \
                     a unit that never fires does this, or one that the initial image does not reach: try other seeds"
                )
            });
            let record = RunRecord {
                class: slot.request.class(),
                settings: &slot.settings,
                natural_statistics: run.statistics,
                init_sha256: slot.start.as_ref().map(|start| start.sha256.as_str()),
                weights: run.weights,
                adapter: run.adapter,
                kernels: &kernels,
                history: &histories[at],
                top: top.clone(),
                warning: slot.warning.as_deref(),
                timings: timings.clone(),
            };
            let picture = picture::to_rgb8(image, run.network.image())?;
            slot.folder.finish(&Results {
                png: picture::png(image, run.network.image())?,
                pixels,
                animation: animation::assemble(&slot.folder, run.frames, run.observer)?,
                record: record.to_json(),
            })?;
            slot.top = Some(top);
            slot.picture = Some(picture).filter(|_| run.keep_pictures);
            Ok(())
        });
        Ok(())
    }

    /// Adds to an error the step that the batch or image reached, and the step of the kept state.
    fn explained(&self, error: Error, step: u32, image: Option<usize>) -> Error {
        let one = image.or((self.slots.len() == 1).then_some(0));
        let kept = match (self.kept, one) {
            (0, _) => format!("at step {step}, before the first checkpoint"),
            (kept, Some(at)) => {
                format!("at step {step}; step {kept} is kept in {}", self.slots[at].folder.path().display())
            }
            (kept, None) => format!("at step {step}; step {kept} is kept in {} folders", self.slots.len()),
        };
        error.map_cause(|error| match error {
            Error::Device(message) => Error::Device(format!("{message}; {kept}")).advised(": continue with {resume}"),
            Error::NotFinite(message) => Error::NotFinite(format!("{message} ({kept})")),
            Error::Io { action, path, source } if is_full(source.kind()) => {
                let source = io::Error::new(source.kind(), format!("{source}; {kept}"));
                Error::Io { action, path, source }.advised(": free some space and continue with {resume}")
            }
            other => other,
        })
    }
}

fn step_of(session: &Session) -> u32 {
    // Settings limit the number of steps to far less.
    session.step() as u32
}

/// The names of the first slots, and the number of the others.
fn named(slots: &[&mut RunSlot]) -> String {
    const AT_MOST: usize = 4;
    let names: Vec<&str> = slots.iter().take(AT_MOST).map(|slot| slot.request.name.as_str()).collect();
    match slots.len().saturating_sub(AT_MOST) {
        0 => names.join(", "),
        more => format!("{} and {more} more", names.join(", ")),
    }
}
