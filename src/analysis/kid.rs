//! KID: how far features of prototypes are from those of photographs (Bińkowski, Sutherland, Arbel and Gretton, "Demystifying MMD GANs",
//! 2018). It is the unbiased estimate of the squared maximum mean discrepancy with the kernel `k(x,y) = (x·y/d + 1)³`:
//!
//! `MMD² = Σ_{i≠j} k(x_i,x_j) / n(n−1) + Σ_{i≠j} k(y_i,y_j) / m(m−1) − 2 Σ k(x_i,y_j) / nm`
//!
//! The estimate of two samples of one distribution is 0 on average, so it may be negative.

use serde::{Deserialize, Serialize};

use super::study::Interval;
use super::study::resample::{Draws, Purpose, Resampling, drawn, mean, percentile_interval_95};

/// The most images on each side.
pub(crate) const MOST: usize = 1000;
/// With fewer images on a side, the report says so.
const FEW: usize = 50;

/// An image's class and features `[D]`.
#[derive(Clone, Debug)]
pub(crate) struct Featured {
    pub(crate) class: usize,
    pub(crate) features: Vec<f32>,
}

/// KID between prototypes and photographs, and yardsticks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Kid {
    /// The images behind the numbers, at most [`MOST`] on each side.
    pub(crate) prototypes: usize,
    pub(crate) photographs: usize,
    /// KID between prototypes and photographs, with the middle 95 % of resamples of both. `None` for fewer than two on a side.
    pub(crate) kid: Option<Interval>,
    /// KID between as many photographs of each class as there are prototypes, and the other photographs: the mean and the middle 95 %
    /// of random choices. `None` if there are too few photographs.
    pub(crate) instead: Option<Interval>,
    /// KID between two halves of the photographs, which have the same number of each class up to one: the mean and the middle 95 % of
    /// random halves. `None` for fewer than four photographs.
    pub(crate) halves: Option<Interval>,
    /// What is missing or uncertain because there are few images.
    pub(crate) notes: Vec<String>,
}

impl Kid {
    /// From the features of prototypes and photographs of the same classes. If there are more than [`MOST`] of either, evenly spaced ones
    /// are taken.
    pub(crate) fn of(prototypes: &[&Featured], photographs: &[&Featured], resampling: Resampling) -> Self {
        let (x, y) = (spaced(prototypes, MOST), spaced(photographs, MOST));
        let grams = Grams { xx: gram(&x, &x), yy: gram(&y, &y), xy: gram(&x, &y) };
        let (n, m) = (x.len(), y.len());
        let kid = grams.mmd2(&vec![1.0; n], &vec![1.0; m]).map(|value| {
            let resampled = |draws: &mut Draws| {
                let (x, y) = (with_replacement(n, draws), with_replacement(m, draws));
                grams.mmd2(&x, &y)
            };
            let (low, high) = middle(&mut drawn(Purpose::KidResample, resampling, resampled)).unwrap_or((value, value));
            Interval { value, low, high }
        });
        let classes: Vec<usize> = y.iter().map(|one| one.class).collect();
        // One part of the photographs against the rest.
        let parts = |purpose, part: &(dyn Fn(&mut Draws) -> Option<Vec<bool>> + Sync)| {
            let one = |draws: &mut Draws| {
                let part = part(draws)?;
                let [a, b] = [true, false].map(|side| part.iter().map(|&is| f64::from(is == side)).collect::<Vec<_>>());
                mmd2([&grams.yy, &grams.yy, &grams.yy], &a, &b)
            };
            let mut values = drawn(purpose, resampling, one);
            let (low, high) = middle(&mut values)?;
            Some(Interval { value: mean(&values), low, high })
        };
        let halves = parts(Purpose::KidHalves, &|draws| Some(halves(&classes, draws)));
        let wanted: Vec<usize> = x.iter().map(|one| one.class).collect();
        let instead = parts(Purpose::KidInstead, &|draws| chosen(&classes, &wanted, draws));
        Self { prototypes: n, photographs: m, kid, instead, halves, notes: notes(n, m, kid, instead, halves) }
    }
}

/// What few images mean for the numbers.
fn notes(
    n: usize,
    m: usize,
    kid: Option<Interval>,
    instead: Option<Interval>,
    halves: Option<Interval>,
) -> Vec<String> {
    let mut notes = Vec::new();
    if kid.is_none() {
        notes.push(format!("KID needs at least two prototypes and two photographs, but there are {n} and {m}"));
    } else if n.min(m) < FEW {
        notes
            .push(format!("KID of fewer than {FEW} images is uncertain: compare intervals and yardsticks, not values"));
    }
    if halves.is_none() {
        notes.push(format!("there are too few photographs to compare two halves: {m}, where at least 4 are needed"));
    }
    if kid.is_some() && instead.is_none() {
        let what =
            "there are too few photographs to take as many of each class as there are prototypes, and to leave two";
        notes.push(what.to_owned());
    }
    notes
}

