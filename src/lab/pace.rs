//! How fast steps go: how many fit between two looks at the clock, and what is reported in the end.

use std::time::{Duration, Instant};

/// How long a stretch of steps may take: short enough for a smooth bar and a prompt stop, long enough that reading the
/// losses costs nothing.
const STRETCH: Duration = Duration::from_millis(250);

/// The steps of one process, timed by stretches.
pub(crate) struct Pace {
    begun: Instant,
    /// Milliseconds a step and number of steps of each stretch.
    stretches: Vec<(f64, u32)>,
}

impl Pace {
    /// Begins now.
    pub(crate) fn new() -> Self {
        Self { begun: Instant::now(), stretches: Vec::new() }
    }

    /// Steps of the next stretch: one until it is known how long that takes.
    pub(crate) fn stretch(&self) -> u32 {
        let Some(&(step_ms, _)) = self.stretches.last() else { return 1 };
        ((STRETCH.as_secs_f64() * 1e3 / step_ms.max(1e-3)) as u32).max(1)
    }

    /// Times `steps` steps.
    pub(crate) fn time<T>(&mut self, steps: u32, make: impl FnOnce() -> T) -> T {
        let begun = Instant::now();
        let made = make();
        self.stretches.push((begun.elapsed().as_secs_f64() * 1e3 / f64::from(steps.max(1)), steps));
        made
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

    /// From the beginning to now.
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
        assert_eq!(pace.stretch(), 1);
    }
}
