//! Measures the path similarity of prototypes, and writes the report.

use std::path::{Path, PathBuf};

use super::choice::Choice;
use super::inputs::{GivenControl, Pixels, Prototype};
use super::natural::{Natural, Naturals, read_mean};
use crate::analysis::judge::JudgeRow;
use crate::analysis::similarity::{
    ClassSimilarity, Correlator, Layers, Likely, MeanActivations, Observed, Over, Scores, Similarity, Targets, overall,
    warnings, ways,
};
use crate::gpu::Context;
use crate::lab::about::about;
use crate::lab::controls::{CONTROLS, Control, controls};
use crate::lab::disk::{check_report, remove, remove_leftovers, write_files};
use crate::lab::judge::{Inputs, Judges};
use crate::lab::observer::{Counted, Event, Observer};
use crate::lab::pictures::Tally;
use crate::lab::top::top;
use crate::networks::{Network, Semantics};
use crate::picture::{jpeg, png, preprocess};
use crate::report::{ClassPictures, Pictures, SimilarityReport, similarity_files};
use crate::shape::ImageSpec;
use crate::{Error, Result};
use serde_json::{Map, Value, json};

/// The layout's name and version.
const FORMAT: &str = "protogpu similarity 1";
/// The file that is written last, when the report is complete.
const REPORT: &str = "similarity.json";
/// What judges say.
const JUDGED: &str = "judge.csv";
/// The number of likeliest classes per prototype.
const TOP: usize = 5;
/// The number of natural images per class in the report.
const EXAMPLES: usize = 6;

/// A measurement.
pub(crate) struct Measurement<'a> {
    pub(crate) network: &'a Network,
    /// The natural images, and their selection.
    pub(crate) choice: Choice<'a>,
    /// The prototypes by class.
    pub(crate) prototypes: &'a [(usize, Vec<Prototype>)],
    /// The folders in which they are, and the judges that see them.
    pub(crate) folders: &'a [PathBuf],
    pub(crate) judges: Judges<'a>,
    /// The form in which the network gets their pixels.
    pub(crate) pixels: Pixels,
    /// Additional controls with their names.
    pub(crate) controls: &'a [GivenControl],
    pub(crate) control_names: &'a [String],
    /// Files of mean activations, to use instead of computing them.
    pub(crate) mean_files: &'a [PathBuf],
    /// The folder that caches mean activations and correlations of natural images; `None` for one in `out`.
    pub(crate) mean_cache: Option<&'a Path>,
    pub(crate) semantics: Semantics,
    pub(crate) over: Over,
    /// Images per batch.
    pub(crate) batch: usize,
    pub(crate) out: &'a Path,
    /// Whether to replace an earlier report, and cached mean activations that do not fit.
    pub(crate) force: bool,
}

