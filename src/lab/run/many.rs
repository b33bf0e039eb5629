//! All prototypes of a run, batch after batch.

use std::time::Instant;

use super::batch::{BatchEnd, Run};
use super::slot::{RunSlot, next_batch};
use crate::error::is_full;
use crate::lab::disk::check_writable;
use crate::lab::observer::Note;
use crate::lab::pictures::Tally;
use crate::{Error, Result};
use serde::Serialize;

/// The speed of a run, including plans and files.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Throughput {
    pub(crate) prototypes: usize,
    /// The size of the largest batch.
    pub(crate) batch: usize,
    pub(crate) seconds: f64,
    pub(crate) images_per_s: f64,
    /// The time per image and step.
    pub(crate) image_step_ms: f64,
}

impl Throughput {
    fn new(prototypes: usize, batch: usize, image_steps: u64, seconds: f64) -> Self {
        let images_per_s = prototypes as f64 / seconds.max(1e-9);
        Self { prototypes, batch, seconds, images_per_s, image_step_ms: seconds * 1e3 / image_steps.max(1) as f64 }
    }
}

/// How all of it ended.
pub(crate) enum Done {
    /// Every slot is made or has failed.
    All(Throughput),
    /// The observer stopped the run after this step of a batch.
    Cancelled(u32),
}

/// Makes the open slots in batches of at most `most`. If the adapter runs out of memory and `may_shrink` is set, continues with smaller
/// batches.
///
/// # Errors
/// If the device fails. If one prototype fails, its slot has the error, and the others continue.
pub(crate) fn make_all(run: &Run, slots: &mut [RunSlot], most: usize, may_shrink: bool) -> Result<Done> {
    let (begun, total) = (Instant::now(), u64::from(run.settings.total_steps()));
    let mut tally = Tally::default();
    slots.iter().filter_map(|slot| slot.start.as_ref()).for_each(|start| start.count(&mut tally));
    tally.note().iter().for_each(|note| run.observer.note(Note::Pictures(note)));
    let mut most = most.max(1);
    let mut largest = 0;
    loop {
        if let Some(error) = no_room(slots) {
            let rest = slots.iter_mut().filter(|slot| slot.is_open());
            rest.for_each(|slot| slot.failed = Some(Error::Device(format!("not started: {error}"))));
        }
        let batch = next_batch(slots, most);
        let size = batch.len();
        if size == 0 {
            break;
        }
        match run.make(batch) {
            Ok(BatchEnd::Finished) => largest = largest.max(size),
            Ok(BatchEnd::Cancelled(step)) => return Ok(Done::Cancelled(step)),
            // Seeds that are compared with each other stay together.
            Err(error)
                if may_shrink
                    && size > 1
                    && matches!(error.cause(), Error::OutOfMemory(_))
                    && next_batch(slots, size / 2).len() < size =>
            {
                most = size / 2;
                // Free the memory of the larger batch first.
                run.context.wait()?;
                run.observer.note(Note::BatchShrinks { why: &error, most });
            }
            Err(error) => return Err(error),
        }
    }
    let made: Vec<&RunSlot> = slots.iter().filter(|slot| slot.top.is_some()).collect();
    let image_steps = made.iter().map(|slot| total.saturating_sub(slot.step().into())).sum();
    Ok(Done::All(Throughput::new(made.len(), largest, image_steps, begun.elapsed().as_secs_f64())))
}

/// The error of a disk that was full and still is; then no other batch should begin.
fn no_room(slots: &[RunSlot]) -> Option<Error> {
    let full = |error: &Error| matches!(error.cause(), Error::Io { source, .. } if is_full(source.kind()));
    slots.iter().find(|slot| slot.failed.as_ref().is_some_and(full))?;
    let open = slots.iter().filter(|slot| slot.is_open());
    check_writable(open.map(|slot| slot.folder.path())).err()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn throughput_counts_images_and_their_steps() {
        let throughput = Throughput::new(3, 2, 3 * 512, 15.36);
        assert_eq!((throughput.prototypes, throughput.batch, throughput.image_step_ms), (3, 2, 10.0));
        assert!((throughput.images_per_s - 0.195_312_5).abs() < 1e-12, "{}", throughput.images_per_s);
    }
}
