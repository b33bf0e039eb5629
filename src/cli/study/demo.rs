//! The planted biases: prototypes made now, and pictures that are drawn with a cue and once more without.

use crate::analysis::Classifier;
use crate::analysis::study::{Answer, Asked, Group, Part, answer, percent};
use crate::gpu::Context;
use crate::method::{Job, Optimizer, Settings};
use crate::networks::Network;
use crate::picture::{jpeg, to_chw};
use crate::report::PartPictures;
use crate::world::{Bias, Biases, Setting, biases, draw, truth};
use crate::{Error, Result};
use rayon::prelude::*;

use super::prototypes::{Given, Prototype};
use super::{EXAMPLES, Measured, REPORT, StudyArgs};
use crate::cli::interrupt;
use crate::cli::progress::{Counting, Figures, LINE_EVERY, Progress};
use crate::lab::disk::check_report;

/// The seed of the pictures: neither training nor any choice has used it.
pub(super) const PICTURES_SEED: u64 = 2002;
/// Steps in one submission.
const STRETCH: u32 = 8;

impl StudyArgs {
    /// A part for each planted bias.
    pub(super) fn measure_demo(&self, network: &Network, given: &Given) -> Result<Vec<Measured>> {
        let classes: Vec<usize> = biases().iter().map(|bias| bias.class).collect();
        let knows = |bias: &Bias| network.labels().get(bias.class).is_some_and(|label| label.name == bias.class_name());
        if let Some(bias) = biases().iter().find(|bias| !knows(bias)) {
            let (name, class) = (network.weights().name(), bias.class_name());
            return Err(Error::input(format!(
                "--demo needs the classes of the synthetic images, but {name} has no {class} as class {}: leave out \
                     prototypes of other networks",
                bias.class
            )));
        }
        let settings = self.demo_settings();
        settings.validate()?;
        check_report(&self.out, REPORT, self.force)?;
        let mut prototypes = given.of(&classes, network)?;
        let context = self.adapter.open()?;
        interrupt::listen()?;
        let missing = |class: &usize| prototypes.iter().all(|one| one.class != *class);
        let missing: Vec<usize> = classes.into_iter().filter(missing).collect();
        prototypes.extend(self.make(&context, network, &settings, &missing)?);

        let classifier = Classifier::new(&context, network, self.batch.into())?;
        let count = 2 * u64::from(self.demo_pictures()) * biases().len() as u64;
        let bar = Counting::new("pictures", count, self.quiet);
        let mut measured = Vec::new();
        for bias in biases() {
            let mut pictures = PartPictures::default();
            let mut groups = Vec::new();
            for (name, setting) in [("with", Setting::Planted), ("without", Setting::Removed)] {
                let (answers, shown) = self.draw(bias, setting, &classifier, &bar)?;
                groups.push(Group { name: name.to_owned(), folder: None, answers });
                pictures.groups.push(shown);
            }
            let title = format!("{}: {}", bias.class_name(), bias.what);
            let asked = Asked { title, classes: &[bias.class], groups: &groups, paired: true };
            let mut part = Part::of(&asked, network.labels(), self.resampling());
            for prototype in prototypes.iter().filter(|prototype| prototype.class == bias.class) {
                part.prototypes.push(prototype.seen(&classifier, network)?);
                pictures.prototypes.push(prototype.png(classifier.side())?);
            }
            measured.push(Measured { part, groups, pictures, skipped: Vec::new() });
        }
        bar.end();
        Ok(measured)
    }

    /// Of the demo's prototypes.
    pub(super) fn demo_settings(&self) -> Settings {
        let default = Settings::default();
        Settings { steps: self.steps.unwrap_or(default.steps), seed: self.seed, ..default }
    }