impl Measurement<'_> {
    /// Checks all that can be checked before any work.
    pub(crate) fn check(&self) -> Result<()> {
        let folder = self.choice.folder;
        for (class, _) in self.prototypes {
            let (root, name) = (folder.root().display(), self.network.labels().name(*class));
            let count = folder.pictures(*class).len();
            if count < 2 {
                let found = if count == 0 { "no image" } else { "only one image" };
                return Err(Error::input(format!(
                    "{root} has {found} of class {class} ({name}), but its prototype needs at least two, in a folder named \
                         {class}_{}",
                    self.network.labels().slug(*class)
                )));
            }
            if folder.classes().all(|other| other == *class || folder.pictures(other).is_empty()) {
                return Err(Error::input(format!(
                    "{root} has images of {name} only; add images of other classes to compare with"
                )));
            }
        }
        check_report(self.out, REPORT, self.force)
    }

    /// The folder that caches mean activations and correlations of natural images.
    pub(crate) fn kept(&self) -> PathBuf {
        self.mean_cache.map_or_else(|| self.out.join("means"), Path::to_owned)
    }

    /// Measures, and writes the report.
    ///
    /// # Errors
    /// [`Error::Cancelled`] if the observer asked to stop; finished work is kept.
    pub(crate) fn run(&self, context: &Context, observer: &dyn Observer) -> Result<SimilarityReport> {
        let mut correlator = Correlator::new(context, self.network, self.batch)?;
        let given = self.given_means(&correlator)?;
        for folder in [self.out, &self.out.join("means"), &self.out.join("plots")] {
            remove_leftovers(folder)?;
        }
        let kept = self.kept();
        let (network, choice, force) = (self.network, &self.choice, self.force);
        let naturals = Naturals { network, choice, kept: &kept, given: &given, force };
        observer.tell(Event::Counting { what: Counted::Pictures, done: 0, total: Some(self.pictures()) });
        let mut measure = |class, prototypes| {
            let natural = naturals.of(class, &mut correlator, observer)?;
            self.measure(class, prototypes, natural, &mut correlator)
        };
        let measured = self.prototypes.iter().map(|(class, prototypes)| measure(*class, prototypes.as_slice()));
        let measured: Result<Vec<Measured<'_>>> = measured.collect();
        observer.tell(Event::CountingEnded);
        let measured = measured?;
        let similarity = self.similarity(&measured, correlator.layers());
        let image = correlator.image();
        let classes = measured.iter().map(|measured| measured.pictures(image)).collect::<Result<_>>()?;
        let report = SimilarityReport { similarity, judges: self.judged(context, observer)? };
        if report.judges.is_empty() {
            // Of an earlier report.
            remove(&self.out.join(JUDGED))?;
        }
        write_files(self.out, &similarity_files(&report, &Pictures { classes })?)?;
        Ok(report)
    }

    /// What the judges say about the prototypes of all folders as one group.
    fn judged(&self, context: &Context, observer: &dyn Observer) -> Result<Vec<JudgeRow>> {
        if self.judges.judges.is_empty() {
            return Ok(Vec::new());
        }
        let names: Vec<String> = self.folders.iter().map(|folder| folder.display().to_string()).collect();
        let inputs = Inputs::find_group(Path::new(&names.join(", ")), self.folders, None)?;
        self.judges.ask(&inputs, context, observer)
    }

    fn given_means(&self, correlator: &Correlator) -> Result<Vec<(PathBuf, MeanActivations)>> {
        let read = |path: &PathBuf| Ok((path.clone(), read_mean(path, self.network, correlator)?));
        self.mean_files.iter().map(read).collect()
    }

    /// The number of images that go through the network if nothing is cached.
    fn pictures(&self) -> u64 {
        let passes = if self.choice.leave_one_out { 2 } else { 1 };
        let of = |(class, _): &(usize, Vec<Prototype>)| {
            (1 + passes) * self.choice.same(*class).len() + self.choice.different(*class).len()
        };
        self.prototypes.iter().map(of).sum::<usize>() as u64
    }

    /// The prototypes and controls of a class.
    fn measure<'a>(
        &self,
        class: usize,
        prototypes: &'a [Prototype],
        mut natural: Natural,
        correlator: &mut Correlator,
    ) -> Result<Measured<'a>> {
        let ranks = natural.mean.ranks(correlator.layers())?;
        let targets = Targets::Mean(&ranks);
        let (seed, image) = (self.choice.seed, correlator.image());
        let given = self.controls.iter().map(|control| control.of(class));
        let controls: Vec<Control> = controls(class, seed, &natural.mean.pixels, image).chain(given).collect();
        let own = prototypes.iter().map(|prototype| prototype.pixels.as_slice());
        let pixels: Vec<&[f32]> = own.chain(controls.iter().map(|control| control.pixels.as_slice())).collect();
        let mut observed = Vec::new();
        for batch in pixels.chunks(self.batch) {
            observed.extend(correlator.correlate(&batch.concat(), &targets)?);
        }
        // Frees tens of megabytes per class.
        natural.mean.means = Vec::new();
        Ok(Measured { class, prototypes, controls, natural, observed })
    }

    /// The whole table.
    fn similarity(&self, measured: &[Measured<'_>], layers: &Layers) -> Similarity {
        let classes = |semantics, over| {
            measured.iter().map(|measured| measured.class(self.network, layers, semantics, over)).collect::<Vec<_>>()
        };
        let shown = classes(self.semantics, self.over);
        let overall = overall(&shown);
        let mut skipped: Vec<String> = self.choice.folder.skipped().to_vec();
        skipped.extend(measured.iter().flat_map(|measured| measured.natural.skipped.iter().cloned()));
        skipped.sort();
        skipped.dedup();
        let mut tally = Tally::default();
        measured.iter().for_each(|measured| tally.join(measured.natural.tally.clone()));
        self.controls
            .iter()
            .filter_map(|control| control.picture.as_ref())
            .for_each(|(path, on_white)| tally.add(path, *on_white));
        let notes = self.choice.folder.notes().iter().cloned().chain(tally.note()).collect();
        Similarity {
            format: FORMAT.to_owned(),
            warnings: warnings(&overall),
            ways: ways(classes),
            overall,
            classes: shown,
            settings: self.settings(),
            skipped,
            notes,
        }
    }

    fn settings(&self) -> Map<String, Value> {
        let controls = CONTROLS.iter().map(|&name| name.to_owned()).chain(self.control_names.iter().cloned());
        let about = json!({
            "version": env!("CARGO_PKG_VERSION"),
            "network": about(self.network),
            "images": self.choice.folder.root().display().to_string(),
            "per_class": self.choice.per_class,
            "different": self.choice.different,
            "seed": self.choice.seed,
            "semantics": self.semantics,
            "over": self.over,
            "leave_one_out": self.choice.leave_one_out,
            "pixels": self.pixels,
            "controls": controls.collect::<Vec<_>>(),
            "means": self.mean_files.iter().map(|path| path.display().to_string()).collect::<Vec<_>>(),
        });
        match about {
            Value::Object(map) => map,
            _ => unreachable!("an object was written down"),
        }
    }
}

