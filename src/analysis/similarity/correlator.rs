//! Activations of images, and their correlation with mean activations.

use rayon::prelude::*;

use super::layers::Layers;
use crate::analysis::{Activations, Ranks, Sorter};
use crate::error::{Error, Result};
use crate::gpu::Context;
use crate::networks::Network;
use crate::shape::ImageSpec;

/// An image's correlation with the mean activations, in the order of [`Layers::tensors`]; `None` if one of the two is
/// constant.
pub(crate) type Correlations = Vec<Option<f64>>;

/// An image's correlations and logits.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Observed {
    /// By tensor.
    pub(crate) correlations: Correlations,
    /// `[K]`.
    pub(crate) logits: Vec<f32>,
}

/// A network's forward pass that correlates every layer with a mean, for batches of images.
pub(crate) struct Correlator {
    activations: Activations,
    layers: Layers,
    batch: usize,
    image: ImageSpec,
}

impl Correlator {
    /// Plans the forward pass for batches of up to `batch` images.
    ///
    /// # Errors
    /// If the adapter does not have enough memory.
    pub(crate) fn new(context: &Context, network: &Network, batch: usize) -> Result<Self> {
        let (batch, image) = (batch.max(1), network.image());
        Ok(Self { activations: Activations::new(context, network, batch)?, layers: Layers::of(network), batch, image })
    }

    /// The layers.
    pub(crate) fn layers(&self) -> &Layers {
        &self.layers
    }

    /// The images that the network takes.
    pub(crate) fn image(&self) -> ImageSpec {
        self.image
    }

    /// Every tensor for up to a batch of images, `[N,C,H,W]` each. Blocks.
    fn outputs(&mut self, pixels: &[f32]) -> Result<Vec<Vec<f32>>> {
        self.activations.run(pixels)?;
        self.activations.read_nodes(&self.layers.nodes())
    }

    /// Adds the activations of up to a batch of images, `[N,C,H,W]` in `[0,1]`, to `sums`, one per tensor, and the images to the last sum. An
    /// empty `sums` is filled with zeros first. The sums run in the order of the images, in f64.
    ///
    /// # Errors
    /// If the device is lost.
    pub(crate) fn add(&mut self, pixels: Vec<f32>, sums: &mut Vec<Vec<f64>>) -> Result<()> {
        let count = pixels.len() / self.image.len();
        let mut outputs = self.outputs(&pixels)?;
        outputs.push(pixels);
        sums.resize(outputs.len(), Vec::new());
        sums.par_iter_mut().zip(&outputs).for_each(|(sums, outputs)| {
            let len = outputs.len() / count;
            sums.resize(len, 0.0);
            for output in outputs.chunks_exact(len) {
                sums.iter_mut().zip(output).for_each(|(sum, &y)| *sum += f64::from(y));
            }
        });
        Ok(())
    }

    /// How many images it takes at once.
    pub(crate) fn batch(&self) -> usize {
        self.batch
    }

    /// The correlations of the pixels of up to a batch of images, `[N,C,H,W]` in `[0,1]`.
    ///
    /// # Errors
    /// If an activation is NaN or infinite, or the device is lost.
    pub(crate) fn correlate(&mut self, pixels: &[f32], targets: &Targets<'_>) -> Result<Vec<Observed>> {
        let count = pixels.len() / self.image.len();
        let outputs = self.outputs(pixels)?;
        let jobs: Vec<(usize, usize)> = (0..outputs.len()).flat_map(|t| (0..count).map(move |n| (t, n))).collect();
        let correlation = |sorter: &mut Sorter, &(tensor, n): &(usize, usize)| {
            let len = outputs[tensor].len() / count;
            let y = &outputs[tensor][n * len..(n + 1) * len];
            let named = |error: Error| {
                let name = self.layers.tensors().nth(tensor).unwrap_or_default();
                Error::input(format!("the output of {name}: {error}"))
            };
            targets.correlation((tensor, n), y, sorter).map_err(named)
        };
        let all: Vec<Option<f64>> = jobs.par_iter().map_init(Sorter::default, correlation).collect::<Result<_>>()?;
        let logits = &outputs[self.layers.logits()];
        let classes = logits.len() / count;
        let observed = |n: usize| Observed {
            correlations: (0..outputs.len()).map(|tensor| all[tensor * count + n]).collect(),
            logits: logits[n * classes..(n + 1) * classes].to_vec(),
        };
        Ok((0..count).map(observed).collect())
    }
}

/// The mean activations to compare with, per tensor.
pub(crate) enum Targets<'a> {
    /// One mean for all images, already ranked.
    Mean(&'a [Ranks]),
    /// A ranked mean for each image of the batch.
    Each(&'a [&'a [Ranks]]),
    /// Sums over this many images; each compared image is first subtracted.
    WithoutItself(&'a [Vec<f64>], usize),
}

impl Targets<'_> {
    /// The target for one tensor of an image, whose index is that within its batch.
    fn correlation(&self, (tensor, picture): (usize, usize), y: &[f32], sorter: &mut Sorter) -> Result<Option<f64>> {
        match self {
            Self::Mean(ranks) => ranks[tensor].correlation(y, sorter),
            Self::Each(means) => means[picture][tensor].correlation(y, sorter),
            Self::WithoutItself(sums, count) => {
                let others = (*count as f64 - 1.0).max(1.0);
                let mean: Vec<f32> =
                    sums[tensor].iter().zip(y).map(|(sum, &y)| ((sum - f64::from(y)) / others) as f32).collect();
                Ranks::of(&mean)?.correlation(y, sorter)
            }
        }
    }
}
