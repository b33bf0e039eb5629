//! l2: the mean squared distance of the pixels from the network's mean colour.

use std::ops::Range;

use super::class_logit::one_source;
use super::option::{OptionKind, TermOption};
use super::term::Regularizer;
use super::{Column, LossTerm, Moment, Read, Slot, Source, TermParams};
use crate::error::{Error, Result};
use crate::gpu::{Grid, Kernel, Layout, Recording, bytemuck};
use crate::networks::Network;
use crate::shape::Shape;

crate::params! {
    /// Mirrors `Params` of shaders/l2.wgsl.
    struct L2Params { term: TermParams, channels: u32, h: u32, w: u32, scale: f32 }
}

/// The mean squared distance of an image's pixels from a colour, in the prototype stage. Its column is `loss_l2`.
#[derive(Clone, Debug, PartialEq)]
pub struct L2 {
    /// The colour, one value per channel.
    pub colour: Vec<f32>,
    /// The weight.
    pub weight: f64,
}

impl L2 {
    pub(super) const REGULARIZER: Regularizer = Regularizer {
        options: &[TermOption {
            name: "l2_weight",
            kind: OptionKind::Number(0.0),
            about: "Weight of the mean squared distance of the pixels from the network's mean colour",
        }],
        of: |values, network, _| {
            let weight = values[0].number();
            (weight > 0.0).then(|| Box::new(Self { colour: network.preprocessing().mean_colour(), weight }) as Box<_>)
        },
    };
}

impl LossTerm for L2 {
    fn name(&self) -> &str {
        "l2"
    }

    fn reads(&self, _: &Network) -> Result<Vec<Source>> {
        Ok(vec![Source::Image])
    }

    /// One partial sum per row of a channel.
    fn columns(&self, sources: &[Shape]) -> Vec<Column> {
        vec![Column::named("loss_l2").in_partials(sources.iter().map(|x| x.c() * x.h()).sum())]
    }

    fn weight(&self, at: Moment) -> f64 {
        at.in_prototype(self.weight)
    }

    fn record(&self, rec: &mut Recording, slot: &Slot, _: Range<usize>, sources: &[Read]) -> Result<()> {
        let [read] = *sources else { return Err(one_source(self.name())) };
        let [n, c, h, w] = read.nchw(self.name())?;
        if self.colour.len() != c {
            return Err(Error::input(format!(
                "l2: x is {}, but the colour has {} channels",
                read.x.shape,
                self.colour.len()
            )));
        }
        let colour = ("colour", rec.table("colour", Layout::Words, bytemuck::cast_slice(&self.colour).to_vec()), c);
        let [weights, clock] = slot.weight();
        let bindings = [read.x.bind("x"), colour, weights, clock, slot.values(n, c * h)?, read.dx.bind("dx")];
        let scale = (1.0 / (c * h * w) as f64) as f32;
        let params = L2Params { term: slot.params(), channels: c as u32, h: h as u32, w: w as u32, scale };
        let (grid, flops) = (Grid::Workgroups([h, n * c, 1]), 6 * read.x.shape.len() as u64);
        rec.dispatch(self.name(), read.kernel(Kernel::new("l2", "step")), &bindings, &params, grid, flops)
    }
}
