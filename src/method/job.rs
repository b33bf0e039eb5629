//! What is asked for: which class, from which start.

use std::sync::Arc;

use crate::error::{Error, Result};
use crate::networks::Network;
use crate::shape::ImageSpec;

/// One image of a batch.
#[derive(Clone, Debug, PartialEq)]
pub struct Job {
    /// Index of the class.
    pub class: usize,
    /// Seed of the start and of the warps.
    pub seed: u64,
    /// Pixels to start from, `[C,H,W]` in `[0,1]` of [`Settings::image`](super::Settings::image); noise if `None`.
    pub init: Option<Arc<[f32]>>,
}

/// Whether a network can make these, from starts like `image`.
pub(super) fn check_jobs(network: &Network, image: ImageSpec, jobs: &[Job]) -> Result<()> {
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
        if let Some(pixels) = job.init.as_ref().filter(|pixels| pixels.len() != image.len()) {
            let count = pixels.len();
            return Err(Error::input(format!("the initial image has {count} values, but must be {image}")));
        }
    }
    Ok(())
}
