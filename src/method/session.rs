//! The prototype loop on a device: a batch of images, each with its own class, seed, transforms and Adam state.

#[cfg(feature = "native")]
mod blocking;
mod losses;
mod pending;

use std::sync::Arc;

use super::choices::Parameterization;
use super::draws::uniform_image;
use super::history::History;
use super::job::{Job, check_jobs};
use super::losses::LossTerm;
use super::microbatch::Microbatch;
use super::objective::{Objective, ResolvedObjective, resolve_all};
use super::parameterization::{normal_spectrum, phases_of, random_phases, spectrum_of};
use super::schedule::{Drawn, TransformDraws, Warps, adam_row, of_view};
use super::settings::Settings;
use super::step::{self, State, WINDOW};
use super::terms::Terms;
use super::transform_chain::{Map, maps_of};
use crate::error::{Error, Result};
use crate::gpu::{Context, ImagePainter, ImageTexture, Plan, Recording, Summary};
use crate::networks::Network;
use crate::ops::{AdamRow, ConvAlgorithms};
use crate::shape::ImageSpec;

pub use losses::Losses;
pub use pending::Pending;

/// The state of an image between two steps.
#[derive(Clone, Debug, PartialEq)]
pub struct ImageState {
    /// The pixels, `[C,H,W]`, of the size of the network's images, unclamped.
    pub image: Vec<f32>,
    /// The parameters that Adam changes, if they are not the image itself: a spectrum, `[C,H,2·(W/2+1)]` in pairs (re, im), its
    /// phases, `[C,H,W/2+1]`, or pixels of another size.
    pub parameters: Option<Vec<f32>>,
    /// Adam's first moment, of the parameters' length.
    pub m: Vec<f32>,
    /// Adam's second moment.
    pub v: Vec<f32>,
}

impl ImageState {
    /// The parameters that Adam changes.
    pub fn parameters(&self) -> &[f32] {
        self.parameters.as_ref().unwrap_or(&self.image)
    }
}

/// The default number of steps in a submission, see [`Session::submit_at_most`]. On all but the slowest adapters, so few keep a desktop
/// responsive and stay below every driver's time limit.
const SUBMISSION: usize = 16;

/// The optimisation of a batch of images.
///
/// Programs that may wait call `Session::new`, `advance`, and `images`, `logits` or `states`.
///
/// [`Session::prepare`], `record`, `record_losses`, `record_images`, `record_logits` and `record_states` never wait for the adapter. They
/// record into the host's encoder, and the host takes the results when they have arrived.
pub struct Session {
    context: Context,
    plan: Plan,
    painter: ImagePainter,
    state: State,
    settings: Settings,
    jobs: Vec<Job>,
    objectives: Vec<Objective>,
    resolved: Vec<ResolvedObjective>,
    terms: Terms,
    warps: Box<dyn Warps>,
    draws: Box<dyn TransformDraws>,
    /// The network's images.
    image: ImageSpec,
    /// Steps recorded or submitted so far, over both stages.
    step: u64,
    /// The first step of the schedule's window on the adapter, and the window's length.
    window: (u64, usize),
    /// The losses that have been read back, of `read_steps` steps; fewer if the image failed.
    histories: Vec<History>,
    read_steps: u64,
    /// For each image, why it failed, if it did.
    failures: Vec<Option<String>>,
    isolate: bool,
    /// The most steps in one submission.
    submission: usize,
}

