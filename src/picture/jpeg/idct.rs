//! The inverse DCT, to the bit as most programs compute it: the algorithm of Loeffler, Ligtenberg and Moschytz (1989) with 13 bits for
//! its constants and 2 more bits between its passes.

use std::num::Wrapping;

/// Bits of a constant.
const BITS: usize = 13;
/// Bits that the first pass keeps for the second.
const KEPT: usize = 2;

/// A constant in fixed point.
const fn fixed(value: f64) -> Wrapping<i32> {
    Wrapping((value * (1 << BITS) as f64 + 0.5) as i32)
}

/// Writes the 8 x 8 samples of a block to a plane whose rows are `stride` apart.
///
/// Hostile coefficients wrap around.
pub(super) fn block(coefficients: &[i16; 64], table: &[u16; 64], plane: &mut [u8], stride: usize) {
    let mut between = [Wrapping(0); 64];
    for column in 0..8 {
        let value = |row: usize| {
            let at = 8 * row + column;
            Wrapping(i32::from(coefficients[at])) * Wrapping(i32::from(table[at]))
        };
        let values = pass([0, 1, 2, 3, 4, 5, 6, 7].map(value), BITS - KEPT);
        for (row, value) in values.into_iter().enumerate() {
            between[8 * row + column] = value;
        }
    }
    for (row, values) in between.as_chunks::<8>().0.iter().enumerate() {
        let samples = pass(*values, BITS + KEPT + 3).map(|value| (value.0.saturating_add(128)).clamp(0, 255) as u8);
        plane[row * stride..row * stride + 8].copy_from_slice(&samples);
    }
}

/// The transform of eight values, rounded after a shift.
fn pass(x: [Wrapping<i32>; 8], shift: usize) -> [Wrapping<i32>; 8] {
    // The even half.
    let both = (x[2] + x[6]) * fixed(0.541_196_100);
    let low = both - x[6] * fixed(1.847_759_065);
    let high = both + x[2] * fixed(0.765_366_865);
    let (sum, difference) = ((x[0] + x[4]) << BITS, (x[0] - x[4]) << BITS);
    let even = [sum + high, difference + low, difference - low, sum - high];
    // The odd half.
    let all = (x[7] + x[3] + x[5] + x[1]) * fixed(1.175_875_602);
    let outer = (x[7] + x[1]) * fixed(0.899_976_223);
    let inner = (x[5] + x[3]) * fixed(2.562_915_447);
    let third = all - (x[7] + x[3]) * fixed(1.961_570_560);
    let fourth = all - (x[5] + x[1]) * fixed(0.390_180_644);
    let odd = [
        x[1] * fixed(1.501_321_110) - outer + fourth,
        x[3] * fixed(3.072_711_026) - inner + third,
        x[5] * fixed(2.053_119_869) - inner + fourth,
        x[7] * fixed(0.298_631_336) - outer + third,
    ];
    let rounded = |value: Wrapping<i32>| (value + Wrapping(1 << (shift - 1))) >> shift;
    let mut out = [Wrapping(0); 8];
    for at in 0..4 {
        out[at] = rounded(even[at] + odd[at]);
        out[7 - at] = rounded(even[at] - odd[at]);
    }
    out
}
