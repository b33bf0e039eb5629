//! Finds regions, and writes the report.

use std::path::Path;

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::curves::{Ordered, Seer, Smallest};
use super::inputs::{Classes, Input, Inputs};
use crate::analysis::isolate::{
    Comparison, GradCam, Isolated, Isolations, Measured, Method, Order, largest_of_channels, resized,
};
use crate::analysis::logit_gradients::LogitGradients;
use crate::analysis::softmax;
use crate::analysis::study::Resampling;
use crate::gpu::Context;
use crate::lab::about::about;
use crate::lab::classify::check_finite;
use crate::lab::disk::{check_report, write_files};
use crate::lab::observer::{Counted, Event, Observer};
use crate::lab::pictures::{Tally, blurred};
use crate::lab::top::top;
use crate::method::isolation::{Isolation, IsolationSettings};
use crate::networks::Network;
use crate::ops::ConvAlgorithms;
use crate::picture::png;
use crate::report::{IsolatedPictures, isolation_files};
use crate::shape::ImageSpec;
use crate::{Error, Result};

/// The layout's name and version.
const FORMAT: &str = "protogpu isolate 1";
/// The file that is written last, when the report is complete.
const REPORT: &str = "isolation.json";
/// The standard deviation of the background's blur, as a share of the longer side: 10 of 224 pixels (Fong and Vedaldi 2017).
const BLUR: f32 = 10.0 / 224.0;
/// The same for the image into which pixels are inserted: 5 of 224 (Petsiuk et al. 2018).
const INSERTION_BLUR: f32 = 5.0 / 224.0;
/// The standard deviation of the order that a region starts from. Cells that differ by this are clearly in and out.
const START_SPREAD: f64 = 3.0;
/// The number of bootstrap resamples and sign flips.
const RESAMPLES: usize = 10_000;

/// What stands where an image is not shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Background {
    /// The image, blurred.
    Blur,
    /// The colour that the network's input subtracts.
    Mean,
}

/// Images, and the network that sees them.
pub(crate) struct IsolateRequest<'a> {
    pub(crate) network: &'a Network,
    pub(crate) inputs: &'a Inputs,
    pub(crate) classes: Classes,
    pub(crate) settings: IsolationSettings,
    pub(crate) background: Background,
    /// The share of the class's probability that a region must keep.
    pub(crate) keep: f64,
    /// Whether to measure insertion and deletion beside other methods.
    pub(crate) evaluate: bool,
    /// The seed of resamples.
    pub(crate) seed: u64,
    pub(crate) batch: usize,
    pub(crate) out: &'a Path,
    /// Whether to replace an earlier report.
    pub(crate) force: bool,
}

/// What works on the adapter.
struct Engine<'a> {
    context: &'a Context,
    isolation: Isolation,
    seer: Seer,
    /// Where regions start.
    grad_cam: GradCam,
    /// For the other method, if methods are compared.
    gradients: Option<LogitGradients>,
}

/// An image and a class, before its region is found.
struct Job<'a> {
    input: &'a Input,
    pixels: &'a [f32],
    logits: &'a [f32],
    class: usize,
}

