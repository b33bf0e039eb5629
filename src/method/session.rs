//! The prototype loop on a device: many images at once, each with its own class, seed, warps and Adam state.

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
use super::parameterization::{normal_spectrum, spectrum_of};
use super::schedule::{Drawn, TransformDraws, Warps, adam_row};
use super::settings::Settings;
use super::step::{self, State, WINDOW};
use super::terms::Terms;
use super::transform_chain::{Map, maps_of};
use crate::error::{Error, Result};
use crate::gpu::{Context, ImageTexture, Plan, Recording, Summary};
use crate::networks::Network;
use crate::ops::{AdamRow, ConvAlgorithms};
use crate::shape::ImageSpec;

pub use losses::Losses;
pub use pending::Pending;

/// What an image's optimisation goes on from.
#[derive(Clone, Debug, PartialEq)]
pub struct ImageState {
    /// Pixels, `[C,H,W]` of the network's images, unclamped.
    pub image: Vec<f32>,
    /// What Adam moves and the image is made of, unless that is the image itself: a spectrum, `[C,H,2·(W/2+1)]` in pairs (re, im),
    /// or pixels of another size.
    pub parameters: Option<Vec<f32>>,
    /// Adam's first moment, as many numbers as it moves.
    pub m: Vec<f32>,
    /// Adam's second moment.
    pub v: Vec<f32>,
}

impl ImageState {
    /// What Adam moves.
    pub fn parameters(&self) -> &[f32] {
        self.parameters.as_ref().unwrap_or(&self.image)
    }
}

/// Steps of a submission unless [`Session::submit_at_most`] says otherwise: few enough for a responsive desktop and any driver's
/// watchdog on all but the slowest adapters.
const SUBMISSION: usize = 16;

/// A batch of images on their way to prototypes.
///
/// [`Session::prepare`], `record` and `record_losses`, `record_images`, `record_logits` and `record_states` never wait for the adapter: they
/// record into a host's encoder, and what was asked for is taken when it has arrived. `Session::new`, `advance`, `images`, `logits`,
/// `states` and `profile` are the same for native programs that may wait.
pub struct Session {
    context: Context,
    plan: Plan,
    state: State,
    settings: Settings,
    jobs: Vec<Job>,
    objectives: Vec<Objective>,
    aims: Vec<ResolvedObjective>,
    terms: Terms,
    warps: Box<dyn Warps>,
    draws: Box<dyn TransformDraws>,
    /// The network's images.
    image: ImageSpec,
    /// Steps recorded or submitted so far, over both stages.
    step: u64,
    /// The step with which the window on the adapter begins, and the window's length.
    window: (u64, usize),
    /// Losses that have been read back, of so many steps; an image that failed has fewer.
    histories: Vec<History>,
    read_steps: u64,
    /// Why images are no longer numbers, where that does not end the batch.
    failures: Vec<Option<String>>,
    isolate: bool,
    /// The most steps of one submission.
    submission: usize,
}

