//! Probabilities of composed images: regions that grow, and the curves of insertion and deletion.

use crate::Result;
use crate::analysis::isolate::{Curve, Measured, Method, Order, smallest_share};
use crate::analysis::{Classifier, softmax};
use crate::gpu::Context;
use crate::networks::Network;

/// The shares of an image among which the smallest region is looked for first.
const GROWTH: [f64; 14] = [0.0, 0.01, 0.02, 0.03, 0.05, 0.07, 0.1, 0.14, 0.2, 0.28, 0.4, 0.56, 0.75, 1.0];
/// How often the interval that holds the smallest share is halved.
const HALVINGS: usize = 4;
/// The intervals of the curves of insertion and deletion.
const INTERVALS: usize = 20;

/// An image, a class, and an order of its pixels.
pub(super) struct Ordered<'a> {
    pub(super) pixels: &'a [f32],
    pub(super) background: &'a [f32],
    pub(super) class: usize,
    pub(super) order: Order,
}

/// The smallest region of an image that keeps its class.
pub(super) struct Smallest {
    pub(super) area: f64,
    pub(super) keeps: bool,
    pub(super) growth: Curve,
}

/// The network, for batches of images that are made as they are needed.
pub(super) struct Seer {
    classifier: Classifier,
}

impl Seer {
    pub(super) fn new(context: &Context, network: &Network, batch: usize) -> Result<Self> {
        Ok(Self { classifier: Classifier::new(context, network, batch)? })
    }

    /// The logits `[K]` of each image.
    pub(super) fn logits(&self, images: impl IntoIterator<Item = Vec<f32>>) -> Result<Vec<Vec<f32>>> {
        let (mut all, mut images, batch) = (Vec::new(), images.into_iter(), self.classifier.batch());
        loop {
            let pixels: Vec<f32> = images.by_ref().take(batch).flatten().collect();
            if pixels.is_empty() {
                return Ok(all);
            }
            all.extend(self.classifier.logits(&pixels)?);
        }
    }

    /// The probability of a class in each image.
    fn probabilities(&self, class: usize, images: impl IntoIterator<Item = Vec<f32>>) -> Result<Vec<f64>> {
        Ok(self.logits(images)?.iter().map(|logits| softmax(logits)[class]).collect())
    }

    /// The smallest region, in the image's order, in which the class has at least the probability `least`. Where the probability does not
    /// rise steadily with the area, a smaller one may lie between the shares that are tried.
    pub(super) fn smallest(&self, one: &Ordered<'_>, least: f64) -> Result<Smallest> {
        let at = |share: f64| one.order.composed(one.pixels, one.background, share);
        let probabilities = self.probabilities(one.class, GROWTH.into_iter().map(at))?;
        let growth = Curve { shares: GROWTH.to_vec(), probabilities };
        let Some([mut low, mut high]) = smallest_share(&growth, least) else {
            return Ok(Smallest { area: 1.0, keeps: false, growth });
        };
        for _ in 0..if low < high { HALVINGS } else { 0 } {
            let middle = 0.5 * (low + high);
            let enough = self.probabilities(one.class, [at(middle)])?[0] >= least;
            if enough { high = middle } else { low = middle }
        }
        Ok(Smallest { area: high, keeps: high < 1.0, growth })
    }

    /// Insertion of the image into a blurred one, and deletion from the image towards a colour (Petsiuk et al. 2018).
    pub(super) fn measured(
        &self,
        method: Method,
        one: &Ordered<'_>,
        blurred: &[f32],
        flat: &[f32],
    ) -> Result<Measured> {
        let shares: Vec<f64> = (0..=INTERVALS).map(|at| at as f64 / INTERVALS as f64).collect();
        let inserted = shares.iter().map(|&share| one.order.composed(one.pixels, blurred, share));
        let deleted = shares.iter().map(|&share| one.order.composed(flat, one.pixels, share));
        let mut insertion = self.probabilities(one.class, inserted.chain(deleted))?;
        let deletion = insertion.split_off(shares.len());
        let curve = |probabilities| Curve { shares: shares.clone(), probabilities };
        Ok(Measured::new(method, curve(insertion), curve(deletion)))
    }
}