impl IsolateRequest<'_> {
    /// Checks all that can be checked before any work.
    pub(crate) fn check(&self) -> Result<()> {
        if self.inputs.all.is_empty() {
            let first = self.inputs.skipped.first().map_or(String::new(), |first| format!(", such as {first}"));
            return Err(Error::input(format!("there is no image to look at{first}")));
        }
        check_report(self.out, REPORT, self.force)
    }

    /// Finds the regions, and writes the report.
    ///
    /// # Errors
    /// If no image can be read. [`Error::Cancelled`] if the observer asked to stop; nothing is written then.
    pub(crate) fn run(&self, context: &Context, observer: &dyn Observer) -> Result<Isolations> {
        let per_image = if let Classes::Given(classes) = &self.classes { classes.len() } else { 1 };
        let total = self.inputs.all.len() * per_image * self.settings.steps as usize;
        observer.tell(Event::Counting { what: Counted::Pictures, done: 0, total: Some(total as u64) });
        let found = self.measure(context, observer);
        observer.tell(Event::CountingEnded);
        let (isolations, pictures) = found?;
        write_files(self.out, &isolation_files(&isolations, &pictures)?)?;
        Ok(isolations)
    }

    fn measure(&self, context: &Context, observer: &dyn Observer) -> Result<(Isolations, Vec<IsolatedPictures>)> {
        let (network, batch) = (self.network, self.batch.min(self.inputs.all.len()));
        let algorithms = ConvAlgorithms::fixed(context.capabilities());
        let mut engine = Engine {
            context,
            isolation: Isolation::new(context, network, &algorithms, self.settings, batch)?,
            seer: Seer::new(context, network, 2 * batch)?,
            grad_cam: GradCam::new(context, network, batch)?,
            gradients: self.evaluate.then(|| LogitGradients::new(context, network, batch)).transpose()?,
        };
        let (mut images, mut pictures, mut skipped) = (Vec::new(), Vec::new(), self.inputs.skipped.clone());
        let (mut first_error, mut tally) = (None, Tally::default());
        for inputs in self.inputs.all.chunks(batch) {
            let mut read = Vec::new();
            for input in inputs {
                match input.read(network, &mut tally) {
                    Ok(pixels) => read.push((input, pixels)),
                    Err(error) => {
                        skipped.push(error.to_string());
                        first_error.get_or_insert(error);
                    }
                }
            }
            let logits = engine.seer.logits(read.iter().map(|(_, pixels)| pixels.clone()))?;
            let mut jobs = Vec::new();
            for ((input, pixels), logits) in read.iter().zip(&logits) {
                check_finite(logits, network, input.path().display())?;
                let likeliest = top(logits, 1, network.labels())[0].index;
                let of_class = |class| Job { input, pixels, logits, class };
                jobs.extend(input.classes(&self.classes, likeliest).into_iter().map(of_class));
            }
            for jobs in jobs.chunks(batch) {
                for (isolated, picture) in self.isolate(jobs, images.len(), &mut engine, observer)? {
                    images.push(isolated);
                    pictures.push(picture);
                }
            }
        }
        if let Some(error) = first_error.filter(|_| images.is_empty()) {
            return Err(error);
        }
        let measured: Vec<&[Measured]> = images.iter().map(|image: &Isolated| &image.methods[..]).collect();
        let resampling = Resampling { count: RESAMPLES, seed: self.seed };
        let comparison = if self.evaluate { Comparison::of(&measured, resampling) } else { None };
        let settings = self.recorded(engine.grad_cam.layer());
        let notes = self.inputs.notes.iter().cloned().chain(tally.note()).collect();
        Ok((Isolations { format: FORMAT.to_owned(), images, comparison, settings, skipped, notes }, pictures))
    }

    /// The regions of a batch, whose first is image `before` of the report.
    fn isolate(
        &self,
        jobs: &[Job<'_>],
        before: usize,
        engine: &mut Engine<'_>,
        observer: &dyn Observer,
    ) -> Result<Vec<(Isolated, IsolatedPictures)>> {
        let image = self.network.image();
        let backgrounds: Vec<Vec<f32>> = jobs.iter().map(|job| self.background(job.pixels)).collect();
        let classes: Vec<usize> = jobs.iter().map(|job| job.class).collect();
        let pixels = jobs.iter().map(|job| job.pixels).collect::<Vec<_>>().concat();
        let maps = engine.grad_cam.of(&pixels, &classes)?;
        let (grid, cam_grid) = (self.settings.grid(image), engine.grad_cam.grid());
        let starts = maps.iter().flat_map(|map| standardised(&resized(map, cam_grid, grid))).collect::<Vec<_>>();
        engine.isolation.start(&pixels, &backgrounds.concat(), &classes, &starts)?;
        while engine.isolation.advance() {
            engine.context.wait()?;
            observer.count(jobs.len())?;
        }
        let size = [image.height, image.width];
        let orders = engine.isolation.orders()?.into_iter().map(|cells| Order::of(&resized(&cells, grid, size)));
        let orders: Vec<Order> = orders.collect();
        let mut methods = self.other_orders(&pixels, &classes, &maps, engine)?;
        let mut found = Vec::new();
        for (at, ((job, background), order)) in jobs.iter().zip(&backgrounds).zip(orders).enumerate() {
            observer.go_on()?;
            let mut measured = Vec::new();
            if self.evaluate {
                let (blurred, flat) = (blurred(job.pixels, image, INSERTION_BLUR), self.flat());
                let others = methods.iter_mut().map(|(method, orders)| (*method, std::mem::take(&mut orders[at])));
                for (method, order) in [(Method::Isolation, order.clone())].into_iter().chain(others) {
                    let one = Ordered { pixels: job.pixels, background, class: job.class, order };
                    measured.push(engine.seer.measured(method, &one, &blurred, &flat)?);
                }
            }
            let one = Ordered { pixels: job.pixels, background, class: job.class, order };
            found.push(self.described(job, &one, before + at, measured, engine)?);
        }
        Ok(found)
    }

    /// The orders of the other methods, of each image; `maps` are Grad-CAM's.
    fn other_orders(
        &self,
        pixels: &[f32],
        classes: &[usize],
        maps: &[Vec<f32>],
        engine: &Engine<'_>,
    ) -> Result<Vec<(Method, Vec<Order>)>> {
        let Some(gradients) = &engine.gradients else { return Ok(Vec::new()) };
        let ImageSpec { height, width, .. } = self.network.image();
        let by_cam = maps.iter().map(|map| Order::of(&resized(map, engine.grad_cam.grid(), [height, width])));
        let mut weights = vec![0.0; classes.len() * self.network.classes()];
        classes.iter().enumerate().for_each(|(at, class)| weights[at * self.network.classes() + class] = 1.0);
        let (_, gradients) = gradients.of(pixels, &weights)?;
        let of_one = gradients.chunks_exact(self.network.image().len());
        let by_gradient = of_one.map(|gradient| Order::of(&largest_of_channels(gradient, height * width)));
        Ok(vec![(Method::GradCam, by_cam.collect()), (Method::Gradient, by_gradient.collect())])
    }

    /// The row and the pictures of an image.
    fn described(
        &self,
        job: &Job<'_>,
        one: &Ordered<'_>,
        at: usize,
        methods: Vec<Measured>,
        engine: &Engine<'_>,
    ) -> Result<(Isolated, IsolatedPictures)> {
        let (labels, image) = (self.network.labels(), self.network.image());
        let probability = softmax(job.logits)[job.class];
        let Smallest { area, keeps, growth } = engine.seer.smallest(one, self.keep * probability)?;
        let region = one.order.composed(one.pixels, one.background, area);
        let rest = one.order.composed(one.background, one.pixels, area);
        let seen = engine.seer.logits([region.clone(), rest.clone()])?;
        let first = |logits: &[f32]| top(logits, 1, labels).remove(0);
        let name = |logits: &[f32]| first(logits).name;
        let folder = folder_name(at, job.input.path(), &labels.slug(job.class));
        let mask = ImageSpec { channels: 1, ..image };
        let pictures = IsolatedPictures {
            image: png(one.pixels, image)?,
            mask: png(&one.order.mask(area), mask)?,
            kept: png(&region, image)?,
            without: png(&rest, image)?,
        };
        let whole = first(job.logits);
        let isolated = Isolated {
            source: job.input.path().display().to_string(),
            folder,
            class_index: job.class,
            class: labels.name(job.class).to_owned(),
            top1_index: whole.index,
            top1: whole.name,
            probability,
            area,
            keeps,
            region_probability: softmax(&seen[0])[job.class],
            region_top1: name(&seen[0]),
            rest_probability: softmax(&seen[1])[job.class],
            rest_top1: name(&seen[1]),
            background_probability: growth.probabilities[0],
            growth,
            methods,
        };
        Ok((isolated, pictures))
    }

    fn background(&self, pixels: &[f32]) -> Vec<f32> {
        match self.background {
            Background::Blur => blurred(pixels, self.network.image(), BLUR),
            Background::Mean => self.flat(),
        }
    }

    /// An image of the colour that the network's input subtracts.
    fn flat(&self) -> Vec<f32> {
        let ImageSpec { height, width, .. } = self.network.image();
        self.network.preprocessing().mean_colour().iter().flat_map(|&x| vec![x; height * width]).collect()
    }

    fn recorded(&self, grad_cam: &str) -> Map<String, Value> {
        [
            ("version", json!(env!("CARGO_PKG_VERSION"))),
            ("network", about(self.network)),
            ("isolation", json!(self.settings)),
            ("background", json!(self.background)),
            ("keep", json!(self.keep)),
            ("grad_cam_layer", json!(grad_cam)),
            ("seed", json!(self.seed)),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into_iter()
        .collect()
    }
}

/// A map with mean 0 and standard deviation [`START_SPREAD`]; zeros if it is flat.
fn standardised(map: &[f32]) -> Vec<f32> {
    let count = map.len() as f64;
    let mean = map.iter().map(|&x| f64::from(x)).sum::<f64>() / count;
    let variance = map.iter().map(|&x| (f64::from(x) - mean).powi(2)).sum::<f64>() / count;
    let factor = if variance > 0.0 { START_SPREAD / variance.sqrt() } else { 0.0 };
    map.iter().map(|&x| ((f64::from(x) - mean) * factor) as f32).collect()
}

/// `0003_photo_tench`: different for all images of a report.
fn folder_name(at: usize, path: &Path, class: &str) -> String {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let plain = |c: char| if c.is_ascii_alphanumeric() || "-_".contains(c) { c } else { '_' };
    format!("{at:04}_{}_{class}", stem.chars().map(plain).take(60).collect::<String>())
}
