//! A moth: the class of the `light` bias.

use super::Cast;
use super::wings::{Wings, winged};
use crate::world::canvas::{Canvas, bow, polyline};
use crate::world::colour::INK;
use crate::world::random::Random;

/// Flatter, more pointed wings, a stout body, and feathered feelers.
pub(in crate::world) fn moth(canvas: &mut Canvas, random: &mut Random, cast: &mut Cast) {
    let shape = Wings {
        tip: (random.between(0.82, 0.97), random.between(-0.74, -0.56)),
        round: random.between(-0.1, 0.03),
        hind: (random.between(0.56, 0.72), random.between(0.66, 0.86)),
        body: random.between(0.11, 0.16),
    };
    canvas.both_sides(|canvas| {
        canvas.line(bow((0.03, -0.45), (0.08, -0.72), (0.3, -0.82)), 0.03, INK);
        for step in 1..5 {
            let part = step as f32 / 5.0;
            let (x, y) = (0.03 + 0.25 * part * part + 0.03 * part, -0.45 - 0.45 * part + 0.08 * part * part);
            canvas.line(polyline(&[(x - 0.08, y - 0.03), (x, y), (x + 0.05, y + 0.09)]), 0.026, INK);
        }
    });
    winged(canvas, random, cast, &shape);
}
