//! All prototypes of a run: one batch after the other, what becomes of those that fail, and how fast it went.

use std::time::Instant;

use crate::error::is_full;
use crate::{Error, Result};
use serde::Serialize;

use super::run_batch::{Ended, Run};
use super::terminal::note;
use crate::lab::disk::check_writable;
use crate::lab::run::slot::{Target, next_batch};

/// How fast prototypes were made, files and plans included.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Throughput {
    pub(crate) prototypes: usize,
    /// The most at once.
    pub(crate) batch: usize,
    pub(crate) seconds: f64,
    pub(crate) images_per_s: f64,
    /// Of each image's every step.
    pub(crate) image_step_ms: f64,
}

impl Throughput {
    fn new(prototypes: usize, batch: usize, image_steps: u64, seconds: f64) -> Self {
        let images_per_s = prototypes as f64 / seconds.max(1e-9);
        Self { prototypes, batch, seconds, images_per_s, image_step_ms: seconds * 1e3 / image_steps.max(1) as f64 }
    }

    /// A line.
    pub(crate) fn text(&self) -> String {
        let Self { prototypes, batch, seconds, images_per_s, image_step_ms } = self;
        let s = if *prototypes == 1 { "" } else { "s" };
        format!(
            "{prototypes} prototype{s} in {seconds:.1} s, batches of {batch}: {images_per_s:.3} images/s, \
                 {image_step_ms:.2} ms per image and step"
        )
    }
}

/// How all of it ended.
pub(crate) enum Done {
    /// Every target is made or has failed.
    All(Throughput),
    /// The user stopped it after so many steps of a batch.
    Interrupted(u32),
}

/// Makes what is open of the targets, at most `most` at once, and fewer where the adapter has not the memory for so many
/// and `may_shrink` says that they need not be.
///
/// # Errors
/// If the device fails. What concerns one prototype alone is kept in its target, and the others go on.
pub(crate) fn make_all(run: &Run, targets: &mut [Target], most: usize, may_shrink: bool) -> Result<Done> {
    let (begun, total) = (Instant::now(), u64::from(run.settings.total_steps()));
    let mut most = most.max(1);
    let mut largest = 0;
    loop {
        if let Some(error) = no_room(targets) {
            let rest = targets.iter_mut().filter(|target| target.is_open());
            rest.for_each(|target| target.failed = Some(Error::Device(format!("not started: {error}"))));
        }
        let batch = next_batch(targets, most);
        let size = batch.len();
        if size == 0 {
            break;
        }
        match run.make(batch) {
            Ok(Ended::Finished) => largest = largest.max(size),
            Ok(Ended::Interrupted(step)) => return Ok(Done::Interrupted(step)),
            Err(Error::OutOfMemory(why)) if may_shrink && size > 1 => {
                most = size / 2;
                // What was made of the larger one is given back first.
                run.context.wait()?;
                if !run.quiet {
                    note(&format!("{why}; continuing with batches of {most}"));
                }
            }
            Err(error) => return Err(error),
        }
    }
    let made: Vec<&Target> = targets.iter().filter(|target| target.made.is_some()).collect();
    let image_steps = made.iter().map(|target| total.saturating_sub(target.step().into())).sum();
    Ok(Done::All(Throughput::new(made.len(), largest, image_steps, begun.elapsed().as_secs_f64())))
}

/// Why there is no use in beginning another batch: a disk was full, and still is.
fn no_room(targets: &[Target]) -> Option<Error> {
    let full = |error: &Error| matches!(error, Error::Io { source, .. } if is_full(source.kind()));
    targets.iter().find(|target| target.failed.as_ref().is_some_and(full))?;
    let open = targets.iter().filter(|target| target.is_open());
    check_writable(open.map(|target| target.folder.path())).err()
}

/// The message of a run of which some or all prototypes failed.
pub(crate) fn failures_text(targets: &[Target]) -> Option<String> {
    let failed = || targets.iter().filter_map(|target| Some((target, target.failed.as_ref()?)));
    let (count, all) = (failed().count(), targets.len());
    if count == 0 {
        return None;
    }
    let line = |(target, error): (&Target, &Error)| format!("\n  {}: {error}", target.folder.path().display());
    Some(format!("{count} of {all} prototypes failed:{}", failed().map(line).collect::<String>()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn throughput_counts_images_and_their_steps() {
        let text = Throughput::new(3, 2, 3 * 512, 15.36).text();
        assert_eq!(text, "3 prototypes in 15.4 s, batches of 2: 0.195 images/s, 10.00 ms per image and step");
    }
}
