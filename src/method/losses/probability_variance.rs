//! probability_variance: the variance over the classes, which the baseline stage minimises (the paper's `L_pv`).

use std::ops::Range;

use super::class_logit::{logits, one_source};
use super::{Column, LossTerm, Moment, Read, Slot, Source, Stage, TermParams};
use crate::error::Result;
use crate::gpu::{Grid, Kernel, Recording};
use crate::method::choices::BaselineForm;
use crate::networks::Network;
use crate::shape::Shape;

crate::params! {
    /// Mirrors `Params` of shaders/probability_variance.wgsl.
    struct ProbabilityVarianceParams { term: TermParams, classes: u32, of_logits: u32 }
}

/// The variance over the classes. It counts in the baseline stage only.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ProbabilityVariance {
    /// The quantity whose variance it is.
    pub form: BaselineForm,
    /// The weight in the baseline stage.
    pub weight: f64,
}

impl LossTerm for ProbabilityVariance {
    fn name(&self) -> &str {
        "probability_variance"
    }

    fn reads(&self, network: &Network) -> Result<Vec<Source>> {
        Ok(vec![Source::logits(network)])
    }

    fn columns(&self, _: &[Shape]) -> Vec<Column> {
        vec![Column::hidden()]
    }

    fn weight(&self, at: Moment) -> f64 {
        if at.stage == Stage::Baseline { self.weight } else { 0.0 }
    }

    fn record(&self, rec: &mut Recording, slot: &Slot, images: Range<usize>, sources: &[Read]) -> Result<()> {
        let [read] = *sources else { return Err(one_source(self.name())) };
        let (n, classes) = logits(self.name(), read, &images)?;
        let [weights, clock] = slot.weight();
        let bindings = [read.x.bind("logits"), weights, clock, slot.values(n, 1)?, read.dx.bind("dx")];
        let of_logits = u32::from(self.form == BaselineForm::Logits);
        let params = ProbabilityVarianceParams { term: slot.params(), classes: classes as u32, of_logits };
        let kernel = read.kernel(Kernel::new("probability_variance", "step"));
        let (grid, flops) = (Grid::Workgroups([n, 1, 1]), 20 * read.x.shape.len() as u64);
        rec.dispatch(self.name(), kernel, &bindings, &params, grid, flops)
    }
}
