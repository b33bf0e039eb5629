//! Means and their differences without assumptions about the distribution of values: bootstrap and permutations.
//!
//! Probabilities lie near 0 and 1 and rarely between, so methods that assume a normal distribution do not fit.

use std::cmp::Ordering;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use rayon::prelude::*;

use super::proportion::Interval;

/// The purpose of draws, which is the second word of the key.
#[derive(Clone, Copy, Debug)]
pub(in crate::analysis) enum Purpose {
    Bootstrap = 0,
    Permutation = 1,
    KidResample = 2,
    KidHalves = 3,
    KidInstead = 4,
}

/// Random whole numbers. Each resample has its own stream, keyed by purpose, seed and index, so resamples can run
/// on all cores and in any order.
pub(in crate::analysis) struct Draws(ChaCha8Rng);

impl Draws {
    pub(in crate::analysis) fn new(purpose: Purpose, seed: u64, index: usize) -> Self {
        let mut key = [0; 32];
        key[..8].copy_from_slice(b"study/01");
        key[8..16].copy_from_slice(&(purpose as u64).to_le_bytes());
        key[16..24].copy_from_slice(&seed.to_le_bytes());
        let mut rng = ChaCha8Rng::from_seed(key);
        rng.set_stream(index as u64);
        Self(rng)
    }

    /// A number in `0..count`. The bias of reducing 64 bits is negligible.
    pub(in crate::analysis) fn below(&mut self, count: usize) -> usize {
        ((u128::from(self.0.next_u64()) * count as u128) >> 64) as usize
    }
}

/// The number and seed of resamples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Resampling {
    /// The number of resamples.
    pub(crate) count: usize,
    /// The seed.
    pub(crate) seed: u64,
}

/// The mean of at least one value.
pub(crate) fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// The mean with its bootstrap interval: the middle 95 % of the means of equally many values, drawn with replacement.
pub(crate) fn bootstrap_mean(values: &[f64], resampling: Resampling) -> Interval {
    bootstrap(mean(values), resampling, |draws| drawn_mean(values, draws))
}

/// The same for `mean a − mean b` of two groups, each resampled separately.
pub(crate) fn bootstrap_difference(a: &[f64], b: &[f64], resampling: Resampling) -> Interval {
    bootstrap(mean(a) - mean(b), resampling, |draws| drawn_mean(a, draws) - drawn_mean(b, draws))
}

fn bootstrap(value: f64, resampling: Resampling, one: impl Fn(&mut Draws) -> f64 + Sync) -> Interval {
    let mut means = drawn(Purpose::Bootstrap, resampling, |draws| Some(one(draws)));
    let [low, high] = percentile_interval_95(&mut means);
    Interval { value, low, high }
}

/// A value for each resample; those that are undefined are left out.
pub(in crate::analysis) fn drawn(
    purpose: Purpose,
    Resampling { count, seed }: Resampling,
    one: impl Fn(&mut Draws) -> Option<f64> + Sync,
) -> Vec<f64> {
    (0..count).into_par_iter().filter_map(|index| one(&mut Draws::new(purpose, seed, index))).collect()
}

fn drawn_mean(values: &[f64], draws: &mut Draws) -> f64 {
    (0..values.len()).map(|_| values[draws.below(values.len())]).sum::<f64>() / values.len() as f64
}

/// The 2.5 % and 97.5 % quantiles, interpolated linearly as in NumPy.
pub(crate) fn percentile_interval_95(values: &mut [f64]) -> [f64; 2] {
    values.sort_by(f64::total_cmp);
    [0.025, 0.975].map(|share| {
        let place = share * (values.len() - 1) as f64;
        let (below, part) = (place.floor() as usize, place.fract());
        let above = (below + 1).min(values.len() - 1);
        values[below] + (values[above] - values[below]) * part
    })
}

/// The two-sided p-value of a permutation test of `mean a − mean b`: twice the share of the rarer side among the ways to divide the
/// same values between the two groups. It uses all ways if there are at most as many as resamples, otherwise that many random ones plus
/// the observed one.
pub(crate) fn permutation(a: &[f64], b: &[f64], resampling: Resampling) -> f64 {
    let pooled: Vec<f64> = a.iter().chain(b).copied().collect();
    let total: f64 = pooled.iter().map(|x| x.abs()).sum();
    // The difference depends only on the sum of the first group, and rises with it.
    let seen: f64 = a.iter().sum();
    let tail = Tail::beside(seen, total);
    if ways(pooled.len(), a.len()).is_some_and(|ways| ways <= resampling.count) {
        let mut sides = Sides::default();
        each_combination(&pooled, a.len(), &mut |sum| sides.count(tail.side(sum)));
        return sides.p_value(0);
    }
    let dealt = |index: usize| {
        let mut draws = Draws::new(Purpose::Permutation, resampling.seed, index);
        let mut values = pooled.clone();
        // A partial shuffle, as long as the group.
        (0..a.len())
            .map(|at| {
                let other = at + draws.below(values.len() - at);
                values.swap(at, other);
                values[at]
            })
            .sum()
    };
    at_random(resampling, tail, dealt)
}

