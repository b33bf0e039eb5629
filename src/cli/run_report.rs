//! The report at the end of a run: where the prototypes are, and their likeliest classes.

use std::fmt::Write as _;

use crate::{Error, Result};
use serde::Serialize;
use serde_json::json;

use super::terminal::{print, print_json, words};
use crate::analysis::judge::JudgeRow;
use crate::lab::run::many::Throughput;
use crate::lab::run::record::ClassRecord;
use crate::lab::run::slot::RunSlot;
use crate::lab::top::{Top, percent};

/// A finished prototype, of this run or an earlier one.
#[derive(Serialize)]
struct Finished {
    /// `None` for an objective other than a class.
    class: Option<ClassRecord>,
    objective: String,
    #[serde(skip)]
    title: String,
    seed: u64,
    folder: std::path::PathBuf,
    picture: std::path::PathBuf,
    pixels: std::path::PathBuf,
    record: std::path::PathBuf,
    #[serde(skip_serializing_if = "Option::is_none")]
    animation: Option<std::path::PathBuf>,
    /// Whether an earlier run made it.
    unchanged: bool,
    top: Vec<Top>,
    #[serde(skip_serializing_if = "Option::is_none")]
    warning: Option<String>,
}

/// A failed prototype.
#[derive(Serialize)]
struct Failed<'a> {
    class: Option<ClassRecord>,
    objective: String,
    seed: u64,
    folder: &'a std::path::Path,
    error: String,
}

impl Finished {
    /// Describes a slot whose files are written.
    fn new(slot: &RunSlot) -> Self {
        let folder = &slot.folder;
        Self {
            class: slot.request.class(),
            objective: slot.request.objective.to_string(),
            title: slot.request.title(),
            seed: slot.settings.seed,
            folder: folder.path().to_path_buf(),
            picture: folder.picture(),
            pixels: folder.pixels(),
            record: folder.record(),
            animation: Some(folder.animation()).filter(|path| path.is_file()),
            unchanged: slot.finished,
            top: slot.seen_as(),
            warning: slot.warning.clone(),
        }
    }

    fn text(&self) -> String {
        let Self { title, seed, picture, pixels, record, .. } = self;
        let done = if self.unchanged { " (made before)" } else { "" };
        let mut text = format!("{title}, seed {seed}{done}\n");
        let _ = writeln!(text, "  image      {}", picture.display());
        let _ = writeln!(text, "  pixels     {}", pixels.display());
        let _ = writeln!(text, "  record     {}", record.display());
        if let Some(animation) = &self.animation {
            let _ = writeln!(text, "  animation  {}", animation.display());
        }
        let mut seen = self.top.iter().map(|t| format!("{} ({}) {}", t.name, t.index, percent(t.probability)));
        if let Some(first) = seen.next() {
            let then: Vec<String> = seen.take(2).collect();
            let then = if then.is_empty() { String::new() } else { format!("; then {}", then.join(", ")) };
            let _ = writeln!(text, "  seen as    {first}{then}");
        }
        if let Some(warning) = &self.warning {
            let _ = writeln!(text, "  warning    {warning}");
        }
        text
    }
}

/// Prints the finished prototypes; JSON also lists the failed ones, and what judges say.
pub(crate) fn report(
    slots: &[RunSlot],
    throughput: Option<Throughput>,
    index: Option<&std::path::Path>,
    judges: &[JudgeRow],
    json: bool,
) -> Result<()> {
    let made: Vec<Finished> = slots.iter().filter(|slot| slot.failed.is_none()).map(Finished::new).collect();
    if !json {
        let mut parts: Vec<String> = made.iter().map(Finished::text).collect();
        parts.extend(index.map(|index| format!("all of them  {}\n", index.display())));
        return print(&parts.join("\n"));
    }
    let failed = |slot: &'_ RunSlot| {
        let error = words(slot.failed.as_ref()?);
        let (class, objective) = (slot.request.class(), slot.request.objective.to_string());
        let (seed, folder) = (slot.settings.seed, slot.folder.path());
        Some(json!(Failed { class, objective, seed, folder, error }))
    };
    let failed: Vec<_> = slots.iter().filter_map(failed).collect();
    print_json(
        &json!({ "prototypes": made, "failed": failed, "throughput": throughput, "index": index, "judges": judges }),
    )
}

/// The throughput in one line.
pub(crate) fn throughput_text(throughput: &Throughput) -> String {
    let Throughput { prototypes, batch, seconds, images_per_s, image_step_ms } = throughput;
    let s = if *prototypes == 1 { "" } else { "s" };
    format!(
        "{prototypes} prototype{s} in {seconds:.1} s, batches of {batch}: {images_per_s:.3} images/s, \
             {image_step_ms:.2} ms per image and step"
    )
}

/// The message if prototypes failed.
pub(crate) fn failures_text(slots: &[RunSlot]) -> Option<String> {
    let failed = || slots.iter().filter_map(|slot| Some((slot, slot.failed.as_ref()?)));
    let (count, all) = (failed().count(), slots.len());
    if count == 0 {
        return None;
    }
    let line = |(slot, error): (&RunSlot, &Error)| format!("\n  {}: {}", slot.folder.path().display(), words(error));
    Some(format!("{count} of {all} prototypes failed:{}", failed().map(line).collect::<String>()))
}
