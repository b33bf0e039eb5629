//! Enlarges the planes of a component to the size of the image: by a triangle filter where two pixels share a sample, as libjpeg does
//! by default, and by repetition elsewhere.

use super::frame::Component;

/// Writes the values of a component for a row of the image.
pub(super) fn row(component: &Component, row: usize, out: &mut [u8]) {
    let [rows, columns] = component.spread;
    let near = row / rows;
    let samples = component.row(near);
    // libjpeg does not filter the columns of planes this narrow.
    let is_wide = samples.len() > 2;
    match (rows, columns) {
        (1, 1) => out.copy_from_slice(&samples[..out.len()]),
        (1, 2) if is_wide => doubled(samples.len(), |at| samples[at].into(), 4, [1, 2], out),
        (2, 1) => {
            let (far, bias) = (component.row(other(component, row)), 1 + row as u32 % 2);
            for (at, out) in out.iter_mut().enumerate() {
                *out = ((3 * u32::from(samples[at]) + u32::from(far[at]) + bias) / 4) as u8;
            }
        }
        (2, 2) if is_wide => {
            let far = component.row(other(component, row));
            doubled(samples.len(), |at| 3 * u32::from(samples[at]) + u32::from(far[at]), 16, [8, 7], out);
        }
        _ => out.iter_mut().enumerate().for_each(|(at, out)| *out = samples[at / columns]),
    }
}

/// The row of samples next to the one that a row of the image lies in: above the upper half, below the lower half.
fn other(component: &Component, row: usize) -> usize {
    let near = row / 2;
    if row.is_multiple_of(2) { near.saturating_sub(1) } else { (near + 1).min(component.samples[0] - 1) }
}

/// Two values for each of `len`: three quarters of it and a quarter of its neighbour, divided by `divisor` after the biases are added.
/// The first and the last value have no neighbour.
fn doubled(len: usize, value: impl Fn(usize) -> u32, divisor: u32, biases: [u32; 2], out: &mut [u8]) {
    for (at, out) in out.iter_mut().enumerate() {
        let near = at / 2;
        let far = if at % 2 == 0 { near.saturating_sub(1) } else { (near + 1).min(len - 1) };
        *out = ((3 * value(near) + value(far) + biases[at % 2]) / divisor) as u8;
    }
}