/// The same for the mean of the `differences` of pairs, by exchanging the two values of each pair.
pub(crate) fn sign_flips(differences: &[f64], resampling: Resampling) -> f64 {
    let seen: f64 = differences.iter().sum();
    let tail = Tail::beside(seen, differences.iter().map(|d| d.abs()).sum());
    if differences.len() < 32 && 1 << differences.len() <= resampling.count {
        let mut sides = Sides::default();
        for signs in 0..1u32 << differences.len() {
            let flipped = |(at, d): (usize, &f64)| if signs >> at & 1 == 1 { -d } else { *d };
            sides.count(tail.side(differences.iter().enumerate().map(flipped).sum()));
        }
        return sides.p_value(0);
    }
    let flipped = |index: usize| {
        let mut draws = Draws::new(Purpose::Permutation, resampling.seed, index);
        differences.iter().map(|&d| if draws.below(2) == 1 { -d } else { d }).sum()
    };
    at_random(resampling, tail, flipped)
}

fn at_random(resampling: Resampling, tail: Tail, sum: impl Fn(usize) -> f64 + Sync) -> f64 {
    let sides = (0..resampling.count).into_par_iter().map(|index| {
        let mut sides = Sides::default();
        sides.count(tail.side(sum(index)));
        sides
    });
    // The observed way counts too, so no p-value is 0.
    sides.reduce(Sides::default, Sides::add).p_value(1)
}

/// Compares sums with the observed one.
#[derive(Clone, Copy)]
struct Tail {
    seen: f64,
    /// Sums closer than this are equal: they have the same terms in another order.
    rounding: f64,
}

impl Tail {
    fn beside(seen: f64, largest: f64) -> Self {
        Self { seen, rounding: 1e-12 * seen.abs().max(largest.abs()) }
    }

    fn side(self, sum: f64) -> Ordering {
        match sum - self.seen {
            close if close.abs() <= self.rounding => Ordering::Equal,
            less if less < 0.0 => Ordering::Less,
            _ => Ordering::Greater,
        }
    }
}

/// The numbers of ways below, at and above the observed sum.
#[derive(Clone, Copy, Default)]
struct Sides {
    below: usize,
    at: usize,
    above: usize,
}

impl Sides {
    fn count(&mut self, side: Ordering) {
        *match side {
            Ordering::Less => &mut self.below,
            Ordering::Equal => &mut self.at,
            Ordering::Greater => &mut self.above,
        } += 1;
    }

    fn add(self, other: Self) -> Self {
        Self { below: self.below + other.below, at: self.at + other.at, above: self.above + other.above }
    }

    /// Twice the share of the rarer side, with `more` additional ways equal to the observed one.
    fn p_value(self, more: usize) -> f64 {
        let all = (self.below + self.at + self.above + more) as f64;
        (2.0 * (self.below.min(self.above) + self.at + more) as f64 / all).min(1.0)
    }
}

/// The number of ways to choose `k` of `n`; `None` if it exceeds the possible number of resamples.
fn ways(n: usize, k: usize) -> Option<usize> {
    let k = k.min(n - k);
    let ways = (0..k as u64)
        .try_fold(1u64, |ways, at| Some(ways.checked_mul(n as u64 - at)? / (at + 1)).filter(|&ways| ways < 1 << 40))?;
    usize::try_from(ways).ok()
}

/// The sum of every choice of `k` values.
fn each_combination(values: &[f64], k: usize, hear: &mut impl FnMut(f64)) {
    let mut chosen: Vec<usize> = (0..k).collect();
    loop {
        hear(chosen.iter().map(|&at| values[at]).sum());
        // Advance the last index that can move, and put the following ones right behind it.
        let Some(at) = (0..k).rev().find(|&at| chosen[at] < values.len() - k + at) else { return };
        chosen[at] += 1;
        for next in at + 1..k {
            chosen[next] = chosen[next - 1] + 1;
        }
    }
}

/// Cliff's delta: how much more often a value of `a` is above one of `b` than below it, from −1 to 1. 0.15 is called small,
/// 0.33 medium, 0.47 large. Unlike a difference in standard deviations, it is meaningful for any distribution.
pub(crate) fn cliffs_delta(a: &[f64], b: &[f64]) -> f64 {
    let mut sorted = b.to_vec();
    sorted.sort_by(f64::total_cmp);
    let lead = |&x: &f64| {
        let (below, not_above) = (sorted.partition_point(|&y| y < x), sorted.partition_point(|&y| y <= x));
        below as f64 - (sorted.len() - not_above) as f64
    };
    a.iter().map(lead).sum::<f64>() / (a.len() as f64 * b.len() as f64)
}

/// Holm's correction: bounds the probability of any false finding among all tests by the level of one test.
pub(crate) fn holm(p_values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|&a, &b| p_values[a].total_cmp(&p_values[b]));
    let mut adjusted = vec![0.0; p_values.len()];
    let mut least = 0.0f64;
    for (rank, &at) in order.iter().enumerate() {
        least = least.max(p_values[at] * (p_values.len() - rank) as f64).min(1.0);
        adjusted[at] = least;
    }
    adjusted
}
