//! The demo: prototypes of the classes with planted biases, and images drawn with each bias and again without.

use super::prototypes::Prototype;
use super::request::{EXAMPLES, Measured, StudyRequest, names};
use crate::analysis::Classifier;
use crate::analysis::study::{Answer, Asked, Group, Part, answer};
use crate::gpu::Context;
use crate::lab::drive::{Ended, Pace, REPORT_EVERY, drive, next_stop};
use crate::lab::observer::{Counted, Event, Observer};
use crate::method::{Job, Session, Settings};
use crate::picture::{jpeg, to_chw};
use crate::report::PartPictures;
use crate::world::{Bias, Biases, Setting, biases, draw, truth};
use crate::{Error, Result};
use rayon::prelude::*;

/// The seed of the images. Training and tuning used others.
pub(super) const PICTURES_SEED: u64 = 2002;

/// A study of the planted biases.
pub(super) struct Demo<'a> {
    pub(super) request: &'a StudyRequest<'a>,
    /// Images per class, each with its bias and again without.
    pub(super) pictures: u32,
    pub(super) settings: Settings,
    prototypes: Vec<Prototype>,
}

impl<'a> Demo<'a> {
    /// Checks that the network knows the synthetic classes.
    pub(super) fn new(request: &'a StudyRequest<'a>, pictures: u32, steps: Option<u32>) -> Result<Self> {
        let network = request.network;
        let knows = |bias: &Bias| network.labels().get(bias.class).is_some_and(|label| label.name == bias.class_name());
        if let Some(bias) = biases().iter().find(|bias| !knows(bias)) {
            let (name, class) = (network.weights().name(), bias.class_name());
            return Err(Error::input(format!(
                "needs the classes of the synthetic images, but {name} has no {class} as class {}: leave out prototypes of \
                 other networks",
                bias.class
            ))
            .field("demo"));
        }
        let default = Settings::default();
        let settings = Settings { steps: steps.unwrap_or(default.steps), seed: request.seed, ..default };
        settings.validate()?;
        request.check_report()?;
        let classes: Vec<usize> = biases().iter().map(|bias| bias.class).collect();
        let prototypes = request.given.of(&classes, network)?;
        Ok(Self { request, pictures, settings, prototypes })
    }

    /// Measures a part for each planted bias.
    pub(super) fn measure(mut self, context: &Context, observer: &dyn Observer) -> Result<Vec<Measured>> {
        let network = self.request.network;
        let missing = |class: &usize| self.prototypes.iter().all(|one| one.class != *class);
        let missing: Vec<usize> = biases().iter().map(|bias| bias.class).filter(missing).collect();
        let made = self.make(context, &missing, observer)?;
        self.prototypes.extend(made);

        let classifier = Classifier::new(context, network, self.request.batch)?;
        let total = Some(2 * u64::from(self.pictures) * biases().len() as u64);
        observer.tell(Event::Counting { what: Counted::Pictures, done: 0, total });
        let mut measured = Vec::new();
        for bias in biases() {
            let mut pictures = PartPictures::default();
            let mut groups = Vec::new();
            for (name, setting) in [("with", Setting::Planted), ("without", Setting::Removed)] {
                let (answers, shown) = self.draw(bias, setting, &classifier, observer)?;
                groups.push(Group { name: name.to_owned(), folder: None, answers });
                pictures.groups.push(shown);
            }
            let title = format!("{}: {}", bias.class_name(), bias.what);
            let asked = Asked { title, classes: &[bias.class], groups: &groups, paired: true };
            let mut part = Part::of(&asked, network.labels(), self.request.resampling());
            for prototype in self.prototypes.iter().filter(|prototype| prototype.class == bias.class) {
                part.prototypes.push(prototype.seen(&classifier, network)?);
                pictures.prototypes.push(prototype.png(classifier.image())?);
            }
            measured.push(Measured { part, groups, pictures, skipped: Vec::new(), notes: Vec::new() });
        }
        observer.tell(Event::CountingEnded);
        Ok(measured)
    }

    /// Makes prototypes of the classes in one batch.
    fn make(&self, context: &Context, classes: &[usize], observer: &dyn Observer) -> Result<Vec<Prototype>> {
        if classes.is_empty() {
            return Ok(Vec::new());
        }
        let seed = self.request.seed;
        let jobs: Vec<Job> = classes.iter().map(|&class| Job { class, seed, init: None }).collect();
        let mut session = Session::new(context, self.request.network, &self.settings, &jobs)?;
        let names = names(classes, self.request.network);
        observer.tell(Event::Batch { names: &names, step: 0, total: self.settings.total_steps() });
        let next_stop = |step| next_stop(step, [REPORT_EVERY]);
        let ended = drive(&mut session, &mut Pace::new(), observer, next_stop, |_, _| Ok(true));
        observer.tell(Event::BatchEnded);
        if ended? == Ended::Cancelled {
            return Err(Error::Cancelled);
        }
        let of = |(class, pixels): (&usize, Vec<f32>)| Prototype { class: *class, seed, folder: None, pixels };
        Ok(classes.iter().zip(session.images()?).map(of).collect())
    }

    /// The network's answers to drawn images of a bias's class, and some of the images. Only images that carry the bias are drawn, so
    /// the same image with the bias removed differs in nothing else.
    fn draw(
        &self,
        bias: &Bias,
        setting: Setting,
        classifier: &Classifier,
        observer: &dyn Observer,
    ) -> Result<(Vec<Answer>, Vec<Vec<u8>>)> {
        let settings = Biases::default().with(bias.name, setting)?;
        let carries = |&number: &u64| carries(bias, number);
        let numbers: Vec<u64> = (0..).filter(carries).take(self.pictures as usize).collect();
        let (mut answers, mut shown) = (Vec::new(), Vec::new());
        for numbers in numbers.chunks(classifier.batch()) {
            let drawn = numbers.par_iter().map(|&number| draw(bias.class, PICTURES_SEED, number, settings));
            let pixels: Vec<Vec<f32>> = drawn.map(|picture| Ok(to_chw(&picture?))).collect::<Result<_>>()?;
            for one in pixels.iter().take(EXAMPLES.saturating_sub(shown.len())) {
                shown.push(jpeg(one, classifier.image())?);
            }
            for (number, logits) in numbers.iter().zip(classifier.logits(&pixels.concat())?) {
                answers.push(answer(format!("{number:05}"), &logits, &[bias.class])?);
            }
            observer.count(numbers.len())?;
        }
        Ok((answers, shown))
    }
}

/// Whether an image carries the bias, unless it is removed.
fn carries(bias: &Bias, number: u64) -> bool {
    let truth = truth(bias.class, PICTURES_SEED, number, Biases::default());
    match bias.name {
        "cue" => truth.cue,
        "light" => truth.light,
        _ => truth.companion,
    }
}