/// `k(x,y) = (x·y/d + 1)³`.
fn kernel(x: &[f32], y: &[f32]) -> f64 {
    let dot: f64 = x.iter().zip(y).map(|(&x, &y)| f64::from(x) * f64::from(y)).sum();
    let base = dot / x.len().max(1) as f64 + 1.0;
    base * base * base
}

/// The kernel of each pair, a row for each image of `a`.
fn gram(a: &[&Featured], b: &[&Featured]) -> Vec<Vec<f64>> {
    a.iter().map(|a| b.iter().map(|b| kernel(&a.features, &b.features)).collect()).collect()
}

/// The kernels within both samples and between them.
struct Grams {
    xx: Vec<Vec<f64>>,
    yy: Vec<Vec<f64>>,
    xy: Vec<Vec<f64>>,
}

impl Grams {
    fn mmd2(&self, x: &[f64], y: &[f64]) -> Option<f64> {
        mmd2([&self.xx, &self.yy, &self.xy], x, y)
    }
}

/// The estimate for samples that have each image as often as its weight says. Pairs of an image with itself do not count. `None` if a sample
/// has fewer than two images.
fn mmd2([xx, yy, xy]: [&[Vec<f64>]; 3], x: &[f64], y: &[f64]) -> Option<f64> {
    let total = |weights: &[f64]| weights.iter().sum::<f64>();
    let within = |k: &[Vec<f64>], w: &[f64]| {
        let pairs = total(w).powi(2) - w.iter().map(|w| w * w).sum::<f64>();
        let sum: f64 = weighted(k, w, w) - w.iter().enumerate().map(|(i, w)| w * w * k[i][i]).sum::<f64>();
        (pairs > 0.0).then(|| sum / pairs)
    };
    let between = weighted(xy, x, y) / (total(x) * total(y));
    Some(within(xx, x)? + within(yy, y)? - 2.0 * between)
}

/// `Σ a_i b_j k_ij`.
fn weighted(k: &[Vec<f64>], a: &[f64], b: &[f64]) -> f64 {
    let row = |(&a, row): (&f64, &Vec<f64>)| a * row.iter().zip(b).map(|(k, b)| k * b).sum::<f64>();
    a.iter().zip(k).filter(|(a, _)| **a != 0.0).map(row).sum()
}

fn middle(values: &mut [f64]) -> Option<(f64, f64)> {
    (!values.is_empty()).then(|| {
        let [low, high] = percentile_interval_95(values);
        (low, high)
    })
}

/// How often each of `count` images is among as many that are drawn with replacement.
fn with_replacement(count: usize, draws: &mut Draws) -> Vec<f64> {
    let mut times = vec![0.0; count];
    (0..count).for_each(|_| times[draws.below(count)] += 1.0);
    times
}

/// The places of each class, shuffled.
fn shuffled(classes: &[usize], draws: &mut Draws) -> Vec<Vec<usize>> {
    let mut places: Vec<usize> = (0..classes.len()).collect();
    places.sort_by_key(|&place| classes[place]);
    let by_class = places.chunk_by_mut(|&a, &b| classes[a] == classes[b]);
    let shuffle = |places: &mut [usize]| {
        for at in 0..places.len() {
            places.swap(at, at + draws.below(places.len() - at));
        }
        places.to_vec()
    };
    by_class.map(shuffle).collect()
}

/// Which images are in the first half.
fn halves(classes: &[usize], draws: &mut Draws) -> Vec<bool> {
    let mut first = vec![false; classes.len()];
    for (at, place) in shuffled(classes, draws).into_iter().flatten().enumerate() {
        first[place] = at % 2 == 0;
    }
    first
}

/// A choice of images of the wanted classes. `None` if a class has too few.
fn chosen(classes: &[usize], wanted: &[usize], draws: &mut Draws) -> Option<Vec<bool>> {
    let mut is_chosen = vec![false; classes.len()];
    let by_class = shuffled(classes, draws);
    let mut left: Vec<usize> = wanted.to_vec();
    for places in by_class {
        let class = classes[places[0]];
        let count = left.iter().filter(|&&wanted| wanted == class).count();
        left.retain(|&wanted| wanted != class);
        places.get(..count)?.iter().for_each(|&place| is_chosen[place] = true);
    }
    left.is_empty().then_some(is_chosen)
}

/// At most `most` items, evenly spaced.
pub(crate) fn spaced<T: Copy>(all: &[T], most: usize) -> Vec<T> {
    let count = all.len().min(most);
    (0..count).map(|at| all[at * all.len() / count]).collect()
}
