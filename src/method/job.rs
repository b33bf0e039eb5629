//! The request for one image: its class and its start.

use std::sync::Arc;

use crate::error::{Error, Result};
use crate::networks::Network;
use crate::shape::ImageSpec;

/// One image of a batch.
#[derive(Clone, Debug, PartialEq)]
pub struct Job {
    /// Index of the class.
    pub class: usize,
    /// Seed of the start and of the transforms.
    pub seed: u64,
    /// Pixels to start from, `[C,H,W]` in `[0,1]`, of the shape of [`Settings::image`](super::Settings::image). `None` starts from
    /// noise.
    pub init: Option<Arc<[f32]>>,
}

/// Checks that the network has the classes of all jobs, and that initial images have the shape `image`.
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
