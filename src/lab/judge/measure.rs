//! Shows the images to each judge, one judge after the other, and writes the report.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::answers::{Answer, Answers};
use super::inputs::{Group, Image, Inputs};
use crate::analysis::judge::{GroupRow, JudgeRow, Judgement, PrototypeRow, Unmapped};
use crate::gpu::Context;
use crate::lab::disk::{check_report, write_files};
use crate::lab::observer::{Counted, Event, Observer};
use crate::lab::pictures::shown_png;
use crate::networks::Network;
use crate::report::{PrototypePicture, judge_files};
use crate::{Error, Result};
use serde_json::{Map, Value, json};

/// The layout's name and version.
const FORMAT: &str = "protogpu judge 1";
/// The file that is written last, when the report is complete.
const REPORT: &str = "judge.json";
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
        let shown = self.inputs.prototypes().take(SHOWN).map(shown).collect::<Result<Vec<_>>>()?;
        let total = Some((self.judges.len() * self.inputs.images()) as u64);
        observer.tell(Event::Counting { what: Counted::Pictures, done: 0, total });
        let mut skipped = self.inputs.skipped.clone();
        let judge = |judge: &PathBuf| self.judge(judge, context, observer, &mut skipped);
        let judges: Result<Vec<_>> = self.judges.iter().map(judge).collect();
        observer.tell(Event::CountingEnded);
        skipped.sort();
        skipped.dedup();
        let judgement = Judgement { format: FORMAT.to_owned(), judges: judges?, settings: self.settings(), skipped };
        let left_out = self.inputs.prototypes().count() - shown.len();
        write_files(self.out, &judge_files(&judgement, &shown, left_out)?)?;
        Ok(judgement)
    }

    fn judge(
        &self,
        judge: &Path,
        context: &Context,
        observer: &dyn Observer,
        skipped: &mut Vec<String>,
    ) -> Result<JudgeRow> {
        let network = (self.open)(judge)?;
        let answers = Answers::of(&network, self.inputs, self.batch, context, observer)?;
        skipped.extend(answers.skipped);
        let mut prototypes = answers.prototypes.into_iter();
        let row = |group: &Group| {
            let (each, made, unmapped) = self.prototypes(group, &mut prototypes, &network);
            let (folder, labels) = (group.folder.display().to_string(), network.labels());
            GroupRow::of(folder, made, each, &answers.photographs, &answers.controls, unmapped, labels)
        };
        Ok(JudgeRow {
            weights: judge.display().to_string(),
            sha256: network.weights().sha256().to_owned(),
            architecture: network.architecture().to_string(),
            input: network.preprocessing().clone(),
            groups: self.inputs.groups.iter().map(row).collect(),
        })
    }

    /// The prototypes of a group as the judge sees them, the number that it made, and the classes that it does not know. `all` yields
    /// the answers.
    fn prototypes(
        &self,
        group: &Group,
        all: &mut impl Iterator<Item = Result<Answer>>,
        network: &Network,
    ) -> (Vec<PrototypeRow>, usize, Vec<Unmapped>) {
        let (mut each, mut made, mut unmapped) = (Vec::new(), 0, BTreeMap::new());
        for (prototype, answer) in group.prototypes.iter().zip(all) {
            match answer {
                Ok((seen, top)) => {
                    made += usize::from(prototype.maker.sha256 == network.weights().sha256());
                    each.push(PrototypeRow { folder: folder(&prototype.image), seen, top });
                }
                Err(reason) => {
                    let (name, reason) = (prototype.image.label.name.clone(), (self.words)(&reason));
                    let new = Unmapped { name, prototypes: 0, reason };
                    unmapped.entry((prototype.image.index, new.name.clone())).or_insert(new).prototypes += 1;
                }
            }
        }
        (each, made, unmapped.into_values().collect())
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