/// The measurements of a class.
struct Measured<'a> {
    class: usize,
    prototypes: &'a [Prototype],
    controls: Vec<Control>,
    natural: Natural,
    /// The prototypes, then the controls.
    observed: Vec<Observed>,
}

impl Measured<'_> {
    /// The class's row.
    fn class(&self, network: &Network, layers: &Layers, semantics: Semantics, over: Over) -> ClassSimilarity {
        let (prototypes, controls) = self.observed.split_at(self.prototypes.len());
        let correlations = |observed: &[Observed]| observed.iter().map(|one| one.correlations.clone()).collect();
        let named = |(control, seen): (&Control, &Observed)| (control.name.clone(), seen.correlations.clone());
        let scores = Scores {
            prototypes: correlations(prototypes),
            same: self.natural.same.clone(),
            different: self.natural.different.clone(),
            controls: self.controls.iter().zip(controls).map(named).collect(),
        };
        let mut row = scores.class(self.class, network.labels().name(self.class), layers, semantics, over);
        row.pictures.mean = self.natural.mean.pictures.len();
        for ((one, prototype), seen) in row.prototypes.iter_mut().zip(self.prototypes).zip(prototypes) {
            one.folder = prototype.folder.display().to_string();
            one.seed = prototype.seed;
            one.top = top(&seen.logits, TOP, network.labels()).into_iter().map(Likely::from).collect();
        }
        row
    }

    /// The images for the report.
    fn pictures(&self, image: ImageSpec) -> Result<ClassPictures> {
        let prototypes = self.prototypes.iter().map(|prototype| png(&prototype.pixels, image));
        let controls = self.controls.iter().map(|control| Ok((control.name.clone(), png(&control.pixels, image)?)));
        // Unreadable files were skipped.
        let natural = self.natural.examples.iter().filter_map(|path| preprocess(path, image).ok());
        Ok(ClassPictures {
            prototypes: prototypes.collect::<Result<_>>()?,
            controls: controls.collect::<Result<_>>()?,
            natural: natural.take(EXAMPLES).map(|pixels| jpeg(&pixels, image)).collect::<Result<_>>()?,
        })
    }
}