impl Session {
    /// Plans a batch, compiles its kernels, and uploads weights and initial images. It does not wait for the adapter, but packing the
    /// weights takes processor time. `overrides` replaces parts of the method.
    ///
    /// # Errors
    /// If there is no job, a class or initial image does not suit the network, a setting is invalid, or the adapter does not have
    /// enough memory.
    pub async fn prepare(
        context: &Context,
        network: &Network,
        settings: &Settings,
        jobs: &[Job],
        overrides: Overrides,
    ) -> Result<Self> {
        settings.validate()?;
        let image = settings.image(network.image());
        check_jobs(network, image, jobs)?;
        let objectives = overrides.objectives.unwrap_or_else(|| vec![settings.objective.clone(); jobs.len()]);
        let resolved = match overrides.resolved {
            Some(resolved)
                if resolved.len() == jobs.len() && resolved.iter().all(|one| one.same_form(&resolved[0])) =>
            {
                resolved
            }
            Some(_) => {
                return Err(Error::input("there must be one resolved objective for each image, all of the same form"));
            }
            None => resolve_all(network, &objectives, jobs.len())?,
        };
        let mut rec = Recording::new();
        let window = WINDOW.min(settings.total_steps() as usize);
        let algorithms = overrides.algorithms.unwrap_or_else(|| ConvAlgorithms::fixed(context.capabilities()));
        let classes = jobs.iter().map(|job| job.class).collect();
        let terms = Terms::new(network, settings, classes, resolved.clone(), overrides.terms)?;
        let state = step::record(&mut rec, &algorithms, network, settings, &terms, jobs.len(), window)?;
        let painter = ImagePainter::prepare(context);
        let plan = Plan::prepare(context, rec).await?;
        let painter = painter.await?;
        let keys = jobs.iter().map(|job| (job.seed, job.class)).collect();
        let drawn = Drawn { settings: settings.clone(), keys, size: [image.height, image.width] };
        let fresh = History::new(state.names());
        let mut session = Self {
            context: context.clone(),
            image: network.image(),
            plan,
            painter,
            state,
            settings: settings.clone(),
            jobs: jobs.to_vec(),
            objectives,
            resolved,
            terms,
            warps: overrides.warps.unwrap_or_else(|| Box::new(drawn.clone())),
            draws: overrides.transform_draws.unwrap_or_else(|| Box::new(drawn)),
            step: 0,
            window: (0, 0),
            histories: vec![fresh; jobs.len()],
            read_steps: 0,
            failures: vec![None; jobs.len()],
            isolate: overrides.isolate,
            submission: SUBMISSION,
        };
        session.start()?;
        Ok(session)
    }

    /// The work and memory of a batch of `n` images with the settings' objective. It needs no device.
    ///
    /// # Errors
    /// If `n` is 0, or the settings do not suit the network.
    pub fn summary(algorithms: &ConvAlgorithms, network: &Network, settings: &Settings, n: usize) -> Result<Summary> {
        Self::summary_towards(&settings.objective.resolve(network)?, algorithms, network, settings, n)
    }

    /// The same, if the objective is resolved already.
    pub(crate) fn summary_towards(
        objective: &ResolvedObjective,
        algorithms: &ConvAlgorithms,
        network: &Network,
        settings: &Settings,
        n: usize,
    ) -> Result<Summary> {
        if n == 0 {
            return Err(Error::input("batch size must be at least 1"));
        }
        let mut rec = Recording::new();
        let window = WINDOW.min(settings.total_steps() as usize);
        let terms = Terms::new(network, settings, vec![0; n], vec![objective.clone(); n], Vec::new())?;
        step::record(&mut rec, algorithms, network, settings, &terms, n, window)?;
        Ok(Summary::new(&rec))
    }

    fn start(&mut self) -> Result<()> {
        let image = self.settings.image(self.image);
        let mut parameters = Vec::new();
        for job in &self.jobs {
            match (self.settings.parameterization, &job.init) {
                (Parameterization::Pixels, Some(pixels)) => parameters.extend_from_slice(pixels),
                (Parameterization::Pixels, None) => {
                    parameters.extend(uniform_image(job.seed, job.class, image.len()));
                }
                (Parameterization::Fourier, Some(pixels)) => parameters.extend(spectrum_of(pixels, image)?),
                (Parameterization::Phase, Some(pixels)) => parameters.extend(phases_of(pixels, image)?),
                (Parameterization::Phase, None) => parameters.extend(random_phases(job.seed, job.class, image)),
                (Parameterization::Fourier, None) => parameters.extend(normal_spectrum(job.seed, job.class, image)),
            }
        }
        self.write_parameters(&parameters)
    }

