//! The commands of a step, and of the evaluation of the image.

use std::borrow::Cow;

use super::choices::Parameterization;
use super::losses::tick;
use super::microbatch::{Microbatch, Through};
use super::parameterization::Fourier;
use super::settings::Settings;
use super::terms::{Step, Terms};
use super::transform_chain::resize;
use crate::error::{Error, Result};
use crate::gpu::{Layout, Recording, TensorId};
use crate::graph::Retain;
use crate::networks::Network;
use crate::ops::{Adam, AdamRow, AffineWarp, Clock, ConvAlgorithms, Interpolation, Schedule, Tensor, words};
use crate::shape::ImageSpec;

/// The most steps whose schedule and losses are on the adapter at once.
pub(super) const WINDOW: usize = 512;

/// The tensors that outlive a step.
pub(super) struct State {
    /// The parameters that Adam changes.
    pub(super) parameters: Tensor,
    /// The image that the parameters make, resized to the network's size, without transforms. It is the same tensor as the parameters
    /// if these are pixels of that size.
    pub(super) image: Tensor,
    pub(super) m: Tensor,
    pub(super) v: Tensor,
    /// The rows of a window, and the step within it.
    pub(super) schedule: Schedule,
    /// The terms' weights, `[terms,window]`.
    pub(super) weights: TensorId,
    /// Those of full and of coarse steps. Each kind has all images, in order, once for each view.
    pub(super) microbatches: Vec<Microbatch>,
    /// `[N,K,1,1]`; valid after the section `evaluate`, until the next step.
    pub(super) logits: Tensor,
}

impl State {
    /// The row of an image at a step of the window, from the microbatches' histories: the loss, then the other columns. It is the mean over
    /// the views. `coarse` says whether it was a coarse step.
    pub(super) fn recorded(&self, histories: &[Vec<f32>], step: usize, coarse: bool, image: usize) -> Vec<f32> {
        let row = 1 + self.names().len();
        let of_view = |(microbatch, history): (&Microbatch, &'_ Vec<f32>)| {
            let images = &microbatch.images;
            let at = (step * images.len() + image.checked_sub(images.start)?) * row;
            (microbatch.coarse == coarse && images.contains(&image)).then(|| history[at..at + row].to_vec())
        };
        let views: Vec<Vec<f32>> = self.microbatches.iter().zip(histories).filter_map(of_view).collect();
        match &views[..] {
            [one] => one.clone(),
            views => {
                let mean = |i: usize| views.iter().map(|row| f64::from(row[i])).sum::<f64>() / views.len() as f64;
                (0..row).map(|i| mean(i) as f32).collect()
            }
        }
    }

    /// The names of the columns, without the loss.
    pub(super) fn names(&self) -> &[Cow<'static, str>] {
        &self.microbatches[0].names
    }
}

/// The way from the parameters to the images.
struct Rendering {
    fourier: Option<Fourier>,
    parameters: Tensor,
    /// `[N,C,H,W]`, of the size that the settings say.
    made: Tensor,
    /// `made`, resized to the network's size.
    image: Tensor,
}

impl Rendering {
    fn new(rec: &mut Recording, settings: &Settings, network: ImageSpec, n: usize) -> Result<Self> {
        let own = settings.image(network);
        let image = Tensor::kept(rec, "image", network.batch(n));
        let made = if own == network { image } else { Tensor::kept(rec, "made", own.batch(n)) };
        Ok(match settings.parameterization {
            Parameterization::Pixels => Self { fourier: None, parameters: made, made, image },
            of @ (Parameterization::Fourier | Parameterization::Phase) => {
                let parameters = Tensor::kept(rec, "spectrum", settings.parameters(network, n));
                let fourier = Fourier::new(own, of == Parameterization::Phase)?;
                Self { fourier: Some(fourier), parameters, made, image }
            }
        })
    }

    /// Whether the images are other tensors than the parameters.
    fn is_needed(&self) -> bool {
        self.parameters.id != self.image.id
    }

    /// Appends the commands from the parameters to the images.
    fn forward(&self, rec: &mut Recording) -> Result<()> {
        if let Some(fourier) = &self.fourier {
            fourier.forward(rec, self.parameters, self.made)?;
        }
        if self.made.id == self.image.id {
            return Ok(());
        }
        let [n, channels, ..] = self.made.shape.nchw();
        let [from, to] = [self.made, self.image].map(|x| [x.shape.h(), x.shape.w()]);
        let maps: Vec<f32> = std::iter::repeat_n(resize(from, to), n).flatten().collect();
        let maps = rec.table("maps to the network's size", Layout::Words, words(&maps));
        // A single map, for every step.
        let first = Clock { step: rec.table("step 0", Layout::Words, vec![0]), steps: 1 };
        let resize = AffineWarp { interpolation: Interpolation::Bilinear, fill: vec![0.0; channels], normalize: None };
        resize.forward(rec, self.made, maps, first, self.image)
    }

