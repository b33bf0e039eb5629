//! Isolation: the order in which the places of an image matter for a class, so that the first few keep the class by themselves, and
//! the image without them loses it.
//!
//! Each image has a value for each cell of a coarse grid. It starts from an order such as Grad-CAM's, because a region that is uncertain
//! everywhere is a faint image, which says little about the class. At every step, the cells with the largest values make up a region of a given
//! area ([`SoftTopK`]), and the network sees the image twice: only the region on a background, and only the rest ([`Reveal`]). Adam
//! minimises
//!
//! `−log p(region) + r · p(rest) + s · TV(mask)`,
//!
//! with p the class's probability and TV the mean absolute difference of adjacent cells. The first two are the preservation and deletion
//! games of Fong and Vedaldi (2017, "Interpretable explanations of black boxes by meaningful perturbation"), played together as by
//! Dabkowski and Gal (2017, "Real time image saliency for black box classifiers"); so is the smoothness. The area is a constraint and not
//! a penalty, as in Fong, Patrick and Vedaldi (2019, "Understanding deep networks via extremal perturbations and smooth masks"). They
//! make a mask for each area; here the area changes from step to step, so one order serves all, and regions lie within one another.

use crate::error::{Error, Result};
use crate::gpu::{Context, Plan, Recording, TensorId, bytemuck};
use crate::graph::Retain;
use crate::networks::Network;
use crate::ops::{Adam, AdamRow, Clock, ConvAlgorithms, Reveal, Schedule, SoftTopK, Tensor};
use crate::shape::{ImageSpec, Shape};

use super::choices::TvForm;
use super::losses::{ClassRow, ClassTerms, Column, Ledger, LossTerm, Read, TotalVariation, tick};

/// Adam's decays of the moments.
const BETAS: [f64; 2] = [0.9, 0.999];
/// The fractional part of the golden ratio: its multiples modulo 1 are spread evenly, however many there are.
const GOLDEN: f64 = 0.618_033_988_749_895;

/// How regions are found.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub(crate) struct IsolationSettings {
    /// The number of steps.
    pub(crate) steps: u32,
    /// Adam's learning rate. It falls linearly in the second half.
    pub(crate) lr: f64,
    /// The cells along the longer side of the grid.
    pub(crate) cells: usize,
    /// The smallest and the largest area in a step, as shares of the image. Between them, logarithms are evenly spread.
    pub(crate) areas: [f64; 2],
    /// The weight of the rest's probability, r.
    pub(crate) rest: f64,
    /// The weight of the total variation, s.
    pub(crate) smoothness: f64,
}

impl Default for IsolationSettings {
    fn default() -> Self {
        Self { steps: 60, lr: 0.1, cells: 28, areas: [0.02, 0.5], rest: 1.0, smoothness: 1.0 }
    }
}

impl IsolationSettings {
    /// Rows and columns of the grid for images of this size.
    pub(crate) fn grid(&self, image: ImageSpec) -> [usize; 2] {
        let longer = image.height.max(image.width);
        [image.height, image.width].map(|side| (side * self.cells / longer).clamp(1, side))
    }

    fn area(&self, step: u32) -> f64 {
        let [least, most] = self.areas;
        let share = (0.5 + f64::from(step) * GOLDEN).fract();
        least * libm::pow(most / least, share)
    }

    fn row(&self, step: u32) -> AdamRow {
        let left = f64::from(self.steps - step) / f64::from(self.steps);
        let reset = if step == 0 { 1.0 } else { 0.0 };
        AdamRow { reset, ..AdamRow::of(u64::from(step) + 1, self.lr * (2.0 * left).min(1.0), BETAS) }
    }
}

/// The optimisation of the orders of a batch of images.
pub(crate) struct Isolation {
    plan: Plan,
    settings: IsolationSettings,
    /// `[N,C,H,W]`.
    x: Tensor,
    background: Tensor,
    /// `[N,1,h,w]`: what Adam changes.
    order: Tensor,
    /// `[2N,1]` of [`ClassRow`]: region and rest of each image.
    classes: TensorId,
    schedule: Schedule,
    /// `[steps,N]`.
    areas: TensorId,
    /// `[1,steps]` each: of the class's term, and of the total variation.
    weights: [TensorId; 2],
    /// Images and steps of the present batch.
    count: usize,
    step: u32,
}

