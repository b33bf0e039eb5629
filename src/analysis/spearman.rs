//! Spearman's rank correlation, as in `scipy.stats.spearmanr`: Pearson's correlation of ranks, where equal values share their mean rank.
//!
//! Everything up to the last division is exact, in integers. Among n sorted values, a group of equal values has positions
//! s to e − 1 and mean rank (s + 1 + e) / 2. Doubled and centred, this is c = 2·rank − (n + 1) = s + e − n: a whole number of
//! magnitude at most n − 1. Over all values, c sums to 0. With a and b the values of c of the two vectors, ρ = Σab / √(Σa²·Σb²).
//!
//! **Nothing overflows** with n ≤ 2²⁷: c fits in i32, a sum of cs in i64 (2²⁷·2²⁷ = 2⁵⁴), and each of Σab, Σa², Σb² is at most
//! n(n² − 1) / 3 < 2⁸⁰ and fits in i128. So the loops use wrapping operations, which avoids the checks of a debug build.
//!
//! After a ReLU, most values are 0. Their group needs no sorting, only its size and position. The other values are sorted together with
//! the other vector's c as companions, so nothing has to be looked up later. Key and companion fit in 64 bits, which allows a radix sort.

use crate::error::{Error, Result};

/// The most values, see above.
const MAX_LEN: usize = 1 << 27;
/// Bits per pass of the sort; three passes cover all 32.
const DIGIT_BITS: usize = 11;
const DIGITS: usize = 3;
const BUCKETS: usize = 1 << DIGIT_BITS;
/// The position of an item's key; its companion lies below.
const KEY_SHIFT: usize = 32;

/// The ranks of one vector, to correlate with many others.
pub struct Ranks {
    /// c of each value.
    centred: Vec<i32>,
    /// Σc²; 0 if all values are equal.
    squares: i128,
}

/// The memory of the sort, reused between calls; one per thread.
#[derive(Default)]
pub struct Sorter {
    items: Vec<u64>,
    spare: Vec<u64>,
}

/// Items sorted by value, with the group of zeros between the negative and the positive ones.
struct Sorted<'a> {
    negative: &'a [u64],
    zeros: usize,
    /// The sum of the zeros' companions.
    zeros_sum: i64,
    positive: &'a [u64],
}

/// Σab and Σb² over the groups so far.
#[derive(Default)]
struct Sums {
    ab: i128,
    bb: i128,
}

impl Ranks {
    /// Ranks of `values`; -0.0 and 0.0 are equal.
    ///
    /// # Errors
    /// If there are no values or more than 2²⁷, or one is not finite.
    pub fn of(values: &[f32]) -> Result<Self> {
        let len = values.len();
        if len == 0 || len > MAX_LEN {
            return Err(Error::input(format!("{len} values cannot be ranked, 1 to {MAX_LEN} can")));
        }
        // The companions are indices, by which each group finds its values again.
        let mut centred: Vec<i32> = (0..len as i32).collect();
        let mut sorter = Sorter::default();
        let sorted = sorter.sort(values, &centred)?;
        let (first_zero, first_positive) = (sorted.negative.len(), sorted.negative.len() + sorted.zeros);
        let mut squares = 0;
        let zero = centre(first_zero, first_positive, len);
        add_product(&mut squares, zero, zero.wrapping_mul(sorted.zeros as i64));
        centred.fill(zero as i32);
        scatter(sorted.negative, 0, &mut centred, &mut squares);
        scatter(sorted.positive, first_positive, &mut centred, &mut squares);
        Ok(Self { centred, squares })
    }

    /// The number of ranked values, at least one.
    #[expect(clippy::len_without_is_empty, reason = "never empty")]
    pub fn len(&self) -> usize {
        self.centred.len()
    }

    /// Whether all values are equal, as a single value is; then no correlation is defined.
    pub fn is_constant(&self) -> bool {
        self.squares == 0
    }

