//! What one judge says about the prototypes, the photographs and the controls.

use std::collections::HashSet;
use std::path::PathBuf;

use super::inputs::{Image, Inputs};
use crate::Result;
use crate::analysis::Classifier;
use crate::analysis::judge::{Seen, counterpart};
use crate::analysis::kid::{Featured, MOST, spaced};
use crate::analysis::penultimate::Outputs;
use crate::analysis::similarity::Likely;
use crate::gpu::Context;
use crate::lab::classify::check_finite;
use crate::lab::controls::{MeanImage, controls};
use crate::lab::observer::{Event, Observer};
use crate::lab::pictures::{Passed, Tally, stream_pictures, together};
use crate::lab::top::top;
use crate::networks::Network;

/// The number of likeliest classes per prototype.
const TOP: usize = 3;

/// The most photographs whose features are kept for KID, which takes 32 MB at 2048 features.
const KEPT: usize = 4 * MOST;

/// What a judge says about a prototype: its view of the class, its likeliest classes and its features.
pub(super) struct Answer {
    pub(super) seen: Seen,
    pub(super) top: Vec<Likely>,
    pub(super) features: Vec<f32>,
}

/// Everything that a judge says.
pub(super) struct Answers {
    /// The answer to each prototype of all groups, or why the judge does not know its class.
    pub(super) prototypes: Vec<Result<Answer>>,
    pub(super) photographs: Vec<Seen>,
    /// The features of photographs; if there are very many, of evenly spaced ones.
    pub(super) features: Vec<Featured>,
    /// The controls of each class that has photographs, by name.
    pub(super) controls: Vec<(String, Seen)>,
    /// Photographs that could not be read.
    pub(super) skipped: Vec<String>,
    /// Which images were put on white.
    pub(super) tally: Tally,
}

/// A judge's forward pass.
struct Judge<'a> {
    network: &'a Network,
    classifier: Classifier,
    observer: &'a dyn Observer,
}

impl Answers {
    /// Asks the judge about each image whose class it knows.
    ///
    /// # Errors
    /// If a prototype cannot be read, a logit is not finite, the device is lost, or the observer asked to stop.
    pub(super) fn of(
        network: &Network,
        inputs: &Inputs,
        batch: usize,
        context: &Context,
        observer: &dyn Observer,
    ) -> Result<Self> {
        let class = |image: &Image| counterpart(image.index, &image.label, network.labels());
        let prototypes: Vec<(&Image, Result<usize>)> = inputs.prototypes().map(|image| (image, class(image))).collect();
        // Two makers may call a class of this judge differently; its photographs count once.
        let mut known = HashSet::new();
        let photographs = inputs.photographs.iter().filter_map(|image| Some((class(image).ok()?, &image.path)));
        let mut photographs: Vec<(usize, &PathBuf)> = photographs.filter(|&one| known.insert(one)).collect();
        photographs.sort_by_key(|&(class, _)| class);
        let shown = prototypes.iter().filter(|(_, class)| class.is_ok()).count() + photographs.len();
        observer.tell(Event::Counted((inputs.images() - shown) as u64));
        let mut answers = Self {
            prototypes: Vec::new(),
            photographs: Vec::new(),
            features: Vec::new(),
            controls: Vec::new(),
            skipped: Vec::new(),
            tally: Tally::default(),
        };
        if shown == 0 {
            answers.prototypes =
                prototypes.into_iter().map(|(_, class)| Err(class.expect_err("none is known"))).collect();
            return Ok(answers);
        }
        let classifier = Classifier::with_features(context, network, batch.min(shown))?;
        let judge = Judge { network, classifier, observer };
        answers.prototypes = judge.prototypes(prototypes, &mut answers.tally)?;
        let kept: HashSet<&PathBuf> = spaced(&photographs, KEPT).into_iter().map(|(_, path)| path).collect();
        for photographs in photographs.chunk_by(|a, b| a.0 == b.0) {
            judge.photographs(photographs, &kept, inputs.seed, &mut answers)?;
        }
        Ok(answers)
    }
}

impl Judge<'_> {
    fn prototypes(&self, prototypes: Vec<(&Image, Result<usize>)>, tally: &mut Tally) -> Result<Vec<Result<Answer>>> {
        let known = prototypes.iter().filter_map(|(image, class)| Some((*class.as_ref().ok()?, image.path.clone())));
        let (classes, paths): (Vec<usize>, Vec<PathBuf>) = known.unzip();
        let mut answers = Vec::new();
        let passed = self.show(&paths, |index, _, Outputs { logits, features }| {
            let top = top(&logits, TOP, self.network.labels()).into_iter().map(Likely::from).collect();
            answers.push(Answer { seen: Seen::of(&logits, classes[index]), top, features });
        })?;
        if let Some((_, error)) = passed.unreadable.into_iter().next() {
            return Err(error);
        }
        tally.join(passed.tally);
        let mut answers = answers.into_iter();
        let answer = |(_, class): (_, Result<usize>)| class.map(|_| answers.next().expect("one for each known class"));
        Ok(prototypes.into_iter().map(answer).collect())
    }

    /// Adds the answers to the photographs of a class, and to its controls.
    fn photographs(
        &self,
        photographs: &[(usize, &PathBuf)],
        kept: &HashSet<&PathBuf>,
        seed: u64,
        answers: &mut Answers,
    ) -> Result<()> {
        let paths: Vec<PathBuf> = photographs.iter().map(|&(_, path)| path.clone()).collect();
        let (class, image, mut mean) = (photographs[0].0, self.classifier.image(), MeanImage::default());
        let passed = self.show(&paths, |index, pixels, Outputs { logits, features }| {
            mean.add(pixels);
            answers.photographs.push(Seen::of(&logits, class));
            if kept.contains(&paths[index]) {
                answers.features.push(Featured { class, features });
            }
        })?;
        answers.skipped.extend(passed.reasons());
        answers.tally.join(passed.tally);
        let Some(mean) = mean.mean() else { return Ok(()) };
        for control in controls(class, seed, &mean, image) {
            let logits = self.classifier.logits(&control.pixels)?.swap_remove(0);
            check_finite(&logits, self.network, format_args!("the control {} of class {class}", control.name))?;
            answers.controls.push((control.name, Seen::of(&logits, class)));
        }
        Ok(())
    }

    /// Shows image files to the judge. `see` receives the index, the pixels and the outputs of each.
    fn show(&self, paths: &[PathBuf], mut see: impl FnMut(usize, &[f32], Outputs)) -> Result<Passed> {
        stream_pictures(paths, self.classifier.image(), self.classifier.batch(), |pictures| {
            let outputs = self.classifier.outputs(&together(&pictures))?;
            for (picture, outputs) in pictures.iter().zip(outputs) {
                check_finite(&outputs.logits, self.network, paths[picture.index].display())?;
                see(picture.index, &picture.pixels, outputs);
            }
            self.observer.count(pictures.len())
        })
    }
}
