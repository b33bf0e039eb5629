//! What a run says in the end: where the prototypes are, and what the network makes of them.

use std::fmt::Write as _;

use protogpu::Result;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::folder::Folder;
use super::run_record::ClassRecord;
use super::run_targets::Target;
use super::terminal::{print, print_json};
use super::top::{Top, percent};

/// One prototype, finished now or before.
#[derive(Serialize)]
pub(crate) struct Made {
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
    /// Whether an earlier run had finished it.
    unchanged: bool,
    top: Vec<Top>,
}

impl Made {
    /// A target whose files are written, with what its record says.
    pub(crate) fn new(target: &Target, seed: u64, top: Option<Vec<Top>>) -> Self {
        let folder = &target.folder;
        Self {
            class: target.goal.class(),
            objective: target.goal.objective.to_string(),
            title: target.goal.title(),
            seed,
            folder: folder.path().to_path_buf(),
            picture: folder.picture(),
            pixels: folder.pixels(),
            record: folder.record(),
            unchanged: target.finished,
            top: top.unwrap_or_else(|| recorded_top(folder)),
        }
    }

    fn text(&self) -> String {
        let Self { title, seed, picture, pixels, record, .. } = self;
        let done = if self.unchanged { " (made before)" } else { "" };
        let mut text = format!("{title}, seed {seed}{done}\n");
        let _ = writeln!(text, "  picture  {}", picture.display());
        let _ = writeln!(text, "  pixels   {}", pixels.display());
        let _ = writeln!(text, "  numbers  {}", record.display());
        let mut seen = self.top.iter().map(|t| format!("{} ({}) {}", t.name, t.index, percent(t.probability)));
        if let Some(first) = seen.next() {
            let then: Vec<String> = seen.take(2).collect();
            let then = if then.is_empty() { String::new() } else { format!("; then {}", then.join(", ")) };
            let _ = writeln!(text, "  seen as  {first}{then}");
        }
        text
    }
}

/// Prints all that was made.
pub(crate) fn report(made: &[Made], json: bool) -> Result<()> {
    if json {
        return print_json(&json!({ "prototypes": made }));
    }
    print(&made.iter().map(Made::text).collect::<Vec<_>>().join("\n"))
}

/// The top classes of an earlier run's record; none where it cannot be read, which is no reason to fail.
fn recorded_top(folder: &Folder) -> Vec<Top> {
    #[derive(Default, Deserialize)]
    struct Recorded {
        top: Vec<Top>,
    }
    let text = std::fs::read_to_string(folder.record()).unwrap_or_default();
    serde_json::from_str::<Recorded>(&text).unwrap_or_default().top
}