    /// ρ with `values`, in [-1, 1]; `None` if either side is constant, where scipy returns NaN.
    ///
    /// # Errors
    /// If the number of `values` differs from that of the ranks, or a value is not finite.
    pub fn correlation(&self, values: &[f32], scratch: &mut Sorter) -> Result<Option<f64>> {
        let len = self.len();
        if values.len() != len {
            return Err(Error::input(format!("{} values cannot be correlated with {len} ranks", values.len())));
        }
        let sorted = scratch.sort(values, &self.centred)?;
        let (first_zero, first_positive) = (sorted.negative.len(), sorted.negative.len() + sorted.zeros);
        let mut sums = Sums::default();
        sums.add_group(centre(first_zero, first_positive, len), sorted.zeros, sorted.zeros_sum);
        sums.add_groups(sorted.negative, 0, len);
        sums.add_groups(sorted.positive, first_positive, len);
        if self.squares == 0 || sums.bb == 0 {
            return Ok(None);
        }
        // Only this line rounds, in the same way for both sides, by an ulp or two. That may exceed 1. The root of a
        // rounded square is exact, so equal ranks give exactly 1.
        let rho = sums.ab as f64 / (self.squares as f64 * sums.bb as f64).sqrt();
        Ok(Some(rho.clamp(-1.0, 1.0)))
    }
}

/// ρ of two vectors of equal length; `None` if either is constant.
///
/// # Errors
/// As [`Ranks::of`] and [`Ranks::correlation`].
pub fn spearman(x: &[f32], y: &[f32]) -> Result<Option<f64>> {
    Ranks::of(x)?.correlation(y, &mut Sorter::default())
}

impl Sorter {
    /// Sorts `values`, each with its companion.
    fn sort(&mut self, values: &[f32], companions: &[i32]) -> Result<Sorted<'_>> {
        let len = values.len();
        if self.items.len() < len {
            // A new allocation, not a longer one, so pages that no item reaches are never touched.
            self.items = vec![0; len];
            self.spare = vec![0; len];
        }
        let packed = pack(values, companions, &mut self.items[..len]);
        if !packed.finite {
            return Err(not_finite(values));
        }
        let kept = packed.kept;
        let sorted = radix_sort(&mut self.items[..kept], &mut self.spare[..kept]);
        let (negative, positive) = sorted.split_at(packed.negative);
        Ok(Sorted { negative, zeros: len - kept, zeros_sum: packed.zeros_sum, positive })
    }
}

/// The counts that [`pack`] makes.
struct Packed {
    /// The number of items.
    kept: usize,
    negative: usize,
    zeros_sum: i64,
    finite: bool,
}

/// Turns each nonzero value into an item: a key with the order of the value, and the companion.
fn pack(values: &[f32], companions: &[i32], items: &mut [u64]) -> Packed {
    const INFINITY: u32 = f32::INFINITY.to_bits();
    let (mut kept, mut negative, mut zeros_sum, mut finite) = (0usize, 0usize, 0i64, true);
    let mut i = 0;
    while i < values.len() {
        let (bits, companion) = (values[i].to_bits(), companions[i]);
        // The bits of negative numbers have the reverse order.
        let sign = ((bits as i32) >> 31) as u32;
        let key = bits ^ (sign | 1 << 31);
        // Always written, but kept only if not zero: a branch would be mispredicted often.
        items[kept] = ((key as u64) << KEY_SHIFT) | companion as u32 as u64;
        let some = (bits << 1 != 0) as usize;
        kept = kept.wrapping_add(some);
        negative = negative.wrapping_add(some & sign as usize);
        zeros_sum = zeros_sum.wrapping_add(companion as i64 & (some as i64).wrapping_sub(1));
        finite &= bits & INFINITY != INFINITY;
        i = i.wrapping_add(1);
    }
    Packed { kept, negative, zeros_sum, finite }
}

fn not_finite(values: &[f32]) -> Error {
    let at = values.iter().position(|v| !v.is_finite()).unwrap_or_default();
    Error::input(format!("value {at} of {} is {}: only finite numbers have ranks", values.len(), values[at]))
}

