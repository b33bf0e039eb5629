//! total_variation: how much adjacent pixels differ, in four forms (the paper's `L_hf`).

use std::ops::Range;

use super::class_logit::one_source;
use super::{Column, LossTerm, Moment, Read, Slot, Source, TermParams};
use crate::error::Result;
use crate::gpu::{Grid, Kernel, Recording};
use crate::method::choices::TvForm;
use crate::networks::Network;
use crate::shape::Shape;

crate::params! {
    /// Mirrors `Params` of shaders/total_variation.wgsl.
    struct TotalVariationParams { term: TermParams, channels: u32, h: u32, w: u32, scale_u: f32, scale_v: f32 }
}

/// The penalty on differences between adjacent pixels of an image, in the prototype stage. Its column is `loss_hf`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TotalVariation {
    /// The form.
    pub form: TvForm,
    /// The weight in the last step of the stage.
    pub weight: f64,
    /// The fraction of the weight in the first step, from which the weight rises linearly.
    pub start: f64,
}

impl TotalVariation {
    fn params(self, slot: &Slot, x: Shape) -> TotalVariationParams {
        let [_, channels, h, w] = x.nchw().map(|n| n as u32);
        let mean = |count: usize| if count == 0 { 0.0 } else { (1.0 / count as f64) as f32 };
        let (scale_u, scale_v) = match self.form {
            TvForm::L1 | TvForm::L2 => (mean(x.c() * x.h() * (x.w() - 1)), mean(x.c() * (x.h() - 1) * x.w())),
            TvForm::L1Sum | TvForm::Isotropic => (1.0, 1.0),
        };
        TotalVariationParams { term: slot.params(), channels, h, w, scale_u, scale_v }
    }
}

impl LossTerm for TotalVariation {
    fn name(&self) -> &str {
        "total_variation"
    }

    fn reads(&self, _: &Network) -> Result<Vec<Source>> {
        Ok(vec![Source::Image])
    }

    /// One partial sum per row of a channel.
    fn columns(&self, sources: &[Shape]) -> Vec<Column> {
        vec![Column::named("loss_hf").in_partials(sources.iter().map(|x| x.c() * x.h()).sum())]
    }

    fn weight(&self, at: Moment) -> f64 {
        at.in_prototype(self.weight * (self.start + (1.0 - self.start) * at.share()))
    }

    fn record(&self, rec: &mut Recording, slot: &Slot, _: Range<usize>, sources: &[Read]) -> Result<()> {
        let [Read { x, dx, accumulates: true }] = *sources else { return Err(one_source(self.name())) };
        let [n, c, h, _] = sources[0].nchw(self.name())?;
        let [weights, clock] = slot.weight();
        let values = slot.values(n, c * h)?;
        let bindings = [x.bind("x"), weights, clock, values, dx.bind("dx")];
        let form = match self.form {
            TvForm::L1 => 0,
            TvForm::L2 => 1,
            TvForm::L1Sum => 2,
            TvForm::Isotropic => 3,
        };
        let kernel = Kernel::new("total_variation", "step").with("FORM", form);
        let grid = Grid::Workgroups([h, n * c, 1]);
        rec.dispatch(self.name(), kernel, &bindings, &self.params(slot, x.shape), grid, 12 * x.shape.len() as u64)
    }
}
