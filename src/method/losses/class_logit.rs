//! class_logit: minus the logit of each image's class, as in the paper, minus its log-probability, or a loss between the two.

use std::ops::Range;

use super::{Column, LossTerm, Moment, Read, Slot, Source, TermParams};
use crate::error::{Error, Result};
use crate::gpu::{Grid, Kernel, Layout, Recording};
use crate::networks::Network;
use crate::shape::Shape;

crate::params! {
    /// Mirrors `Params` of shaders/class_logit.wgsl.
    struct ClassLogitParams { term: TermParams, classes: u32, logsumexp_weight: f32 }
}

/// `L = −z_c + w log Σ exp z`, with the logits z and each image's class c. Its columns are the logit and the probability of the class.
#[derive(Clone, Debug, PartialEq)]
pub struct ClassLogit {
    /// The class of each image in the batch.
    pub classes: Vec<usize>,
    /// w: 0 maximises the class's logit, 1 its log-probability.
    pub logsumexp_weight: f64,
}

impl LossTerm for ClassLogit {
    fn name(&self) -> &str {
        "class_logit"
    }

    fn reads(&self, network: &Network) -> Result<Vec<Source>> {
        Ok(vec![Source::logits(network)])
    }

    fn columns(&self, _: &[Shape]) -> Vec<Column> {
        vec![Column::hidden(), Column::named("logit"), Column::named("probability")]
    }

    fn weight(&self, at: Moment) -> f64 {
        at.in_prototype(1.0)
    }

    fn record(&self, rec: &mut Recording, slot: &Slot, images: Range<usize>, sources: &[Read]) -> Result<()> {
        let [read] = *sources else { return Err(one_source(self.name())) };
        let (n, classes) = logits(self.name(), read, &images)?;
        let class_of = of_images(self.name(), &self.classes, &images)?;
        if let Some(class) = class_of.iter().find(|class| **class >= classes) {
            return Err(Error::input(format!("class_logit: there is no class {class} of {classes}")));
        }
        let class_of: Vec<u32> = class_of.iter().map(|&class| class as u32).collect();
        let class_of = rec.table("class_of", Layout::Words, class_of);
        let [weights, clock] = slot.weight();
        let (class_of, values) = (("class_of", class_of, n), slot.values(n, 3)?);
        let bindings = [read.x.bind("logits"), class_of, weights, clock, values, read.dx.bind("dx")];
        let params = ClassLogitParams {
            term: slot.params(),
            classes: classes as u32,
            logsumexp_weight: self.logsumexp_weight as f32,
        };
        let (grid, flops) = (Grid::Workgroups([n, 1, 1]), 12 * read.x.shape.len() as u64);
        rec.dispatch(self.name(), read.kernel(Kernel::new("class_logit", "step")), &bindings, &params, grid, flops)
    }
}

/// The error of a term with a single source that gets other sources.
pub(super) fn one_source(name: &str) -> Error {
    Error::input(format!("{name}: expected exactly one source"))
}

/// The numbers of images and classes of logits, `[N,K,1,1]`.
pub(super) fn logits(name: &str, read: Read, images: &Range<usize>) -> Result<(usize, usize)> {
    let [n, c, h, w] = read.nchw(name)?;
    let classes = c * h * w;
    if classes == 0 || n != images.len() {
        let (x, count) = (read.x.shape, images.len());
        return Err(Error::input(format!(
            "{name}: logits are {x}, but must be [{count},K,1,1] with at least one class"
        )));
    }
    Ok((n, classes))
}

/// The values for some images, from those for all.
pub(super) fn of_images<'a, T>(name: &str, all: &'a [T], images: &Range<usize>) -> Result<&'a [T]> {
    let missing = || Error::input(format!("{name}: it has values for {} images, not for images {images:?}", all.len()));
    all.get(images.clone()).ok_or_else(missing)
}
