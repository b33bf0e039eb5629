//! natural_statistics: the distance of activations from those of photographs, by the mean and the variance of each channel over the
//! positions of one image. It is the second half of the method's aim: "while keeping the model's internal activations close to the
//! distribution of natural inputs". The sum of norms is that of DeepInversion (Yin et al. 2020, equation 4), for each image separately.

use std::ops::Range;

use super::natural_layer::{NaturalForm, NaturalLayer};
use super::option::{OptionKind, OptionValue, TermOption};
use super::term::Regularizer;
use super::{Column, LossTerm, Moment, Read, Slot, Source, TermParams};
use crate::error::{Error, Result};
use crate::gpu::{Grid, Kernel, Layout, Recording, bytemuck};
use crate::named::named;
use crate::networks::Network;
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
                about: "Weight of the penalty on activations whose channel means and variances differ from those in the network's batch norms, or from those measured on photographs",
            },
            TermOption {
                name: "natural_form",
                kind: OptionKind::Name(NaturalForm::NAMES),
                about: "How the distances of a layer's channels add up: norms, layer-ratios (divided by the layer's natural standard deviation), relative (each channel by its own) or spread (divided by how much photographs differ)",
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
            TermOption {
                name: "natural_first_weight",
                kind: OptionKind::Number(1.0),
                about: "Factor of the first layer's distance",
            },
        ],
        of: |values, network, _| {
            let &[weight, form, side, mean_weight, variance_weight, first_weight] = values else { return None };
            let weight = weight.number();
            let within = [mean_weight, variance_weight, first_weight];
            let of = || Self::of(network, weight, [form, side].map(OptionValue::name), within);
            (weight > 0.0).then(|| Box::new(of()) as Box<_>)
        },
    };

    fn of(network: &Network, weight: f64, [form, side]: [&str; 2], within: [OptionValue; 3]) -> Self {
        let form = form.parse().expect("one of its names");
        let [mean_weight, variance_weight, first_weight] = within.map(|weight| weight.number() as f32);
        let mut layers = NaturalLayer::all(network, form);
        if let Some(first) = layers.first_mut() {
            first.times(first_weight, form);
        }
        Self { layers, form, side: side.parse().expect("one of its names"), weight, mean_weight, variance_weight }
    }

    /// Why there are no layers to compare, and what helps.
    fn unknown(&self, network: &Network) -> Error {
        const CURE: &str =
            "measure them with `protogpu statistics {images} DIR {out} FILE` and pass {natural_statistics} FILE";
        let file = network.weights().name();
        if self.form == NaturalForm::Spread {
            let what = match network.statistics() {
                Some(_) => "the measured statistics are of one photograph, which does not tell how photographs differ",
                None => "batch norms do not keep how photographs differ",
            };
            let (wrong, cure) =
                (Error::input(format!("is spread, but {what}")), format!(": {CURE}, or use another form"));
            return wrong.field("natural_form").advised(cure);
        }
        let why = match network.norms() {
            [] => "no layer has a batch norm",
            _ => "every batch norm has mean 0 and variance 1, as when norms are folded into other layers",
        };
        Error::input(format!("is {}, but {file} has no statistics of photographs: {why}", self.weight))
            .field("natural_weight")
            .advised(format!("; {CURE}, or use a weight of 0"))
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

impl LossTerm for NaturalStatistics {
    fn name(&self) -> &str {
        "natural_statistics"
    }

    fn reads(&self, network: &Network) -> Result<Vec<Source>> {
        if self.layers.is_empty() {
            return Err(self.unknown(network));
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