    /// Appends the commands from the gradient of `made` to that of the parameters, and returns the latter.
    fn backward(&self, rec: &mut Recording, dmade: Tensor) -> Result<Tensor> {
        let Some(fourier) = &self.fourier else { return Ok(dmade) };
        let ds = Tensor::transient(rec, "dspectrum", self.parameters.shape);
        fourier.backward(rec, dmade, self.made, [self.parameters, ds])?;
        Ok(ds)
    }
}

/// The section of a step.
pub(super) fn section(coarse: bool) -> &'static str {
    if coarse { "coarse step" } else { "step" }
}

/// Appends the sections `step` and `evaluate` for `n` images. If the settings have coarse steps, it also appends `coarse step`. If images and parameters are different tensors, it also appends `make`,
/// which makes the images from the parameters as every step does.
pub(super) fn record(
    rec: &mut Recording,
    algorithms: &ConvAlgorithms,
    network: &Network,
    settings: &Settings,
    terms: &Terms,
    n: usize,
    window: usize,
) -> Result<State> {
    let graph = network.graph().fused()?;
    settings.check_image(network.image())?;
    let mean = network.preprocessing().mean_colour();
    let fill = settings.fill.channels(&mean)?;
    let rendering = Rendering::new(rec, settings, network.image(), n)?;
    let Rendering { parameters, made, image, .. } = rendering;
    let [m, v] = ["m", "v"].map(|name| Tensor::kept(rec, name, parameters.shape));
    let clock = Clock { step: rec.kept("clock", 1), steps: window };
    let weights = rec.kept("weights", terms.len() * window);
    let schedule = Schedule { rows: rec.kept("schedule", window * AdamRow::LEN), clock };

    // The gradient is the sum over the views. With eps as many times as large, a step is that of the mean.
    let eps = settings.eps * f64::from(settings.views);
    let (beta1, beta2, clamp) = (settings.beta1, settings.beta2, settings.clamp);
    // A spectrum decays towards 0.
    let towards = if settings.parameterization == Parameterization::Pixels { mean } else { vec![0.0; mean.len()] };
    let adam = Adam { beta1, beta2, eps, clamp, towards };
    let mut microbatches = Vec::new();
    for (seen, coarse) in settings.networks(network)?.into_iter().zip([false, true]) {
        // The last transform normalises its output. The evaluation does not transform the image.
        let truncated = terms.graph(&seen, &seen.graph().fused()?)?;
        let (normalize, truncated) =
            truncated.without_normalize().map_or((None, truncated.clone()), |(n, g)| (Some(n), g));
        rec.section(section(coarse));
        let dmade = Tensor::transient(rec, "dimage", made.shape);
        let step = Step { graph: &truncated, algorithms, clock, weights };
        let (fill, network) = (fill.clone(), network.image());
        let through = Through { terms, step, settings, fill, normalize, network, coarse };
        for images in through.split(made.shape) {
            microbatches.extend(through.record(rec, images, made, dmade)?);
        }
        one_history(&microbatches)?;
        let dparameters = rendering.backward(rec, dmade)?;
        adam.step(rec, dparameters, [parameters, m, v], schedule)?;
        rendering.forward(rec)?;
        tick(rec, clock)?;
    }

    rec.section("evaluate");
    let logits = graph.record_forward(rec, algorithms, image, Retain::Needed)?.of(graph.output());
    if rendering.is_needed() {
        rec.section("make");
        rendering.forward(rec)?;
    }
    Ok(State { parameters, image, m, v, schedule, weights, microbatches, logits })
}

/// Refuses terms that keep other columns in coarse steps than in full ones.
fn one_history(microbatches: &[Microbatch]) -> Result<()> {
    match microbatches.iter().find(|microbatch| microbatch.names != microbatches[0].names) {
        None => Ok(()),
        Some(other) => Err(Error::input(format!(
            "the columns of the terms are {:?}, but {:?} in coarse steps",
            microbatches[0].names, other.names
        ))),
    }
}
