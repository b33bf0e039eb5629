//! natural_statistics: the distance of activations from those of photographs, by the mean and the variance of each channel over the
//! positions of one image. It is the second half of the method's aim: "while keeping the model's internal activations close to the
//! distribution of natural inputs". The sum of norms is that of DeepInversion (Yin et al. 2020, equation 4), for each image separately.

use std::ops::Range;
use std::sync::Arc;

use super::option::{OptionKind, OptionValue, TermOption};
use super::term::Regularizer;
use super::{Column, LossTerm, Moment, Read, Slot, Source, TermParams};
use crate::error::{Error, Result};
use crate::gpu::{Grid, Kernel, Layout, Recording, bytemuck};
use crate::named::named;
use crate::networks::{Network, Norm};
use crate::ops::Format;
use crate::shape::Shape;

crate::params! {
    /// Mirrors `Params` of shaders/natural_statistics.wgsl.
    struct NaturalStatisticsParams {
        term: TermParams,
        channels: u32,
        plane: u32,
        layer: u32,
        mean_weight: f32,
        variance_weight: f32,
    }
}

named! {
    /// The loss of a layer. μ and σ² are the running mean and variance of its batch norm, so mean and var are those of the norm's input.
    NaturalForm {
        /// `‖mean − μ‖₂ + ‖var − σ²‖₂`.
        Norms = "norms",
        /// `‖mean − μ‖₂ / ‖σ‖₂ + ‖var − σ²‖₂ / ‖σ²‖₂`, which does not depend on the scale of a layer.
        LayerRatios = "layer-ratios",
        /// The mean over channels of `((mean − μ) / σ)² + (√var / σ − 1)²`.
        Relative = "relative",
    }
}

