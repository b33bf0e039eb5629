//! Shares of images with confidence intervals, and tests for a difference between two shares.
//!
//! Accuracies are often close to 0 or 1 and groups may be small. There, a normal approximation gives limits beyond 1 and calls chance
//! differences real. So intervals are Wilson's and tests are exact: Fisher's for groups of different images, McNemar's for pairs.

use serde::{Deserialize, Serialize};
use statrs::distribution::{Binomial, Discrete, Hypergeometric};

/// The 97.5 % quantile of the standard normal distribution: every interval is one of 95 %.
const Z: f64 = 1.959_963_984_540_054;

/// A value with its 95 % interval.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Interval {
    /// The value.
    pub(crate) value: f64,
    /// The lower limit.
    pub(crate) low: f64,
    /// The upper limit.
    pub(crate) high: f64,
}

/// A number of hits among at least one trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Count {
    /// Trials with the property.
    pub(crate) hits: usize,
    /// All trials.
    pub(crate) of: usize,
}

impl Count {
    /// The share.
    pub(crate) fn share(self) -> f64 {
        self.hits as f64 / self.of as f64
    }

    /// The share with Wilson's interval, which stays within `[0,1]`: the shares p with `|p̂ − p| ≤ z·√(p(1−p)/n)`.
    pub(crate) fn wilson(self) -> Interval {
        let (n, p) = (self.of as f64, self.share());
        let centre = (p + Z * Z / (2.0 * n)) / (1.0 + Z * Z / n);
        let half = Z / (1.0 + Z * Z / n) * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
        // At 0 and 1 the limit is the share itself, up to rounding.
        let low = if self.hits == 0 { 0.0 } else { (centre - half).max(0.0) };
        let high = if self.hits == self.of { 1.0 } else { (centre + half).min(1.0) };
        Interval { value: p, low, high }
    }
}

/// `a − b` for groups of different images, with Newcombe's hybrid interval from Wilson's limits (1998, his method 10).
pub(crate) fn difference(a: Count, b: Count) -> Interval {
    hybrid(a.wilson(), b.wilson(), 0.0)
}

/// The same for two shares with correlation `phi`.
fn hybrid(a: Interval, b: Interval, phi: f64) -> Interval {
    let root = |x: f64, y: f64| (x * x - 2.0 * phi * x * y + y * y).max(0.0).sqrt();
    let value = a.value - b.value;
    let (down, up) = (root(a.value - a.low, b.high - b.value), root(a.high - a.value, b.value - b.low));
    Interval { value, low: value - down, high: value + up }
}

/// Cohen's h, `2·asin √a − 2·asin √b`: 0.2 is called small, 0.5 medium, 0.8 large.
pub(crate) fn cohens_h(a: Count, b: Count) -> f64 {
    let angle = |count: Count| 2.0 * libm::asin(count.share().sqrt());
    angle(a) - angle(b)
}

/// Fisher's exact test, two-sided: the probability, under chance alone, of a table with the same margins that is
/// at most as likely as this one.
pub(crate) fn fisher(a: Count, b: Count) -> f64 {
    // As in R, tables that are equally likely up to rounding count.
    const TIES: f64 = 1.0 + 1e-7;
    let (population, hits, draws) = (a.of + b.of, a.hits + b.hits, a.of);
    let tables = Hypergeometric::new(population as u64, hits as u64, draws as u64);
    let tables = tables.expect("neither more hits nor more draws than there are");
    // In logarithms, because the crate's own probabilities are quotients that overflow above a few thousand images.
    let probability = |hits: usize| tables.ln_pmf(hits as u64).exp();
    let seen = probability(a.hits) * TIES;
    let possible = hits.saturating_sub(b.of)..=hits.min(draws);
    let sum: f64 = possible.map(probability).filter(|&p| p <= seen).sum();
    sum.min(1.0)
}

/// Pairs of images, counted by which of the two have the property.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pairs {
    /// Both.
    pub(crate) both: usize,
    /// Only the first.
    pub(crate) first: usize,
    /// Only the second.
    pub(crate) second: usize,
    /// Neither.
    pub(crate) neither: usize,
}

impl Pairs {
    /// Counts pairs.
    pub(crate) fn of(pairs: impl IntoIterator<Item = (bool, bool)>) -> Self {
        let mut counts = Self::default();
        for pair in pairs {
            *match pair {
                (true, true) => &mut counts.both,
                (true, false) => &mut counts.first,
                (false, true) => &mut counts.second,
                (false, false) => &mut counts.neither,
            } += 1;
        }
        counts
    }

    /// `first − second`, with Newcombe's hybrid interval for pairs (1998, his method 10 for paired shares): like
    /// [`difference`], with the correlation of the two, shrunk by half a pair.
    pub(crate) fn difference(self) -> Interval {
        let Self { both, first, second, neither } = self;
        let of = both + first + second + neither;
        let (a, b) = (Count { hits: both + first, of }, Count { hits: both + second, of });
        let [both, first, second, neither] = [both, first, second, neither].map(|count| count as f64);
        let margins = (both + first) * (second + neither) * (both + second) * (first + neither);
        let covariance = match both * neither - first * second {
            positive if positive > 0.0 => (positive - of as f64 / 2.0).max(0.0),
            other => other,
        };
        let phi = if margins > 0.0 { covariance / margins.sqrt() } else { 0.0 };
        hybrid(a.wilson(), b.wilson(), phi)
    }

    /// McNemar's exact test: the probability, if both orders of a pair are equally likely, of discordant pairs at least as uneven as these.
    pub(crate) fn mcnemar(self) -> f64 {
        let (fewer, of) = (self.first.min(self.second) as u64, (self.first + self.second) as u64);
        let fair = Binomial::new(0.5, of).expect("a half is a probability");
        if self.first == self.second {
            return 1.0;
        }
        let tail: f64 = (0..=fewer).map(|k| fair.ln_pmf(k).exp()).sum();
        (2.0 * tail).min(1.0)
    }
}
