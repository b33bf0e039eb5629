//! The one loop over steps: advance, report, ask whether to stop. And its pace.

use std::time::{Duration, Instant};

use super::observer::{Event, Figures, Observer};
use crate::Result;
use crate::method::{History, Session};

/// The most steps between two reports.
pub(crate) const REPORT_EVERY: u32 = 64;

/// How a drive ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// All steps are made.
    Whole,
    /// `after` said to stop.
    Enough,
    /// The observer asked to stop.
    Cancelled,
}

/// Makes the remaining steps in stretches. A stretch ends when the pace says so, and no later than at `next_stop(step)`. `after` runs
/// after each stretch, and returns whether to continue.
///
/// # Errors
/// If the device fails, if a loss is not finite in a batch that does not isolate its images, or if `after` fails.
pub(crate) fn drive(
    session: &mut Session,
    pace: &mut Pace,
    observer: &dyn Observer,
    next_stop: impl Fn(u32) -> u32,
    mut after: impl FnMut(&mut Session, u32) -> Result<bool>,
) -> Result<Ended> {
    // Settings limit the number of steps to far less.
    let total = session.total_steps() as u32;
    loop {
        let step = session.step() as u32;
        if step == total {
            return Ok(Ended::Whole);
        }
        if observer.is_cancelled() {
            return Ok(Ended::Cancelled);
        }
        let count = (next_stop(step).min(total) - step).min(pace.stretch());
        session.submit_at_most(pace.submission());
        pace.time(count, || session.advance(count as usize))?;
        let step = session.step() as u32;
        observer.tell(Event::Steps { step, figures: figures(session) });
        if !after(session, step)? {
            return Ok(Ended::Enough);
        }
    }
}

/// The next step after `step` at which something is due: the next multiple of any of these numbers.
pub(crate) fn next_stop(step: u32, every: impl IntoIterator<Item = u32>) -> u32 {
    every.into_iter().map(|every| (step / every).saturating_add(1).saturating_mul(every)).fold(u32::MAX, u32::min)
}

/// The last step's figures, averaged over the images that have not failed.
fn figures(session: &Session) -> Figures {
    let histories = session.histories().iter().zip(session.failures());
    let well: Vec<&History> = histories.filter(|(_, failure)| failure.is_none()).map(|(history, _)| history).collect();
    let mean = |column: &str| {
        let last = well.iter().filter_map(|history| history.column(column).last());
        last.sum::<f32>() / well.len().max(1) as f32
    };
    Figures {
        loss: mean("loss"),
        logit: mean("logit"),
        probability: mean("probability"),
        objective: well.first().filter(|h| !h.column("objective").is_empty()).map(|_| mean("objective")),
    }
}

/// How long a stretch of steps may take: short enough for a smooth bar and a prompt stop, long enough that reading the
/// losses costs nothing.
const STRETCH: Duration = Duration::from_millis(250);

/// How long a submission should take: short enough for a responsive desktop and far from any driver's watchdog, long
/// enough for the wait between submissions not to matter.
const SUBMISSION: Duration = Duration::from_millis(100);

/// Times the stretches of one process, and sets their length.
pub(crate) struct Pace {
    begun: Instant,
    /// Of each stretch: milliseconds per step, and the number of steps.
    stretches: Vec<(f64, u32)>,
    /// The length of every stretch, if it is fixed.
    fixed: Option<u32>,
}

impl Pace {
    /// Begins now.
    pub(crate) fn new() -> Self {
        Self { begun: Instant::now(), stretches: Vec::new(), fixed: None }
    }

    /// Begins now, with stretches of `steps` steps.
    pub(crate) fn of(steps: u32) -> Self {
        Self { fixed: Some(steps), ..Self::new() }
    }

    /// Steps of the next stretch; 1 before any is timed.
    pub(crate) fn stretch(&self) -> u32 {
        if let Some(steps) = self.fixed {
            return steps;
        }
        let Some(&(step_ms, _)) = self.stretches.last() else { return 1 };
        ((STRETCH.as_secs_f64() * 1e3 / step_ms.max(1e-3)) as u32).max(1)
    }

    /// Steps of a submission; 1 before any is timed.
    fn submission(&self) -> usize {
        self.stretches.last().map_or(1, |&(step_ms, _)| (SUBMISSION.as_secs_f64() * 1e3 / step_ms.max(1e-3)) as usize)
    }

    /// Times `steps` steps.
    pub(crate) fn time<T>(&mut self, steps: u32, make: impl FnOnce() -> T) -> T {
        let begun = Instant::now();
        let made = make();
        self.stretches.push((begun.elapsed().as_secs_f64() * 1e3 / f64::from(steps.max(1)), steps));
        made
    }

    /// Milliseconds per step of each stretch.
    pub(crate) fn stretches_ms(&self) -> impl Iterator<Item = f64> {
        self.stretches.iter().map(|&(step_ms, _)| step_ms)
    }

    /// Steps so far.
    pub(crate) fn steps(&self) -> u32 {
        self.stretches.iter().map(|&(_, steps)| steps).sum()
    }

    /// The median step.
    pub(crate) fn step_ms(&self) -> f64 {
        let mut sorted = self.stretches.clone();
        sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut below = 0;
        let middle = sorted.iter().find(|&&(_, steps)| {
            below += steps;
            2 * below >= self.steps()
        });
        middle.map_or(0.0, |&(step_ms, _)| step_ms)
    }

    /// Milliseconds from the beginning to now.
    pub(crate) fn total_ms(&self) -> f64 {
        self.begun.elapsed().as_secs_f64() * 1e3
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_counts_steps_and_not_stretches() {
        let mut pace = Pace::new();
        assert_eq!((pace.stretch(), pace.step_ms()), (1, 0.0));
        pace.stretches = vec![(90.0, 1), (80.0, 1), (2.0, 100), (3.0, 3)];
        assert_eq!((pace.steps(), pace.step_ms()), (105, 2.0));
        assert_eq!(pace.stretch(), 83);
        pace.stretches.push((1e4, 1));
        assert_eq!((pace.stretch(), pace.submission(), Pace::of(7).stretch()), (1, 0, 7));
    }

    #[test]
    fn stops_at_each_multiple() {
        assert_eq!(next_stop(0, [64, 10]), 10);
        assert_eq!(next_stop(60, [64, 10]), 64);
        assert_eq!(next_stop(64, [64, 50]), 100);
        assert_eq!(next_stop(99, [u32::MAX]), u32::MAX);
        assert_eq!(next_stop(7, []), u32::MAX);
    }
}