named! {
    /// Which variances count.
    NaturalSide {
        /// All.
        Both = "both",
        /// Those below the natural one: flat channels.
        Below = "below",
        /// Those above it.
        Above = "above",
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

/// The sum over layers of the distance of an image's channels from natural ones, in the prototype stage. Its column is `loss_natural`.
#[derive(Clone, Debug, PartialEq)]
pub struct NaturalStatistics {
    /// The layers.
    pub layers: Vec<NaturalLayer>,
    /// The form.
    pub form: NaturalForm,
    /// Which variances count.
    pub side: NaturalSide,
    /// The weight.
    pub weight: f64,
    /// The weight of the means within a layer.
    pub mean_weight: f32,
    /// The weight of the variances within a layer.
    pub variance_weight: f32,
}

impl NaturalStatistics {
    pub(super) const REGULARIZER: Regularizer = Regularizer {
        options: &[
            TermOption {
                name: "natural_weight",
                kind: OptionKind::Number(0.0),
                about: "Weight of the penalty on activations whose channel means and variances differ from those in the network's batch norms",
            },
            TermOption {
                name: "natural_form",
                kind: OptionKind::Name(NaturalForm::NAMES),
                about: "How the distances of a layer's channels add up: norms, layer-ratios (divided by the layer's natural spread) or relative (each channel by its own)",
            },
            TermOption {
                name: "natural_side",
                kind: OptionKind::Name(NaturalSide::NAMES),
                about: "Which variances count: both, those below the natural one, or those above it",
            },
            TermOption {
                name: "natural_mean_weight",
                kind: OptionKind::Number(1.0),
                about: "Weight of the means within each layer's distance",
            },
            TermOption {
                name: "natural_variance_weight",
                kind: OptionKind::Number(1.0),
                about: "Weight of the variances within each layer's distance",
            },
        ],
        of: |values, network| {
            let &[weight, form, side, mean_weight, variance_weight] = values else { return None };
            let weight = weight.number();
            let of = || Self::of(network, weight, [form, side].map(OptionValue::name), [mean_weight, variance_weight]);
            (weight > 0.0).then(|| Box::new(of()) as Box<_>)
        },
    };

    fn of(network: &Network, weight: f64, [form, side]: [&str; 2], within: [OptionValue; 2]) -> Self {
        let form = form.parse().expect("one of its names");
        let layer =
            |norm: &Norm| NaturalLayer { source: Source::Node(norm.node()), channels: natural(norm, form).into() };
        let [mean_weight, variance_weight] = within.map(|weight| weight.number() as f32);
        let norms = network.norms();
        let layers = if norms.iter().all(is_folded) { Vec::new() } else { norms.iter().map(layer).collect() };
        Self { layers, form, side: side.parse().expect("one of its names"), weight, mean_weight, variance_weight }
    }

    fn layer(&self, rec: &mut Recording, slot: &Slot, i: usize, read: Read) -> Result<()> {
        let (label, channels) = (format!("{} {}", self.name(), i + 1), &self.layers[i].channels);
        let [n, c, h, w] = read.nchw(self.name())?;
        if channels.len() != c {
            let (x, of) = (read.x.shape, channels.len());
            return Err(Error::input(format!("{label}: x is {x}, and there are natural statistics of {of} channels")));
        }
        let natural = (
            "natural",
            rec.table(format!("{label} natural"), Layout::Words, bytemuck::cast_slice(channels).to_vec()),
            4 * c,
        );
        let pairs = |rec: &mut Recording, name| (name, rec.transient(format!("{label} {name}"), 2 * n * c), 2 * n * c);
        let (moments, slopes) = (pairs(rec, "moments"), pairs(rec, "slopes"));
        let params = NaturalStatisticsParams {
            term: slot.params(),
            channels: c as u32,
            plane: (h * w) as u32,
            layer: i as u32,
            mean_weight: self.mean_weight,
            variance_weight: self.variance_weight,
        };
        let (x, len) = (read.x.bind("x"), read.x.shape.len() as u64);
        // The groups of channels, the shader, and its variable for the gradient.
        let (groups, shader, dx) = match read.x.format {
            Format::Nchw => (c, "natural_statistics", "dx"),
            Format::Texels => (c.div_ceil(4), "natural_statistics_texels", "y"),
        };
        let measure = Kernel::new(shader, "measure");
        rec.dispatch(&label, measure, &[x, moments], &params, Grid::Workgroups([groups, n, 1]), 4 * len)?;
        let bindings = [natural, moments, slopes, slot.values(n, self.layers.len())?];
        rec.dispatch(&label, self.distance(), &bindings, &params, Grid::Workgroups([n, 1, 1]), 20 * (n * c) as u64)?;
        let [weights, clock] = slot.weight();
        let bindings = [x, moments, slopes, read.dx.bind(dx), weights, clock];
        let gradient = read.kernel(Kernel::new(shader, "gradient"));
        rec.dispatch(&label, gradient, &bindings, &params, Grid::Planes { planes: n, h: groups, w: h * w }, 4 * len)
    }

    fn distance(&self) -> Kernel {
        let form = u32::from(self.form == NaturalForm::Relative);
        let side = match self.side {
            NaturalSide::Both => 0,
            NaturalSide::Below => 1,
            NaturalSide::Above => 2,
        };
        Kernel::new("natural_statistics", "distance").with("FORM", form).with("SIDE", side)
    }
}

/// The statistics of a norm's output `y = (x − μ) · scale + β`. If x has mean μ and variance σ², y has mean β and variance `σ² scale²`.
/// A channel with a scale of 0 does not count, because y says nothing about its x.
fn natural(norm: &Norm, form: NaturalForm) -> Vec<NaturalChannel> {
    let root_of_squares = |values: &mut dyn Iterator<Item = f64>| values.map(|v| v * v).sum::<f64>().sqrt();
    let variances = || norm.variance.iter().map(|&v| f64::from(v));
    let (spread, variance_spread) =
        (root_of_squares(&mut variances().map(f64::sqrt)), root_of_squares(&mut variances()));
    let channel = |c: usize| {
        let (scale, variance) = (f64::from(norm.scale[c]), f64::from(norm.variance[c]));
        let [mean_scale, variance_scale] = match form {
            NaturalForm::Norms => [1.0, 1.0],
            NaturalForm::LayerRatios => [1.0 / spread, 1.0 / variance_spread],
            NaturalForm::Relative => [1.0 / variance.sqrt(), 1.0 / variance],
        };
        let (mean_scale, variance_scale) = ((mean_scale / scale) as f32, (variance_scale / (scale * scale)) as f32);
        let counts = scale != 0.0 && mean_scale.is_finite() && variance_scale.is_finite();
        NaturalChannel {
            mean: norm.shift[c],
            variance: (variance * scale * scale) as f32,
            mean_scale: if counts { mean_scale } else { 0.0 },
            variance_scale: if counts { variance_scale } else { 0.0 },
        }
    };
    (0..norm.variance.len()).map(channel).collect()
}

/// Whether a norm says nothing about photographs.
fn is_folded(norm: &Norm) -> bool {
    norm.mean.iter().all(|mean| *mean == 0.0) && norm.variance.iter().all(|variance| *variance == 1.0)
}

impl LossTerm for NaturalStatistics {
    fn name(&self) -> &str {
        "natural_statistics"
    }

    fn reads(&self, network: &Network) -> Result<Vec<Source>> {
        if self.layers.is_empty() {
            let why = if network.norms().is_empty() {
                "no layer has a batch norm; use a network with batch norms, or a weight of 0"
            } else {
                "every batch norm has mean 0 and variance 1, as when norms are folded into other layers; use the weights as training \
                 left them, or a weight of 0"
            };
            let (weight, file) = (self.weight, network.weights().name());
            return Err(Error::input(format!("is {weight}, but {file} has no statistics of photographs: {why}"))
                .field("natural_weight"));
        }
        Ok(self.layers.iter().map(|layer| layer.source).collect())
    }

    /// A partial sum a layer.
    fn columns(&self, _: &[Shape]) -> Vec<Column> {
        vec![Column::named("loss_natural").in_partials(self.layers.len())]
    }

    fn weight(&self, at: Moment) -> f64 {
        at.in_prototype(self.weight)
    }

    fn takes_texels(&self) -> bool {
        true
    }

    fn record(&self, rec: &mut Recording, slot: &Slot, _: Range<usize>, sources: &[Read]) -> Result<()> {
        if sources.len() != self.layers.len() {
            let (name, count) = (self.name(), sources.len());
            return Err(Error::input(format!("{name}: {count} sources for {} layers", self.layers.len())));
        }
        sources.iter().enumerate().try_for_each(|(i, &read)| self.layer(rec, slot, i, read))
    }
}
