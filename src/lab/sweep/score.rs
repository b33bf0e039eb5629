//! Makes the prototypes of one point, and measures how similar they are to natural images.

use std::sync::Arc;

use super::files::POINTS;
use super::grid::Point;
use crate::analysis::similarity::{Correlations, Correlator, Likely, Observed, Over, Scores, Targets, overall};
use crate::analysis::{Ranks, softmax};
use crate::gpu::Context;
use crate::lab::drive::{Ended, Pace, drive};
use crate::lab::observer::{Note, Observer};
use crate::lab::pictures::Tally;
use crate::lab::run::classes::wanted;
use crate::lab::top::top;
use crate::method::{Job, Overrides, Session, Settings};
use crate::networks::{Network, Semantics};
use crate::ops::ConvAlgorithms;
use crate::picture::{png, prepare};
use crate::report::sweep::{Share, SweepClass, SweepPoint, SweepPrototype};
use crate::{Error, Result};

/// The natural images of a class.
pub(super) struct Side {
    pub(super) class: usize,
    /// The ranks of the mean activations.
    pub(super) ranks: Vec<Ranks>,
    /// The correlations of images of the class, and of other classes.
    pub(super) same: Vec<Correlations>,
    pub(super) different: Vec<Correlations>,
}

/// What all points share.
pub(super) struct Scorer<'a> {
    pub(super) context: &'a Context,
    pub(super) network: &'a Network,
    pub(super) algorithms: &'a ConvAlgorithms,
    pub(super) correlator: &'a mut Correlator,
    /// Images per batch of the correlator.
    pub(super) pictures: usize,
    pub(super) sides: &'a [Side],
    pub(super) seeds: u32,
    /// Prototypes per batch.
    pub(super) batch: usize,
    pub(super) semantics: Semantics,
    pub(super) over: Over,
    pub(super) observer: &'a dyn Observer,
}

/// A point's row, and its images by path.
pub(super) struct Scored {
    pub(super) score: SweepPoint,
    pub(super) pictures: Vec<(String, Vec<u8>)>,
}

/// A prototype with its logits.
struct NewPrototype {
    side: usize,
    seed: u64,
    pixels: Vec<f32>,
    logits: Vec<f32>,
    loss: f32,
}

