//! Bilinear resizing with antialiasing, as in Pillow on 8-bit images, for the part of the result that is kept.
//!
//! Output pixel `o` of `out` has its centre at `(o + ½)·in/out` in the input. The weights of input pixels are a triangle of half-width
//! `support = max(in/out, 1)` around it, so a smaller image averages over all input pixels. Columns come first, then rows. Both are
//! rounded to 8 bits, and weights are in fixed point, so results are equal to Pillow's bit by bit. Newer versions of Pillow do the rows
//! first for some sizes, which changes some values by one level of 255.

use super::levels::Levels;

/// The fractional bits of a weight: 32, minus 8 for the pixel and 2 spare bits.
const WEIGHT_BITS: u32 = 22;

/// The input pixels for an output pixel, and their weights.
struct Taps {
    first: usize,
    weights: Vec<i32>,
}

impl Taps {
    fn of(output: usize, in_len: usize, out_len: usize) -> Self {
        let scale = in_len as f64 / out_len as f64;
        let support = scale.max(1.0);
        let centre = (output as f64 + 0.5) * scale;
        // `as` turns negative values into 0.
        let first = (centre - support + 0.5) as usize;
        let end = ((centre + support + 0.5) as usize).min(in_len);
        let triangle = |input: usize| (1.0 - ((input as f64 - centre + 0.5) / support).abs()).max(0.0);
        let weights: Vec<f64> = (first..end).map(triangle).collect();
        let sum: f64 = weights.iter().sum();
        let fixed = |weight: &f64| (weight / sum * f64::from(1 << WEIGHT_BITS) + 0.5) as i32;
        Self { first, weights: weights.iter().map(fixed).collect() }
    }

    /// An output value from `input`, in which the values of the channel begin at `offset` and are `stride` apart.
    fn apply(&self, input: &[u8], offset: usize, stride: usize) -> u8 {
        let values = input[offset + self.first * stride..].iter().step_by(stride);
        let weighted = values.zip(&self.weights).map(|(&value, &weight)| i32::from(value) * weight);
        let sum = weighted.sum::<i32>() + (1 << (WEIGHT_BITS - 1));
        (sum >> WEIGHT_BITS).clamp(0, 255) as u8
    }
}

/// Resizes `picture` to `resized`, and returns the `[height, width]` pixels from `[top, left]` on.
///
/// It computes only these, and holds at most `width` columns of the input's height. So an image of 16384x8 never takes the memory of
/// 524288x256 pixels.
pub(super) fn resized_crop(picture: &Levels, resized: [usize; 2], origin: [usize; 2], crop: [usize; 2]) -> Levels {
    let Levels { channels, height: in_height, width: in_width, .. } = *picture;
    let taps = |axis: usize, in_len| -> Vec<Taps> {
        (origin[axis]..origin[axis] + crop[axis]).map(|output| Taps::of(output, in_len, resized[axis])).collect()
    };
    let (rows, columns) = (taps(0, in_height), taps(1, in_width));

    let first_row = rows.iter().map(|taps| taps.first).min().unwrap_or(0);
    let end_row = rows.iter().map(|taps| taps.first + taps.weights.len()).max().unwrap_or(0);
    let input = &picture.values;
    let narrow: Vec<u8> = (first_row..end_row)
        .flat_map(|row| columns.iter().flat_map(move |taps| (0..channels).map(move |channel| (row, taps, channel))))
        .map(|(row, taps, channel)| taps.apply(input, row * in_width * channels + channel, channels))
        .collect();

    let [height, width] = crop;
    let row_len = width * channels;
    let mut values = Vec::with_capacity(height * row_len);
    for taps in &rows {
        let taps = Taps { first: taps.first - first_row, weights: taps.weights.clone() };
        values.extend((0..row_len).map(|at| taps.apply(&narrow, at, row_len)));
    }
    Levels { channels, height, width, values }
}
