//! Shows the images to each judge, one judge after the other, and writes the report.

use std::path::{Path, PathBuf};

use super::inputs::{Image, Inputs};
use super::jury::Jury;
use crate::analysis::judge::Judgement;
use crate::gpu::Context;
use crate::lab::disk::{check_report, write_files};
use crate::lab::observer::{Counted, Event, Observer};
use crate::lab::pictures::{Tally, shown_png};
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
        let (mut skipped, mut tally) = (self.inputs.skipped.clone(), Tally::default());
        let jury = Jury { inputs: self.inputs, words: self.words, batch: self.batch };
        let judge = |judge: &PathBuf| {
            let network = (self.open)(judge)?;
            jury.ask(&judge.display().to_string(), &network, context, observer, (&mut skipped, &mut tally))
        };
        let judges: Result<Vec<_>> = self.judges.iter().map(judge).collect();
        observer.tell(Event::CountingEnded);
        skipped.sort();
        skipped.dedup();
        let notes = self.inputs.notes.iter().cloned().chain(tally.note()).collect();
        let (format, settings) = (FORMAT.to_owned(), self.settings());
        let judgement = Judgement { format, judges: judges?, settings, skipped, notes };
        let left_out = self.inputs.prototypes().count() - shown.len();
        write_files(self.out, &judge_files(&judgement, &shown, left_out)?)?;
        Ok(judgement)
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

/// A prototype as the page shows it.
fn shown(image: &Image) -> Result<PrototypePicture> {
    Ok(PrototypePicture { folder: image.name.clone(), class: image.label.name.clone(), file: shown_png(&image.path)? })
}
