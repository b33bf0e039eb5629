//! Shows the images to each judge, one judge after the other, and writes the report.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

use super::inputs::{Group, Image, Inputs};
use crate::analysis::Classifier;
use crate::analysis::judge::{GroupRow, JudgeRow, Judgement, PrototypeRow, Seen, Unmapped, counterpart};
use crate::analysis::similarity::Likely;
use crate::gpu::Context;
use crate::lab::disk::{check_report, write_files};
use crate::lab::observer::{Counted, Event, Observer};
use crate::lab::pictures::{classify, shown_png};
use crate::lab::top::top;
use crate::networks::Network;
use crate::report::{PrototypePicture, judge_files};
use crate::{Error, Result};
use serde_json::{Map, Value, json};

/// The layout's name and version.
const FORMAT: &str = "protogpu judge 1";
/// The file that is written last, when the report is complete.
const REPORT: &str = "judge.json";
/// The number of likeliest classes per prototype.
const TOP: usize = 3;
/// The most prototypes that the page shows.
const SHOWN: usize = 200;
/// Judges, and what they see.
pub(crate) struct JudgeRequest<'a> {
    pub(crate) inputs: &'a Inputs,
    /// The names of the judges.
    pub(crate) judges: &'a [PathBuf],
    /// Opens the judge of a name.
    pub(crate) open: &'a dyn Fn(&Path) -> Result<Network>,
    /// Words the reason why a judge does not know a class.
    pub(crate) words: fn(&Error) -> String,
    /// What `settings` of the report say about the photographs.
    pub(crate) photographs: Value,
    pub(crate) batch: usize,
    pub(crate) out: &'a Path,
    /// Whether to replace an earlier report.
    pub(crate) force: bool,
}

/// What a judge says about an image: its view of the class, and its likeliest classes.
type Answer = (Seen, Vec<Likely>);