impl Scorer<'_> {
    /// Makes and measures a point.
    pub(super) fn score(&mut self, point: &Point) -> Result<Scored> {
        point.settings.validate()?;
        let made = self.make(&point.settings)?;
        let observed = self.observe(&made)?;
        let mut classes = Vec::new();
        let mut rows = Vec::new();
        for (at, side) in self.sides.iter().enumerate() {
            let own = || made.iter().zip(&observed).filter(|(made, _)| made.side == at);
            let scores = Scores {
                prototypes: own().map(|(_, seen)| seen.correlations.clone()).collect(),
                same: side.same.clone(),
                different: side.different.clone(),
                controls: Vec::new(),
            };
            let name = self.network.labels().name(side.class);
            let row = scores.class(side.class, name, self.correlator.layers(), self.semantics, self.over);
            let prototypes = own().zip(&row.prototypes);
            let prototypes = prototypes.map(|((made, _), one)| self.prototype(point, made, one.similarity)).collect();
            classes.push(SweepClass {
                index: row.index,
                name: row.name.clone(),
                similarity: row.measured.prototype,
                same: row.measured.same,
                different: row.measured.different,
                normalised: row.measured.normalised,
                holds: row.holds,
                prototypes,
            });
            rows.push(row);
        }
        let all = overall(&rows);
        let prototypes: Vec<(usize, &SweepPrototype)> =
            classes.iter().flat_map(|class| class.prototypes.iter().map(move |one| (class.index, one))).collect();
        let mean = |of: fn(&SweepPrototype) -> f64| {
            prototypes.iter().map(|(_, one)| of(one)).sum::<f64>() / prototypes.len() as f64
        };
        let top1 = prototypes.iter().filter(|(class, one)| one.top.index == *class).count();
        let score = SweepPoint {
            name: point.name.clone(),
            values: point.values.clone(),
            similarity: all.prototype,
            same: all.same,
            different: all.different,
            normalised: all.normalised,
            holds: all.holds,
            top1: Share { count: top1, of: prototypes.len() },
            probability: mean(|one| one.probability),
            loss: mean(|one| one.loss),
            classes,
            front: None,
            judges: Vec::new(),
        };
        let image = self.correlator.image();
        let pictures = made.iter().map(|made| Ok((self.path(point, made), png(&made.pixels, image)?)));
        Ok(Scored { score, pictures: pictures.collect::<Result<_>>()? })
    }

    /// The path of a prototype's image.
    fn path(&self, point: &Point, made: &NewPrototype) -> String {
        let class = self.sides[made.side].class;
        format!("{POINTS}/{}/{class}_{}_seed{}.png", point.name, self.network.labels().slug(class), made.seed)
    }

    fn prototype(&self, point: &Point, made: &NewPrototype, similarity: Option<f64>) -> SweepPrototype {
        let class = self.sides[made.side].class;
        let first = top(&made.logits, 1, self.network.labels()).swap_remove(0);
        let probabilities = softmax(&made.logits);
        SweepPrototype {
            seed: made.seed,
            similarity,
            probability: probabilities[class],
            logit: made.logits[class].into(),
            loss: made.loss.into(),
            top: Likely { index: first.index, name: first.name, probability: probabilities[first.index] },
            picture: self.path(point, made),
        }
    }

    /// Makes the prototypes of every class, sorted by class and seed.
    fn make(&self, settings: &Settings) -> Result<Vec<NewPrototype>> {
        let image = settings.image(self.network.image());
        let init = settings.init_image().map(|path| Ok::<_, Error>((path, prepare(path, image)?))).transpose()?;
        let mut tally = Tally::default();
        init.iter().for_each(|(path, read)| tally.add(path, read.on_white));
        tally.note().iter().for_each(|note| self.observer.note(Note::Pictures(note)));
        let init: Option<Arc<[f32]>> = init.map(|(_, read)| read.pixels.into());
        let sides: Vec<usize> = (0..self.sides.len()).collect();
        let wanted = wanted(&sides, settings.seed, self.seeds)?;
        let mut made = Vec::new();
        for wanted in wanted.chunks(self.batch) {
            let job = |&(side, seed): &(usize, u64)| Job { class: self.sides[side].class, seed, init: init.clone() };
            let jobs: Vec<Job> = wanted.iter().map(job).collect();
            let parts = Overrides { algorithms: Some(self.algorithms.clone()), ..Overrides::default() };
            let mut session = Session::with_overrides(self.context, self.network, settings, &jobs, parts)?;
            let ended = drive(&mut session, &mut Pace::new(), self.observer, |_| u32::MAX, |_, _| Ok(true))?;
            if ended == Ended::Cancelled {
                return Err(Error::Cancelled);
            }
            let (images, logits) = (session.images()?, session.logits()?);
            for (at, (pixels, logits)) in images.into_iter().zip(logits).enumerate() {
                let (side, seed) = wanted[at];
                let class = self.sides[side].class;
                let loss = session.histories()[at].loss().last().copied().unwrap_or_default();
                if !pixels.iter().chain(&logits).chain([&loss]).all(|x| x.is_finite()) {
                    let name = self.network.labels().name(class);
                    return Err(Error::diverged(format!(
                        "the prototype of class {class} ({name}), seed {seed}, is no longer finite"
                    )));
                }
                made.push(NewPrototype { side, seed, pixels, logits, loss });
            }
        }
        Ok(made)
    }

    /// Correlates each prototype with the mean activations of its class.
    fn observe(&mut self, made: &[NewPrototype]) -> Result<Vec<Observed>> {
        let mut observed = Vec::new();
        for made in made.chunks(self.pictures) {
            let pixels: Vec<f32> = made.iter().flat_map(|made| made.pixels.iter().copied()).collect();
            let means: Vec<&[Ranks]> = made.iter().map(|made| self.sides[made.side].ranks.as_slice()).collect();
            observed.extend(self.correlator.correlate(&pixels, &Targets::Each(&means))?);
        }
        Ok(observed)
    }
}
