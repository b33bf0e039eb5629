//! What is asked for: which class, from which start.

use std::sync::Arc;

use crate::error::{Error, Result};
use crate::networks::Network;

/// One image of a batch.
#[derive(Clone, Debug, PartialEq)]
pub struct Job {
    /// Index of the class.
    pub class: usize,
    /// Seed of the start and of the warps.
    pub seed: u64,
    /// Pixels to start from, `[3,side,side]` in `[0,1]` of the settings' `image_side`; noise if `None`.
    pub init: Option<Arc<[f32]>>,
}

/// Whether a network can make these.
pub(super) fn check_jobs(network: &Network, side: usize, jobs: &[Job]) -> Result<()> {
    if jobs.is_empty() {
        return Err(Error::input("there are no jobs: give at least one"));
    }
    let classes = network.classes();
    for job in jobs {
        if job.class >= classes {
            let class = job.class;
            return Err(Error::input(format!(
                "class {class} is out of range: {network:?} has classes 0 to {}",
                classes - 1
            )));
        }
        if job.init.as_ref().is_some_and(|pixels| pixels.len() != 3 * side * side) {
            return Err(Error::input(format!(
                "the initial image does not have three channels of {side}x{side} pixels"
            )));
        }
    }
    Ok(())
}
