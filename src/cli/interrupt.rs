//! Ctrl-C. The first asks the work to stop and keep its state; the second ends the process at once.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::{Error, Result};

use super::terminal::{INTERRUPTED, note};

static REQUESTED: AtomicBool = AtomicBool::new(false);

/// Begins to listen to Ctrl-C, and to SIGTERM and SIGHUP.
pub(crate) fn listen() -> Result<()> {
    let heard = || {
        if REQUESTED.swap(true, Ordering::SeqCst) {
            std::process::exit(INTERRUPTED.into());
        }
        note("finishing the current steps and keeping them; press Ctrl-C again to quit at once");
    };
    ctrlc::set_handler(heard).map_err(|source| Error::Device(format!("cannot listen for Ctrl-C: {source}")))
}

/// Whether the user asked to stop.
pub(crate) fn requested() -> bool {
    REQUESTED.load(Ordering::SeqCst)
}
