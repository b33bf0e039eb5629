//! The judges of a run: they are opened before it starts, and asked when it ends.

use std::path::{Path, PathBuf};

use super::args::AdapterArgs;
use super::judges::{named, open};
use super::terminal::words;
use crate::analysis::judge::JudgeRow;
use crate::gpu::Context;
use crate::lab::judge::{MadeRequest, NamedJudge};
use crate::lab::observer::Observer;
use crate::lab::run::record::WeightsRecord;
use crate::lab::run::request::Request;
use crate::lab::run::slot::RunSlot;
use crate::{Error, Result};

/// Judges of the prototypes that a run makes.
#[derive(clap::Args, Clone, Debug, Default)]
pub(super) struct RunJudgeArgs {
    /// Ask another network, when the run ends, whether it recognises the prototypes: a weights file, the name of a built-in network,
    /// or imagenet:NAME for the weights that `protogpu weights pull NAME` downloaded. Repeat it for more
    #[arg(long = "judge", value_name = "FILE|NAME|imagenet:NAME")]
    judges: Vec<PathBuf>,
}

impl RunJudgeArgs {
    /// Opens the judges. Weights that also make the prototypes are taken as the run takes them.
    ///
    /// # Errors
    /// If one cannot be opened, or an objective is not a class.
    pub(super) fn open(&self, weights: &WeightsRecord, requests: &[Request]) -> Result<Vec<NamedJudge>> {
        if let (Some(judge), Some(request)) =
            (self.judges.first(), requests.iter().find(|request| request.class().is_none()))
        {
            let (judge, objective) = (judge.display(), &request.objective);
            let what = format!("the judge {judge} can only recognise classes, but the objective is `{objective}`");
            return Err(Error::input(what).advised(": drop {judge}, or give a {class}"));
        }
        let open = |judge: &PathBuf| {
            let network =
                open(named(judge), |sha256| Ok(Some(weights.clone()).filter(|maker| maker.sha256 == sha256)))?;
            Ok(NamedJudge { name: judge.display().to_string(), network })
        };
        self.judges.iter().map(open).collect()
    }
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
    let request = MadeRequest { out, folders: &folders, judges, words };
    match context {
        Some(context) => request.run(context, observer),
        None => {
            let context = adapter.open()?;
            request.run(&context, observer)
        }
    }
}
