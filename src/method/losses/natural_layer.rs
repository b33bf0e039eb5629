//! The natural statistics of a layer's channels, from batch norms or from measurements, and the factors of differences from them.

use std::sync::Arc;

use super::Source;
use crate::gpu::bytemuck;
use crate::named::named;
use crate::networks::{LayerStatistics, Module, Network, Norm, Semantics};

named! {
    /// The loss of a layer. mean and var are those of the batch norm's input, or of the convolution's output in a network without norms.
    /// μ and σ² are the natural ones: the norm's running mean and variance, or with [`Network::statistics`] the means over photographs of
    /// their own means and variances.
    NaturalForm {
        /// `‖mean − μ‖₂ + ‖var − σ²‖₂`.
        Norms = "norms",
        /// `‖mean − μ‖₂ / ‖σ‖₂ + ‖var − σ²‖₂ / ‖σ²‖₂`, which does not depend on the scale of a layer.
        LayerRatios = "layer-ratios",
        /// The mean over channels of `((mean − μ) / σ)² + (√var / σ − 1)²`.
        Relative = "relative",
        /// `‖mean − μ‖₂ / ‖s‖₂ + ‖var − σ²‖₂ / ‖t‖₂`, where s and t are the standard deviations over photographs of their means and
        /// variances, which batch norms do not keep. A photograph has about 2.
        Spread = "spread",
    }
}

/// A channel's natural statistics in the units of x, and the factors of differences from them. Mirrors `Natural` of
/// shaders/natural_statistics.wgsl.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, bytemuck::Pod, bytemuck::Zeroable)]
pub struct NaturalChannel {
    /// The mean.
    pub mean: f32,
    /// The variance.
    pub variance: f32,
    /// Factor of a difference of means.
    pub mean_scale: f32,
    /// Factor of a difference of variances.
    pub variance_scale: f32,
}

/// A layer whose activations are compared.
#[derive(Clone, Debug, PartialEq)]
pub struct NaturalLayer {
    /// Its output, `[N,C,H,W]`.
    pub source: Source,
    /// The natural statistics of its C channels.
    pub channels: Arc<[NaturalChannel]>,
}

impl NaturalLayer {
    /// Makes its distance this many times as large.
    pub(super) fn times(&mut self, factor: f32, form: NaturalForm) {
        // `relative` squares differences of means, and is linear in those of variances.
        let of_means = if form == NaturalForm::Relative { factor.sqrt() } else { factor };
        let times = |channel: &NaturalChannel| NaturalChannel {
            mean_scale: channel.mean_scale * of_means,
            variance_scale: channel.variance_scale * factor,
            ..*channel
        };
        self.channels = self.channels.iter().map(times).collect();
    }

    /// Those of a network: its measured modules if it has statistics, else its norms. Empty if they do not say what the form needs.
    pub(crate) fn all(network: &Network, form: NaturalForm) -> Vec<Self> {
        let norms = network.norms();
        let layer = |node, known: &[Known]| Self { source: Source::Node(node), channels: channels(known, form).into() };
        match network.statistics() {
            Some(statistics) if form == NaturalForm::Spread && statistics.pictures.len() < 2 => Vec::new(),
            Some(statistics) => {
                let modules = network.measured_modules().into_iter().zip(&statistics.layers);
                let one = |(module, of): (&Module, &LayerStatistics)| {
                    let norm = norms.iter().find(|norm| norm.name == module.name);
                    layer(module.node(Semantics::Snapshot), &measured(of, norm))
                };
                modules.map(one).collect()
            }
            None if form == NaturalForm::Spread || norms.iter().all(is_folded) => Vec::new(),
            None => norms.iter().map(|norm| layer(norm.node(), &running(norm))).collect(),
        }
    }
}

/// A channel of a layer's output y. Forms are of `x = y / scale`, without the scale that a norm gives it.
struct Known {
    mean: f32,
    variance: f32,
    scale: f64,
    variance_of_x: f64,
    /// The variances over photographs of their means of x, and of their variances; NaN if nobody measured them.
    spreads: [f64; 2],
}

/// A norm's output is `y = (x − μ) · scale + β`. If x has mean μ and variance σ², y has mean β and variance `σ² scale²`.
fn running(norm: &Norm) -> Vec<Known> {
    let channel = |c: usize| {
        let (scale, variance) = (f64::from(norm.scale[c]), f64::from(norm.variance[c]));
        let of_y = (variance * scale * scale) as f32;
        Known { mean: norm.shift[c], variance: of_y, scale, variance_of_x: variance, spreads: [f64::NAN; 2] }
    };
    (0..norm.variance.len()).map(channel).collect()
}

/// The measured statistics of the output of a norm, or of a convolution.
fn measured(of: &LayerStatistics, norm: Option<&Norm>) -> Vec<Known> {
    let channel = |c: usize| {
        let scale = norm.map_or(1.0, |norm| f64::from(norm.scale[c]));
        // With a scale of 0, y says nothing about x.
        let of_x = |y: f32, factor: f64| if scale == 0.0 { 0.0 } else { f64::from(y) / factor };
        let squared = scale * scale;
        let spreads = [of_x(of.mean_spread[c], squared), of_x(of.variance_spread[c], squared * squared)];
        let variance_of_x = of_x(of.variance[c], squared);
        Known { mean: of.mean[c], variance: of.variance[c], scale, variance_of_x, spreads }
    };
    (0..of.mean.len()).map(channel).collect()
}

/// A channel does not count if its scale is 0 or the form divides it by 0, and neither do the means or the variances of a layer that the
/// form divides by a length of 0.
fn channels(layer: &[Known], form: NaturalForm) -> Vec<NaturalChannel> {
    let over_length = |of: fn(&Known) -> f64| {
        let length = layer.iter().map(|known| of(known) * of(known)).sum::<f64>().sqrt();
        if length > 0.0 { 1.0 / length } else { 0.0 }
    };
    let factors = match form {
        NaturalForm::Norms | NaturalForm::Relative => [1.0; 2],
        NaturalForm::LayerRatios => {
            [over_length(|known| known.variance_of_x.sqrt()), over_length(|known| known.variance_of_x)]
        }
        NaturalForm::Spread => {
            [over_length(|known| known.spreads[0].sqrt()), over_length(|known| known.spreads[1].sqrt())]
        }
    };
    let channel = |known: &Known| {
        let Known { mean, variance, scale, variance_of_x, .. } = *known;
        let [mean_scale, variance_scale] = match form {
            NaturalForm::Relative => [1.0 / variance_of_x.sqrt(), 1.0 / variance_of_x],
            _ => factors,
        };
        let (mean_scale, variance_scale) = ((mean_scale / scale) as f32, (variance_scale / (scale * scale)) as f32);
        let counts = scale != 0.0 && mean_scale.is_finite() && variance_scale.is_finite();
        NaturalChannel {
            mean,
            variance,
            mean_scale: if counts { mean_scale } else { 0.0 },
            variance_scale: if counts { variance_scale } else { 0.0 },
        }
    };
    layer.iter().map(channel).collect()
}

/// Whether a norm says nothing about photographs.
fn is_folded(norm: &Norm) -> bool {
    norm.mean.iter().all(|mean| *mean == 0.0) && norm.variance.iter().all(|variance| *variance == 1.0)
}