    /// Prototypes of classes, all at once.
    fn make(
        &self,
        context: &Context,
        network: &Network,
        settings: &Settings,
        classes: &[usize],
    ) -> Result<Vec<Prototype>> {
        if classes.is_empty() {
            return Ok(Vec::new());
        }
        let jobs: Vec<Job> = classes.iter().map(|&class| Job { class, seed: self.seed, init: None }).collect();
        let mut optimizer = Optimizer::new(context, network, settings, &jobs)?;
        let total = settings.total_steps();
        let progress = Progress::new(self.names(classes, network), 0, total, self.quiet);
        let mut step = 0;
        while step < total {
            interrupt::go_on()?;
            // Lines come at multiples of this.
            let count = STRETCH.min(total - step).min(LINE_EVERY - step % LINE_EVERY);
            optimizer.advance(count as usize)?;
            step += count;
            progress.update(step, figures(&optimizer));
        }
        progress.end();
        let of = |(class, state): (&usize, crate::method::ImageState)| Prototype {
            class: *class,
            seed: self.seed,
            folder: None,
            pixels: state.image,
        };
        Ok(classes.iter().zip(optimizer.states()?).map(of).collect())
    }

    /// What the network says of pictures of a bias's class, and some of them. Only such are drawn as would carry the cue if it
    /// were not removed, so that the two groups are pairs that differ in nothing else.
    fn draw(
        &self,
        bias: &Bias,
        setting: Setting,
        classifier: &Classifier,
        bar: &Counting,
    ) -> Result<(Vec<Answer>, Vec<Vec<u8>>)> {
        let settings = Biases::default().with(bias.name, setting)?;
        let carries = |&number: &u64| carries(bias, number);
        let numbers: Vec<u64> = (0..).filter(carries).take(self.demo_pictures() as usize).collect();
        let (mut answers, mut shown) = (Vec::new(), Vec::new());
        for numbers in numbers.chunks(classifier.batch()) {
            interrupt::go_on()?;
            let drawn = numbers.par_iter().map(|&number| draw(bias.class, PICTURES_SEED, number, settings));
            let pixels: Vec<Vec<f32>> = drawn.map(|picture| Ok(to_chw(&picture?))).collect::<Result<_>>()?;
            for one in pixels.iter().take(EXAMPLES.saturating_sub(shown.len())) {
                shown.push(jpeg(one, classifier.side())?);
            }
            for (number, logits) in numbers.iter().zip(classifier.logits(&pixels.concat())?) {
                answers.push(answer(format!("{number:05}"), &logits, &[bias.class])?);
            }
            bar.add(numbers.len() as u64);
        }
        Ok((answers, shown))
    }
}

/// Whether a picture carries the bias where nothing is removed.
fn carries(bias: &Bias, number: u64) -> bool {
    let truth = truth(bias.class, PICTURES_SEED, number, Biases::default());
    match bias.name {
        "cue" => truth.cue,
        "light" => truth.light,
        _ => truth.companion,
    }
}

/// The sentence of a planted bias.
pub(super) fn sentence(part: &Part, bias: &Bias) -> String {
    let [with, without] = part.groups.as_slice() else { return String::new() };
    let accuracy = |group: &crate::analysis::study::GroupRow| percent(group.classes[0].accuracy.value);
    let (class, what) = (bias.class_name(), bias.what);
    let instead = without.instead.first();
    let instead = instead.map_or_else(String::new, |other| format!(" and {} as {}", percent(other.share), other.name));
    format!(
        "With {what}, the network classifies {} of the images as {class}; without it, {} of the same images{instead}: {}",
        accuracy(with),
        accuracy(without),
        part.comparisons[0].judged()
    )
}

/// The last step's figures, averaged over the batch.
fn figures(optimizer: &Optimizer) -> Figures {
    let histories = optimizer.histories();
    let mean = |column: fn(&crate::method::History) -> &Vec<f32>| {
        histories.iter().filter_map(|history| column(history).last()).sum::<f32>() / histories.len() as f32
    };
    Figures {
        loss: mean(|h| &h.loss),
        logit: mean(|h| &h.logit),
        probability: mean(|h| &h.probability),
        objective: None,
    }
}