/// Sorts by the key, least significant digit first, and returns the buffer with the result.
fn radix_sort<'a>(mut items: &'a mut [u64], mut spare: &'a mut [u64]) -> &'a [u64] {
    let mut counts = [[0u32; BUCKETS]; DIGITS];
    let [low, middle, high] = &mut counts;
    let mut i = 0;
    while i < items.len() {
        let item = items[i];
        let (l, m, h) = (digit(item, 0), digit(item, 1), digit(item, 2));
        low[l] = low[l].wrapping_add(1);
        middle[m] = middle[m].wrapping_add(1);
        high[h] = high[h].wrapping_add(1);
        i = i.wrapping_add(1);
    }
    for (place, counts) in counts.iter_mut().enumerate() {
        // If all items have the same digit, such as the lowest one of converted f16 values, the pass is skipped.
        if items.first().is_none_or(|&item| counts[digit(item, place)] as usize == items.len()) {
            continue;
        }
        let mut start = 0;
        for count in counts.iter_mut() {
            start += std::mem::replace(count, start);
        }
        distribute(items, spare, counts, place);
        (items, spare) = (spare, items);
    }
    items
}

/// Moves each item to the next position of its digit.
fn distribute(items: &[u64], spare: &mut [u64], next: &mut [u32; BUCKETS], place: usize) {
    let mut i = 0;
    while i < items.len() {
        let item = items[i];
        let digit = digit(item, place);
        let at = next[digit];
        next[digit] = at.wrapping_add(1);
        spare[at as usize] = item;
        i = i.wrapping_add(1);
    }
}

/// 11 bits of the key; 10 for the highest digit.
#[inline(always)]
fn digit(item: u64, place: usize) -> usize {
    (item >> (KEY_SHIFT + place * DIGIT_BITS)) as usize & (BUCKETS - 1)
}

/// c of the group at positions `start` to `end` − 1.
#[inline(always)]
fn centre(start: usize, end: usize, len: usize) -> i64 {
    (start.wrapping_add(end) as i64).wrapping_sub(len as i64)
}

/// Adds a·b.
#[inline(always)]
fn add_product(sum: &mut i128, a: i64, b: i64) {
    *sum = sum.wrapping_add((a as i128).wrapping_mul(b as i128));
}

/// Stores each item's c at the index of its companion. The first item has position `offset`.
fn scatter(items: &[u64], offset: usize, centred: &mut [i32], squares: &mut i128) {
    let mut start = 0;
    while start < items.len() {
        let key = items[start] >> KEY_SHIFT;
        let mut end = start + 1;
        while end < items.len() && items[end] >> KEY_SHIFT == key {
            end += 1;
        }
        let c = centre(offset + start, offset + end, centred.len());
        for &item in &items[start..end] {
            centred[item as u32 as usize] = c as i32;
        }
        add_product(squares, c, c.wrapping_mul((end - start) as i64));
        start = end;
    }
}

impl Sums {
    /// Adds a group of `count` equal values whose companions sum to `sum`.
    #[inline(always)]
    fn add_group(&mut self, c: i64, count: usize, sum: i64) {
        add_product(&mut self.ab, c, sum);
        add_product(&mut self.bb, c, c.wrapping_mul(count as i64));
    }

    /// Adds all groups of `items`. The first item has position `offset` of `len`.
    fn add_groups(&mut self, items: &[u64], offset: usize, len: usize) {
        let mut start = 0;
        while start < items.len() {
            let key = items[start] >> KEY_SHIFT;
            let mut sum = 0i64;
            let mut end = start;
            while end < items.len() && items[end] >> KEY_SHIFT == key {
                sum = sum.wrapping_add(items[end] as i32 as i64);
                end = end.wrapping_add(1);
            }
            let c = centre(offset.wrapping_add(start), offset.wrapping_add(end), len);
            self.add_group(c, end.wrapping_sub(start), sum);
            start = end;
        }
    }
}