impl Session {
    /// Plans everything for a batch, compiles its kernels, and uploads weights and starting images. Nothing waits for the adapter;
    /// packing the weights takes its time. `overrides` may bring warps, convolutions or objectives of one's own choice.
    ///
    /// # Errors
    /// If there is no job, a class or starting image does not fit the network, a setting makes no sense, or the adapter
    /// has not enough memory.
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
        let aims = match overrides.resolved {
            Some(resolved)
                if resolved.len() == jobs.len() && resolved.iter().all(|one| one.same_form(&resolved[0])) =>
            {
                resolved
            }
            Some(_) => return Err(Error::input("the resolved objectives are not of one form, one for each image")),
            None => resolve_all(network, &objectives, jobs.len())?,
        };
        let mut rec = Recording::new();
        let window = WINDOW.min(settings.total_steps() as usize);
        let choices = overrides.choices.unwrap_or_else(|| ConvAlgorithms::fixed(context.capabilities()));
        let classes = jobs.iter().map(|job| job.class).collect();
        let terms = Terms::new(network, settings, classes, aims.clone(), overrides.terms)?;
        let state = step::record(&mut rec, &choices, network, settings, &terms, jobs.len(), window)?;
        let plan = Plan::prepare(context, rec).await?;
        let keys = jobs.iter().map(|job| (job.seed, job.class)).collect();
        let drawn = Drawn { settings: settings.clone(), keys, size: [image.height, image.width] };
        let fresh = History::new(state.names());
        let mut session = Self {
            context: context.clone(),
            image: network.image(),
            plan,
            state,
            settings: settings.clone(),
            jobs: jobs.to_vec(),
            objectives,
            aims,
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

    /// What a batch of `n` with the settings' objective would do and take; needs no device.
    ///
    /// # Errors
    /// If network and settings do not fit.
    pub fn summary(choices: &ConvAlgorithms, network: &Network, settings: &Settings, n: usize) -> Result<Summary> {
        Self::summary_towards(&settings.objective.resolve(network)?, choices, network, settings, n)
    }

    /// The same, if the objective is resolved already.
    pub(crate) fn summary_towards(
        objective: &ResolvedObjective,
        choices: &ConvAlgorithms,
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
        step::record(&mut rec, choices, network, settings, &terms, n, window)?;
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
                (Parameterization::Fourier, None) => parameters.extend(normal_spectrum(job.seed, job.class, image)),
            }
        }
        self.write_parameters(&parameters)
    }

    /// Uploads what Adam moves, and makes the images of it.
    fn write_parameters(&self, parameters: &[f32]) -> Result<()> {
        self.plan.write(self.state.parameters.id, parameters)?;
        if self.state.parameters.id != self.state.image.id {
            self.plan.submit("make", 1);
        }
        Ok(())
    }

    /// Goes on from states saved at `step`, with the losses up to there.
    ///
    /// # Errors
    /// If their number or lengths do not fit, or the step lies past the end.
    pub fn load(&mut self, step: u64, states: &[ImageState], histories: Vec<History>) -> Result<()> {
        let len = self.state.parameters.shape.image_len();
        let fits = |s: &ImageState| [s.parameters(), &s.m[..], &s.v].iter().all(|part| part.len() == len);
        let fresh = History::new(self.state.names());
        // At the beginning there may be none.
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

    /// Each image's losses, as far as they have been read back and up to where they are numbers.
    pub fn histories(&self) -> &[History] {
        &self.histories
    }

    /// For each image why it is no longer of numbers, with [`Overrides::isolate`]; such an image means nothing.
    pub fn failures(&self) -> &[Option<String>] {
        &self.failures
    }

    /// The commands of the sections `step` and `evaluate`, for counting: plain data, with which no step can be made that
    /// this session would not know of.
    pub fn recording(&self) -> &Recording {
        self.plan.recording()
    }

    /// Uploads the next window of the schedule if the last one is used up, and gives the steps that are ready.
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
        for Microbatch { images, maps: tensors, .. } in &self.state.microbatches {
            let each = steps.clone().flat_map(|step| images.clone().map(move |image| (image, step)));
            let maps: Vec<Vec<Map>> = each.map(|(image, step)| self.maps(image, step)).collect();
            for (stage, &tensor) in tensors.iter().enumerate() {
                let of_stage: Vec<Map> = maps.iter().map(|maps| maps[stage]).collect();
                self.plan.write(tensor, &of_stage)?;
            }
        }
        self.plan.write(self.state.schedule.clock.step, &[0u32])?;
        self.window = (self.step, len);
        Ok(len)
    }

    /// What the transforms do to an image at a step.
    fn maps(&self, image: usize, step: u64) -> Vec<Map> {
        let theta = self.warps.theta(image, step);
        maps_of(&self.settings, self.image, theta, |transform| self.draws.draw(image, step, transform))
    }

    /// Records up to `steps` steps into a host's encoder and gives how many: fewer at the end of the run and of a stretch of
    /// 512 steps, none until the losses of a finished stretch were taken, since the next writes over them. What was
    /// recorded before must have been submitted.
    ///
    /// # Errors
    /// If the device refuses the stretch's schedule.
    pub fn record(&mut self, encoder: &mut wgpu::CommandEncoder, steps: usize) -> Result<usize> {
        let stretch_ends = self.step == self.window.0 + self.window.1 as u64;
        if self.step == self.total_steps() || stretch_ends && self.read_steps < self.step {
            return Ok(0);
        }
        let count = self.ready()?.min(steps);
        let descriptor = wgpu::ComputePassDescriptor { label: Some("protogpu step"), timestamp_writes: None };
        let mut pass = encoder.begin_compute_pass(&descriptor);
        (0..count).for_each(|_| self.plan.encode(&mut pass, "step"));
        self.step += count as u64;
        Ok(count)
    }

    /// The pixels of the whole batch, `[N,C,H,W]` of f32, unclamped.
    pub fn image_buffer(&self) -> &wgpu::Buffer {
        self.plan.buffer(self.state.image.id).expect("the image is kept")
    }

    /// A texture that shows one image of the batch; record its update after the steps.
    ///
    /// # Errors
    /// If there is no such image, or it has not 1, 3 or 4 channels.
    pub fn image_texture(&self, image: usize) -> Result<ImageTexture> {
        if image >= self.jobs.len() {
            let count = self.jobs.len();
            return Err(Error::input(format!("there is no image {image}: the batch has {count}, counted from 0")));
        }
        ImageTexture::new(&self.context, self.image_buffer(), image, self.image.batch(self.jobs.len()))
    }
}

/// What a [`Session`] takes in place of its own.
#[derive(Default)]
pub struct Overrides {
    /// Which kernels compute the convolutions; the fixed choice if `None`. See [`crate::tuning`].
    pub choices: Option<ConvAlgorithms>,
    /// An objective for each job in place of the settings', all of one form: they may differ in their numbers, that is in
    /// weights, classes, channels, places and directions.
    pub objectives: Option<Vec<Objective>>,
    /// The same objectives resolved in the network, where that is done already.
    pub resolved: Option<Vec<ResolvedObjective>>,
    /// Warps in place of the drawn ones.
    pub warps: Option<Box<dyn Warps>>,
    /// What transforms other than the warp draw, in place of the method's own draws.
    pub transform_draws: Option<Box<dyn TransformDraws>>,
    /// Terms of the loss beside the settings' own.
    pub terms: Vec<Arc<dyn LossTerm>>,
    /// Whether the other images go on when one's loss is no longer a number, which [`Session::failures`] then tells,
    /// in place of an error that ends the batch.
    pub isolate: bool,
}
