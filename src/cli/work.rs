//! Work on an adapter that Ctrl-C stops, and its report.

use std::path::Path;
use std::process::ExitCode;

use serde::Serialize;

use super::args::{AdapterArgs, PrintArgs};
use super::interrupt;
use super::observer::Terminal;
use super::terminal::{INTERRUPTED, note, print, print_json};
use crate::gpu::Context;
use crate::{Error, Result};

/// What is left of work that keeps nothing when it stops.
pub(super) const NOTHING_WRITTEN: &str = "nothing was written";

/// Opens the adapter, works, and reports the result. If Ctrl-C stops the work, says what is `left` of it.
pub(super) fn work<T>(
    adapter: &AdapterArgs,
    left: &str,
    work: impl FnOnce(&Context) -> Result<T>,
    report: impl FnOnce(T) -> Result<ExitCode>,
) -> Result<ExitCode> {
    let context = adapter.open()?;
    interrupt::listen()?;
    match work(&context) {
        Err(Error::Cancelled) => {
            note(&format!("stopped; {left}"));
            Ok(INTERRUPTED.into())
        }
        other => report(other?),
    }
}

/// Prints a report as JSON; or what was skipped, the notes, the summary, and where the page is.
pub(super) fn print_report(
    args: &PrintArgs,
    terminal: &Terminal,
    report: &impl Serialize,
    [skipped, notes]: [&[String]; 2],
    summary: impl FnOnce() -> String,
    out: &Path,
) -> Result<ExitCode> {
    if args.json {
        print_json(report)?;
        return Ok(ExitCode::SUCCESS);
    }
    for line in skipped {
        terminal.note(&format!("skipped: {line}"));
    }
    notes.iter().for_each(|line| terminal.note(&format!("note: {line}")));
    if !args.quiet {
        print(&format!("{}{}\n", summary(), out.join("report.html").display()))?;
    }
    Ok(ExitCode::SUCCESS)
}