    /// Uploads the parameters and makes the images from them.
    fn write_parameters(&self, parameters: &[f32]) -> Result<()> {
        self.plan.write(self.state.parameters.id, parameters)?;
        if self.state.parameters.id != self.state.image.id {
            self.plan.submit("make", 1);
        }
        Ok(())
    }

    /// Continues from states saved at `step`, with the losses up to there.
    ///
    /// # Errors
    /// If the number of states or their lengths do not fit, or `step` is beyond the last step.
    pub fn load(&mut self, step: u64, states: &[ImageState], histories: Vec<History>) -> Result<()> {
        let len = self.state.parameters.shape.image_len();
        let fits = |s: &ImageState| [s.parameters(), &s.m[..], &s.v].iter().all(|part| part.len() == len);
        let fresh = History::new(self.state.names());
        // At step 0, histories may be empty.
        let histories: Vec<History> =
            histories.into_iter().map(|h| if h == History::default() { fresh.clone() } else { h }).collect();
        let complete = |h: &History| h.fits(&fresh, step);
        let counts = [states.len(), histories.len()];
        if counts != [self.jobs.len(); 2]
            || !states.iter().all(fits)
            || !histories.iter().all(complete)
            || step > self.total_steps()
        {
            return Err(Error::input(format!("{} saved states at step {step} do not fit this run", states.len())));
        }
        let all = |part: fn(&ImageState) -> &[f32]| -> Vec<f32> { states.iter().flat_map(part).copied().collect() };
        self.write_parameters(&all(ImageState::parameters))?;
        self.plan.write(self.state.m.id, &all(|s| &s.m))?;
        self.plan.write(self.state.v.id, &all(|s| &s.v))?;
        self.step = step;
        self.window = (step, 0);
        self.histories = histories;
        self.read_steps = step;
        self.failures.fill(None);
        Ok(())
    }

    /// Steps recorded or submitted so far, over both stages.
    pub fn step(&self) -> u64 {
        self.step
    }

    /// Steps of both stages together.
    pub fn total_steps(&self) -> u64 {
        u64::from(self.settings.total_steps())
    }

    /// The images of the batch.
    pub fn jobs(&self) -> &[Job] {
        &self.jobs
    }

    /// Each image's losses that have been read back, up to the step at which the image failed.
    pub fn histories(&self) -> &[History] {
        &self.histories
    }

    /// With [`Overrides::isolate`]: for each image, why it failed, if it did. The pixels of a failed image have no meaning.
    pub fn failures(&self) -> &[Option<String>] {
        &self.failures
    }

    /// The commands of the sections `step`, `coarse step` (if there are such steps) and `evaluate`, as plain data for counting.
    pub fn recording(&self) -> &Recording {
        self.plan.recording()
    }

    /// Uploads the next window of the schedule if the last one is used up, and returns the number of steps left in the window.
    fn ready(&mut self) -> Result<usize> {
        let (begin, len) = self.window;
        if self.step < begin + len as u64 {
            return Ok((begin + len as u64 - self.step) as usize);
        }
        let len = (self.total_steps() - self.step).min(WINDOW as u64) as usize;
        let steps = self.step..self.step + len as u64;
        let rows: Vec<AdamRow> = steps.clone().map(|step| adam_row(&self.settings, step)).collect();
        self.plan.write(self.state.schedule.rows, &rows)?;
        let window = self.state.schedule.clock.steps;
        self.plan.write(self.state.weights, &self.terms.weights(&self.settings, steps.clone(), window))?;
        for Microbatch { images, view, coarse, maps: tensors, .. } in &self.state.microbatches {
            let draws = steps.clone().map(|step| of_view(step, *view));
            let each = draws.flat_map(|step| images.clone().map(move |image| (image, step)));
            let maps: Vec<Vec<Map>> = each.map(|(image, step)| self.maps(image, step, *coarse)).collect();
            for (stage, &tensor) in tensors.iter().enumerate() {
                let of_stage: Vec<Map> = maps.iter().map(|maps| maps[stage]).collect();
                self.plan.write(tensor, &of_stage)?;
            }
        }
        self.plan.write(self.state.schedule.clock.step, &[0u32])?;
        self.window = (self.step, len);
        Ok(len)
    }