impl Isolation {
    /// Plans the steps for batches of up to `batch` images. Packing the weights takes processor time.
    ///
    /// # Errors
    /// If there is no step, or the adapter does not have enough memory.
    pub(crate) fn new(
        context: &Context,
        network: &Network,
        algorithms: &ConvAlgorithms,
        settings: IsolationSettings,
        batch: usize,
    ) -> Result<Self> {
        let (batch, steps) = (batch.max(1), settings.steps as usize);
        if steps == 0 {
            return Err(Error::input("there must be at least one step").field("steps"));
        }
        let (mut recording, image) = (Recording::new(), network.image());
        let rec = &mut recording;
        let [x, background] = ["image", "background"].map(|label| Tensor::kept(rec, label, image.batch(batch)));
        let [rows, columns] = settings.grid(image);
        let cells = Shape::new(batch, 1, rows, columns);
        let [order, m, v] = ["order", "m", "v"].map(|label| Tensor::kept(rec, label, cells));
        let classes = rec.kept("classes", 2 * batch * ClassRow::LEN);
        let clock = Clock { step: rec.kept("clock", 1), steps };
        let schedule = Schedule { rows: rec.kept("schedule", steps * AdamRow::LEN), clock };
        let areas = rec.kept("areas", steps * batch);
        let weights = ["class weights", "variation weights"].map(|label| rec.kept(label, steps));

        rec.section("step");
        let mask = Tensor::transient(rec, "mask", cells);
        SoftTopK.forward(rec, order, areas, clock, mask)?;
        let revealed = Tensor::transient(rec, "revealed", image.batch(2 * batch));
        Reveal.forward(rec, x, background, mask, revealed)?;
        let graph = network.graph().fused()?;
        let acts = graph.record_forward(rec, algorithms, revealed, Retain::Needed)?;
        let logits = acts.of(graph.output());
        let on_logits = Read { x: logits, dx: logits.like(rec, "dlogits"), accumulates: false };
        let columns = vec![Column::hidden(), Column::named("score")];
        let ledger = Ledger::new(rec, clock, weights[0], 2 * batch, &[columns])?;
        ClassTerms::step_of(rec, "class", on_logits, &ledger.slot(0), (classes, 1))?;
        let drevealed = graph.record_backward(rec, algorithms, &acts, on_logits.dx)?;
        let dmask = Tensor::transient(rec, "dmask", cells);
        Reveal.backward(rec, drevealed, x, background, dmask)?;
        // Its weight comes from the schedule, and not from the term.
        let variation = TotalVariation { form: TvForm::L1, weight: 1.0, start: 1.0 };
        let ledger = Ledger::new(rec, clock, weights[1], batch, &[variation.columns(&[cells])])?;
        let on_mask = Read { x: mask, dx: dmask, accumulates: true };
        variation.record(rec, &ledger.slot(0), 0..batch, &[on_mask])?;
        let dorder = Tensor::transient(rec, "dorder", cells);
        SoftTopK.backward(rec, dmask, mask, dorder)?;
        let [beta1, beta2] = BETAS;
        let adam = Adam { beta1, beta2, eps: 1e-8, clamp: false, towards: vec![0.0] };
        adam.step(rec, dorder, [order, m, v], schedule)?;
        tick(rec, clock)?;

        let plan = Plan::new(context, recording)?;
        let (count, step) = (0, settings.steps);
        Ok(Self { plan, settings, x, background, order, classes, schedule, areas, weights, count, step })
    }

