//! Measures natural statistics: the mean and the variance of channels over photographs.

use super::Activations;
use crate::error::{Error, Result};
use crate::gpu::Context;
use crate::graph::NodeId;
use crate::networks::{LayerStatistics, Network, Semantics};
use crate::shape::ImageSpec;

/// Means and variances over images, one image after the other. Welford (1962) updates lose no digits, however large the mean is.
#[derive(Clone, Copy, Default)]
struct Running {
    mean: f64,
    /// The sum of squared differences from the mean.
    squares: f64,
}

impl Running {
    /// Adds the value of the image number `count`, from 1.
    fn add(&mut self, value: f64, count: f64) {
        let from_old = value - self.mean;
        self.mean += from_old / count;
        self.squares += from_old * (value - self.mean);
    }
}

/// A network's forward pass that measures each channel of each of [`Network::measured_modules`], for batches of images.
pub(crate) struct Moments {
    activations: Activations,
    image: ImageSpec,
    batch: usize,
    /// The name, node and channels of each module.
    modules: Vec<(String, NodeId, usize)>,
    /// For each channel of each module, the images' means and variances.
    sums: Vec<Vec<[Running; 2]>>,
    images: u64,
}

impl Moments {
    /// Plans the forward pass for batches of up to `batch` images.
    ///
    /// # Errors
    /// If the adapter does not have enough memory.
    pub(crate) fn new(context: &Context, network: &Network, batch: usize) -> Result<Self> {
        let (batch, image) = (batch.max(1), network.image());
        let modules: Vec<(String, NodeId, usize)> = network
            .measured_modules()
            .into_iter()
            .map(|module| (module.name.clone(), module.node(Semantics::Snapshot), network.channels(module)))
            .collect();
        let sums = modules.iter().map(|(.., channels)| vec![Default::default(); *channels]).collect();
        let activations = Activations::new(context, network, batch)?;
        Ok(Self { activations, image, batch, modules, sums, images: 0 })
    }

    /// The images that the network takes.
    pub(crate) fn image(&self) -> ImageSpec {
        self.image
    }

    /// How many images it takes at once.
    pub(crate) fn batch(&self) -> usize {
        self.batch
    }

    /// Measures up to a batch of images, `[N,C,H,W]` in `[0,1]`. Sums are in f64, in the order of positions and of images, so batches
    /// make no difference. Blocks.
    ///
    /// # Errors
    /// If an activation is NaN or infinite, or the device is lost.
    pub(crate) fn add(&mut self, pixels: &[f32]) -> Result<()> {
        self.activations.run(pixels)?;
        let nodes: Vec<NodeId> = self.modules.iter().map(|(_, node, _)| *node).collect();
        let outputs = self.activations.read_nodes(&nodes)?;
        let count = pixels.len() / self.image.len();
        let before = self.images;
        for (((name, _, channels), output), sums) in self.modules.iter().zip(&outputs).zip(&mut self.sums) {
            let plane = output.len() / (count * channels);
            for (at, x) in output.chunks_exact(plane).enumerate() {
                let count = (before + (at / channels) as u64 + 1) as f64;
                let own = moments(x);
                if !own.iter().all(|value| value.is_finite()) {
                    return Err(Error::input(format!("the output of {name} is not finite")));
                }
                let both = &mut sums[at % channels];
                (0..2).for_each(|i| both[i].add(own[i], count));
            }
        }
        self.images += count as u64;
        Ok(())
    }

    /// The statistics of the images so far.
    pub(crate) fn layers(&self) -> Vec<LayerStatistics> {
        let images = self.images.max(1) as f64;
        let layer = |((module, ..), sums): (&(String, NodeId, usize), &Vec<[Running; 2]>)| {
            let of = |value: &dyn Fn(&[Running; 2]) -> f64| sums.iter().map(|both| value(both) as f32).collect();
            LayerStatistics {
                module: module.clone(),
                mean: of(&|both| both[0].mean),
                variance: of(&|both| both[1].mean),
                mean_spread: of(&|both| both[0].squares / images),
                variance_spread: of(&|both| both[1].squares / images),
            }
        };
        self.modules.iter().zip(&self.sums).map(layer).collect()
    }
}

/// The mean and the variance of a channel over its positions.
fn moments(x: &[f32]) -> [f64; 2] {
    let values = || x.iter().map(|&x| f64::from(x));
    let count = x.len() as f64;
    let mean = values().sum::<f64>() / count;
    [mean, values().map(|x| (x - mean) * (x - mean)).sum::<f64>() / count]
}
