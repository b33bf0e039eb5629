//! What a run says in the end: where the prototypes are, and what the network makes of them.

use std::fmt::Write as _;

use crate::Result;
use serde::Serialize;
use serde_json::json;

use super::run_many::Throughput;
use super::terminal::{print, print_json};
use super::top::percent;
use crate::lab::run::record::ClassRecord;
use crate::lab::run::slot::Target;
use crate::lab::top::Top;

/// One prototype, finished now or before.
#[derive(Serialize)]
struct Made {
    /// None where the objective is of no class.
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
    /// Whether an earlier run had finished it.
    unchanged: bool,
    top: Vec<Top>,
}

/// One that could not be made.
#[derive(Serialize)]
struct Failed<'a> {
    class: Option<ClassRecord>,
    objective: String,
    seed: u64,
    folder: &'a std::path::Path,
    error: String,
}

impl Made {
    /// A target whose files are written, now or by an earlier run, which its record then tells of.
    fn new(target: &Target) -> Self {
        let folder = &target.folder;
        Self {
            class: target.goal.class(),
            objective: target.goal.objective.to_string(),
            title: target.goal.title(),
            seed: target.settings.seed,
            folder: folder.path().to_path_buf(),
            picture: folder.picture(),
            pixels: folder.pixels(),
            record: folder.record(),
            animation: Some(folder.animation()).filter(|path| path.is_file()),
            unchanged: target.finished,
            top: target.top(),
        }
    }

    fn text(&self) -> String {
        let Self { title, seed, picture, pixels, record, .. } = self;
        let done = if self.unchanged { " (made before)" } else { "" };
        let mut text = format!("{title}, seed {seed}{done}\n");
        let _ = writeln!(text, "  picture  {}", picture.display());
        let _ = writeln!(text, "  pixels   {}", pixels.display());
        let _ = writeln!(text, "  numbers  {}", record.display());
        if let Some(animation) = &self.animation {
            let _ = writeln!(text, "  its way  {}", animation.display());
        }
        let mut seen = self.top.iter().map(|t| format!("{} ({}) {}", t.name, t.index, percent(t.probability)));
        if let Some(first) = seen.next() {
            let then: Vec<String> = seen.take(2).collect();
            let then = if then.is_empty() { String::new() } else { format!("; then {}", then.join(", ")) };
            let _ = writeln!(text, "  seen as  {first}{then}");
        }
        text
    }
}

/// Prints all that was made, and for machines also what was not.
pub(crate) fn report(
    targets: &[Target],
    throughput: Option<Throughput>,
    index: Option<&std::path::Path>,
    json: bool,
) -> Result<()> {
    let made: Vec<Made> = targets.iter().filter(|target| target.failed.is_none()).map(Made::new).collect();
    if !json {
        let mut parts: Vec<String> = made.iter().map(Made::text).collect();
        parts.extend(index.map(|index| format!("all of them  {}\n", index.display())));
        return print(&parts.join("\n"));
    }
    let failed = |target: &'_ Target| {
        let error = target.failed.as_ref()?.to_string();
        let (class, objective) = (target.goal.class(), target.goal.objective.to_string());
        let (seed, folder) = (target.settings.seed, target.folder.path());
        Some(json!(Failed { class, objective, seed, folder, error }))
    };
    let failed: Vec<_> = targets.iter().filter_map(failed).collect();
    print_json(&json!({ "prototypes": made, "failed": failed, "throughput": throughput, "index": index }))
}