    /// Begins a batch: images and their backgrounds, `[N,C,H,W]` each, and for each image a class and the order to start from, `[h,w]`.
    ///
    /// # Errors
    /// If they are not one to `batch` whole images, or there is not a background, a class of the network and an order for each.
    pub(crate) fn start(
        &mut self,
        pixels: &[f32],
        backgrounds: &[f32],
        classes: &[usize],
        orders: &[f32],
    ) -> Result<()> {
        let (batch, len, count) = (self.x.shape.n(), self.x.shape.image_len(), classes.len());
        let cells = self.order.shape.image_len();
        let fits = [pixels, backgrounds].iter().all(|all| all.len() == count * len) && orders.len() == count * cells;
        if count == 0 || count > batch || !fits {
            let lens = [pixels.len(), backgrounds.len(), orders.len()];
            return Err(Error::input(format!(
                "{count} classes, and {lens:?} values of images, backgrounds and orders, are not a batch of 1 to {batch} images of {len} \
                 values and {cells} cells"
            )));
        }
        let (settings, steps) = (self.settings, self.settings.steps);
        // Places in the batch that are left over repeat the first image; nobody reads them.
        let filled = |all: &[f32]| [all, &all[..len].repeat(batch - count)].concat();
        self.plan.write(self.x.id, &filled(pixels))?;
        self.plan.write(self.background.id, &filled(backgrounds))?;
        let (of_region, of_rest) = (2, 1);
        let rows: Vec<ClassRow> = (0..batch)
            .map(|at| *classes.get(at).unwrap_or(&classes[0]) as u32)
            .flat_map(|class| {
                let rest = ClassRow { weight: -settings.rest as f32, class, form: of_rest };
                [ClassRow { weight: 1.0, class, form: of_region }, rest]
            })
            .collect();
        self.plan.write(self.classes, bytemuck::cast_slice::<_, u32>(&rows))?;
        self.plan.write(self.order.id, &[orders, &orders[..cells].repeat(batch - count)].concat())?;
        let schedule: Vec<AdamRow> = (0..steps).map(|step| settings.row(step)).collect();
        self.plan.write(self.schedule.rows, &schedule)?;
        let areas = (0..steps).flat_map(|step| vec![settings.area(step) as f32; batch]);
        self.plan.write(self.areas, &areas.collect::<Vec<_>>())?;
        for (tensor, weight) in self.weights.into_iter().zip([1.0, settings.smoothness]) {
            self.plan.write(tensor, &vec![weight as f32; steps as usize])?;
        }
        self.plan.write(self.schedule.clock.step, &[0u32])?;
        (self.count, self.step) = (count, 0);
        Ok(())
    }

    /// Submits a step, and returns whether there was one left. Does not wait.
    pub(crate) fn advance(&mut self) -> bool {
        let goes_on = self.step < self.settings.steps;
        if goes_on {
            self.plan.submit("step", 1);
            self.step += 1;
        }
        goes_on
    }

    /// The order of each image after the steps submitted so far: `[h,w]` values, the larger the earlier. Blocks.
    ///
    /// # Errors
    /// If a value is not finite, or the device is lost.
    pub(crate) fn orders(&self) -> Result<Vec<Vec<f32>>> {
        let all = self.plan.read(self.order.id)?;
        let orders: Vec<Vec<f32>> =
            all.chunks_exact(self.order.shape.image_len()).take(self.count).map(<[f32]>::to_vec).collect();
        if orders.iter().flatten().any(|value| !value.is_finite()) {
            return Err(Error::diverged("the order of an image's places is no longer finite"));
        }
        Ok(orders)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn areas_are_spread_evenly_in_their_logarithms() {
        let settings = IsolationSettings { areas: [0.01, 0.64], ..IsolationSettings::default() };
        let mut octaves = [0; 6];
        for step in 0..60 {
            octaves[(settings.area(step) / 0.01).log2() as usize] += 1;
        }
        assert!(octaves.iter().all(|count| (8..=12).contains(count)), "{octaves:?}");
    }

    #[test]
    fn the_grid_has_the_shape_of_the_image_and_no_more_cells_than_pixels() {
        let settings = IsolationSettings { cells: 28, ..IsolationSettings::default() };
        let grid = |height, width| settings.grid(ImageSpec { channels: 3, height, width });
        assert_eq!([grid(224, 224), grid(112, 224), grid(8, 16), grid(2, 200)], [[28, 28], [14, 28], [8, 16], [1, 28]]);
    }
}
