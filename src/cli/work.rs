//! Work on an adapter that Ctrl-C stops.

use std::process::ExitCode;

use super::args::AdapterArgs;
use super::interrupt;
use super::terminal::{INTERRUPTED, note};
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
