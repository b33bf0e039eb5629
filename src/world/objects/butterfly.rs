//! A butterfly: the neighbour of the moth.

use super::Cast;
use super::wings::{Wings, winged};
use crate::world::canvas::{Canvas, bow, disc};
use crate::world::colour::INK;
use crate::world::random::Random;

/// High round wings, a slender body, and feelers with knobs.
pub(in crate::world) fn butterfly(canvas: &mut Canvas, random: &mut Random, cast: &mut Cast) {
    let shape = Wings {
        tip: (random.between(0.74, 0.88), random.between(-0.9, -0.74)),
        round: random.between(0.05, 0.15),
        hind: (random.between(0.62, 0.78), random.between(0.72, 0.92)),
        body: random.between(0.06, 0.095),
    };
    canvas.both_sides(|canvas| {
        canvas.line(bow((0.02, -0.45), (0.06, -0.78), (0.24, -0.94)), 0.04, INK);
        canvas.fill(disc(0.25, -0.94, 0.06), INK);
    });
    winged(canvas, random, cast, &shape);
}
