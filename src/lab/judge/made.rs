//! Judges the prototypes of a run, and writes what they say beside each record.

use std::io::Write;
use std::path::{Path, PathBuf};

use super::ask::Judges;
use super::inputs::Inputs;
use crate::Result;
use crate::analysis::judge::JudgeRow;
use crate::atomic::write_atomically;
use crate::gpu::Context;
use crate::lab::observer::Observer;
use crate::lab::run::folder::JUDGES;
use serde_json::{Value, json};

/// The layout's name and version.
const FORMAT: &str = "protogpu run judges 1";

/// Judges, and the finished prototypes that they see.
pub(crate) struct MadeRequest<'a> {
    /// The folder of the run, which names the group.
    pub(crate) out: &'a Path,
    /// The folders of the prototypes.
    pub(crate) folders: &'a [PathBuf],
    pub(crate) judges: Judges<'a>,
}

impl MadeRequest<'_> {
    /// Asks the judges, and writes `judges.json` to the folder of each prototype.
    ///
    /// # Errors
    /// [`Error::Cancelled`] if the observer asked to stop; nothing is written then.
    pub(crate) fn run(&self, context: &Context, observer: &dyn Observer) -> Result<Vec<JudgeRow>> {
        let inputs = Inputs::find_group(self.out, self.folders, None)?;
        let judges = self.judges.ask(&inputs, context, observer)?;
        for image in inputs.prototypes() {
            let said: Vec<Value> = judges.iter().map(|judge| said(judge, &image.name, &image.label.name)).collect();
            let text = format!("{:#}\n", json!({"format": FORMAT, "judges": said}));
            write_atomically(image.path.with_file_name(JUDGES), |out| out.write_all(text.as_bytes()))?;
        }
        Ok(judges)
    }
}

/// What a judge says about the prototype in a folder, or why it does not know the class.
fn said(judge: &JudgeRow, folder: &str, class: &str) -> Value {
    let group = &judge.groups[0];
    let seen = group.each.iter().find(|one| one.folder == folder);
    let unmapped = group.unmapped.iter().find(|unmapped| unmapped.name == class).filter(|_| seen.is_none());
    json!({"weights": judge.weights, "sha256": judge.sha256, "architecture": judge.architecture, "input": judge.input,
        "made": group.made > 0, "seen": seen, "unmapped": unmapped.map(|unmapped| &unmapped.reason)})
}
