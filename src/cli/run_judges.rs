//! The judges of a run: they are opened before it starts, and asked when it ends.

use std::path::{Path, PathBuf};

use super::args::AdapterArgs;
use super::judges::AskArgs;
use super::terminal::words;
use crate::analysis::judge::JudgeRow;
use crate::gpu::Context;
use crate::lab::judge::{Judges, MadeRequest, NamedJudge};
use crate::lab::observer::Observer;
use crate::lab::run::record::WeightsRecord;
use crate::lab::run::request::Request;
use crate::lab::run::slot::RunSlot;
use crate::{Error, Result};

/// Opens the judges.
///
/// # Errors
/// If one cannot be opened, or an objective is not a class.
pub(super) fn open(args: &AskArgs, weights: &WeightsRecord, requests: &[Request]) -> Result<Vec<NamedJudge>> {
    if let (Some(judge), Some(request)) =
        (args.judges.first(), requests.iter().find(|request| request.class().is_none()))
    {
        let (judge, objective) = (judge.display(), &request.objective);
        let what = format!("the judge {judge} can only recognise classes, but the objective is `{objective}`");
        return Err(Error::input(what).advised(": drop {judge}, or give a {class}"));
    }
    args.open(weights)
}

/// Asks the judges about the finished prototypes. Opens the adapter if the run did not need it.
pub(super) fn ask(
    judges: &[NamedJudge],
    out: &Path,
    slots: &[RunSlot],
    context: Option<&Context>,
    adapter: &AdapterArgs,
    observer: &dyn Observer,
) -> Result<Vec<JudgeRow>> {
    let finished = slots.iter().filter(|slot| slot.failed.is_none());
    let folders: Vec<PathBuf> = finished.map(|slot| slot.folder.path().to_owned()).collect();
    if judges.is_empty() || folders.is_empty() {
        return Ok(Vec::new());
    }
    let request = MadeRequest { out, folders: &folders, judges: Judges { judges, words } };
    match context {
        Some(context) => request.run(context, observer),
        None => {
            let context = adapter.open()?;
            request.run(&context, observer)
        }
    }
}
