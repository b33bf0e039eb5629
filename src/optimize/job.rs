//! What is asked for: which class, from which start.

use crate::error::{Error, Result};
use crate::nets::Network;

/// One image of a batch.
#[derive(Clone, Debug, PartialEq)]
pub struct Job {
    /// Index of the class.
    pub class: usize,
    /// Seed of the start and of the warps.
    pub seed: u64,
    /// Pixels to start from, `[3,H,W]` in `[0,1]`; drawn from U[0,1) if `None`.
    pub init: Option<Vec<f32>>,
}

/// Whether a network can make these.
pub(super) fn check_jobs(network: &Network, jobs: &[Job]) -> Result<()> {
    if jobs.is_empty() {
        return Err(Error::input("there is no class to make a prototype of"));
    }
    let (classes, input) = (network.classes(), network.input());
    for job in jobs {
        if job.class >= classes {
            let class = job.class;
            return Err(Error::input(format!(
                "class {class} is out of range: {network:?} counts from 0 to {}",
                classes - 1
            )));
        }
        if job.init.as_ref().is_some_and(|pixels| pixels.len() != input.image_len()) {
            return Err(Error::input(format!(
                "the image to start from does not have the network's input shape {input}"
            )));
        }
    }
    Ok(())
}