    /// The maps of the transforms for an image at a step, which is a coarse one or not.
    fn maps(&self, image: usize, step: u64, coarse: bool) -> Vec<Map> {
        let theta = self.warps.theta(image, step);
        maps_of(&self.settings, self.image, theta, coarse, |transform| self.draws.draw(image, step, transform))
    }

    /// Records up to `steps` steps into a host's encoder, and returns their number. It is smaller at the end of the run and of every 512
    /// steps. After these, it is 0 until the host has taken the losses, because the next steps overwrite them. Submit the commands
    /// recorded so far before the next call.
    ///
    /// # Errors
    /// If the device cannot take the schedule of the next steps.
    pub fn record(&mut self, encoder: &mut wgpu::CommandEncoder, steps: usize) -> Result<usize> {
        let stretch_ends = self.step == self.window.0 + self.window.1 as u64;
        if self.step == self.total_steps() || stretch_ends && self.read_steps < self.step {
            return Ok(0);
        }
        let count = self.ready()?.min(steps);
        let descriptor = wgpu::ComputePassDescriptor { label: Some("protogpu step"), timestamp_writes: None };
        let mut pass = encoder.begin_compute_pass(&descriptor);
        for step in self.step..self.step + count as u64 {
            self.plan.encode(&mut pass, step::section(self.settings.is_coarse(step)));
        }
        self.step += count as u64;
        Ok(count)
    }

    /// The pixels of the batch, `[N,C,H,W]` in f32, unclamped.
    pub fn image_buffer(&self) -> &wgpu::Buffer {
        self.plan.buffer(self.state.image.id).expect("the image is kept")
    }

    /// A texture that shows one image of the batch. Record its update after the steps.
    ///
    /// # Errors
    /// If there is no such image, or the images do not have 1, 3 or 4 channels.
    pub fn image_texture(&self, image: usize) -> Result<ImageTexture> {
        if image >= self.jobs.len() {
            let count = self.jobs.len();
            return Err(Error::input(format!("there is no image {image}: the batch has {count}, counted from 0")));
        }
        let (pixels, shape) = (self.image_buffer(), self.image.batch(self.jobs.len()));
        ImageTexture::new(&self.context, &self.painter, pixels, image, shape)
    }
}

/// Parts of a [`Session`] that replace or extend its own.
#[derive(Default)]
pub struct Overrides {
    /// The algorithms of the convolutions; a fixed choice if `None`. See [`crate::tuning`].
    pub algorithms: Option<ConvAlgorithms>,
    /// An objective for each job, in place of the settings' objective. They may differ only in numbers: weights, classes, channels,
    /// positions and directions.
    pub objectives: Option<Vec<Objective>>,
    /// The same objectives, if they are resolved already.
    pub resolved: Option<Vec<ResolvedObjective>>,
    /// Warps in place of random ones.
    pub warps: Option<Box<dyn Warps>>,
    /// Draws of the other transforms, in place of random ones.
    pub transform_draws: Option<Box<dyn TransformDraws>>,
    /// More terms of the loss.
    pub terms: Vec<Arc<dyn LossTerm>>,
    /// Whether the others continue if the loss of an image becomes NaN or infinite. [`Session::failures`] then has the reason. If not,
    /// such a loss is an error that ends the batch.
    pub isolate: bool,
}