impl JudgeRequest<'_> {
    /// Checks all that can be checked before any work.
    pub(crate) fn check(&self) -> Result<()> {
        self.judges.iter().try_for_each(|judge| (self.open)(judge).map(|_| ()))?;
        check_report(self.out, REPORT, self.force)
    }

    /// Judges, and writes the report.
    ///
    /// # Errors
    /// [`Error::Cancelled`] if the observer asked to stop; nothing is written then.
    pub(crate) fn run(&self, context: &Context, observer: &dyn Observer) -> Result<Judgement> {
        // Before the judges work, because a picture may be unreadable.
        let shown = self.prototypes().take(SHOWN).map(shown).collect::<Result<Vec<_>>>()?;
        let total = Some((self.judges.len() * self.images().count()) as u64);
        observer.tell(Event::Counting { what: Counted::Pictures, done: 0, total });
        let mut skipped = self.inputs.skipped.clone();
        let judge = |judge: &PathBuf| self.judge(judge, context, observer, &mut skipped);
        let judges: Result<Vec<_>> = self.judges.iter().map(judge).collect();
        observer.tell(Event::CountingEnded);
        skipped.sort();
        skipped.dedup();
        let judgement = Judgement { format: FORMAT.to_owned(), judges: judges?, settings: self.settings(), skipped };
        let left_out = self.prototypes().count() - shown.len();
        write_files(self.out, &judge_files(&judgement, &shown, left_out)?)?;
        Ok(judgement)
    }

    /// The prototypes of all groups, then the photographs.
    fn images(&self) -> impl Iterator<Item = &Image> {
        self.prototypes().chain(&self.inputs.photographs)
    }

    fn prototypes(&self) -> impl Iterator<Item = &Image> {
        self.inputs.groups.iter().flat_map(|group| &group.prototypes).map(|prototype| &prototype.image)
    }

    fn judge(
        &self,
        judge: &Path,
        context: &Context,
        observer: &dyn Observer,
        skipped: &mut Vec<String>,
    ) -> Result<JudgeRow> {
        let network = (self.open)(judge)?;
        let classes: Vec<Result<usize>> =
            self.images().map(|image| counterpart(image.index, &image.label, network.labels())).collect();
        let mut answers = self.answers(&network, &classes, context, observer, skipped)?;
        let photographs: Vec<Seen> =
            answers.drain(self.prototypes().count()..).flatten().map(|(seen, _)| seen).collect();
        let mut all = answers.into_iter().zip(classes);
        let rows = self.inputs.groups.iter().map(|group| self.row(group, &mut all, &photographs, &network));
        Ok(JudgeRow {
            weights: judge.display().to_string(),
            sha256: network.weights().sha256().to_owned(),
            architecture: network.architecture().to_string(),
            input: network.preprocessing().clone(),
            groups: rows.collect(),
        })
    }

    /// The judge's answer to each image of a class that it knows.
    fn answers(
        &self,
        network: &Network,
        classes: &[Result<usize>],
        context: &Context,
        observer: &dyn Observer,
        skipped: &mut Vec<String>,
    ) -> Result<Vec<Option<Answer>>> {
        let mut answers = vec![None; classes.len()];
        let images: Vec<&Image> = self.images().collect();
        let mut known: Vec<(usize, usize)> =
            classes.iter().enumerate().filter_map(|(at, class)| Some((at, *class.as_ref().ok()?))).collect();
        // Two makers may call a class of this judge differently; its photographs count once.
        let (prototypes, mut photographs) = (self.prototypes().count(), HashSet::new());
        known.retain(|&(at, class)| at < prototypes || photographs.insert((&images[at].path, class)));
        let paths: Vec<PathBuf> = known.iter().map(|&(at, _)| images[at].path.clone()).collect();
        observer.tell(Event::Counted((images.len() - paths.len()) as u64));
        if paths.is_empty() {
            return Ok(answers);
        }
        let classifier = Classifier::new(context, network, self.batch.min(paths.len()))?;
        let unreadable = classify(&classifier, &paths, |batch| {
            let count = batch.len();
            for (index, logits) in batch {
                let (at, class) = known[index];
                if logits.iter().any(|logit| !logit.is_finite()) {
                    let (network, path) = (network.weights().name(), paths[index].display());
                    return Err(Error::input(format!("{network}: its logits for {path} are not all finite")));
                }
                let likely = top(&logits, TOP, network.labels()).into_iter().map(Likely::from).collect();
                answers[at] = Some((Seen::of(&logits, class), likely));
            }
            observer.count(count)
        })?;
        for (index, error) in unreadable {
            if known[index].0 < prototypes {
                return Err(error);
            }
            skipped.push(error.to_string());
        }
        Ok(answers)
    }

    /// A group's row. `all` yields the answers to its prototypes, with the judge's classes.
    fn row(
        &self,
        group: &Group,
        all: &mut impl Iterator<Item = (Option<Answer>, Result<usize>)>,
        photographs: &[Seen],
        network: &Network,
    ) -> GroupRow {
        let (mut each, mut made, mut unmapped) = (Vec::new(), 0, BTreeMap::new());
        for (prototype, (answer, class)) in group.prototypes.iter().zip(all) {
            let folder = folder(&prototype.image);
            match (answer, class) {
                (Some((seen, top)), _) => {
                    made += usize::from(prototype.maker.sha256 == network.weights().sha256());
                    each.push(PrototypeRow { folder, seen, top });
                }
                (None, class) => {
                    let (name, reason) = (prototype.image.label.name.clone(), class.err().as_ref().map(self.words));
                    let new = Unmapped { name, prototypes: 0, reason: reason.unwrap_or_default() };
                    unmapped.entry((prototype.image.index, new.name.clone())).or_insert(new).prototypes += 1;
                }
            }
        }
        let folder = group.folder.display().to_string();
        GroupRow::of(folder, made, each, photographs, unmapped.into_values().collect(), network.labels())
    }

    fn settings(&self) -> Map<String, Value> {
        let folders = self.inputs.groups.iter().map(|group| group.folder.display().to_string());
        let judges = self.judges.iter().map(|judge| judge.display().to_string());
        [
            ("version", json!(env!("CARGO_PKG_VERSION"))),
            ("prototypes", json!(folders.collect::<Vec<_>>())),
            ("judges", json!(judges.collect::<Vec<_>>())),
            ("photographs", self.photographs.clone()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into_iter()
        .collect()
    }
}

/// A prototype's folder.
fn folder(image: &Image) -> String {
    image.path.parent().unwrap_or(Path::new("")).display().to_string()
}

/// A prototype as the page shows it.
fn shown(image: &Image) -> Result<PrototypePicture> {
    Ok(PrototypePicture { folder: folder(image), class: image.label.name.clone(), file: shown_png(&image.path)? })
}
