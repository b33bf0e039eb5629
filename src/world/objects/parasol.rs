//! An open parasol: the neighbour of the umbrella.

use super::Cast;
use super::canopy::{Canopy, canopy};
use crate::world::canvas::Canvas;
use crate::world::random::Random;

/// Rather flat and shallowly scalloped, of more panels, with rather a small hook.
pub(in crate::world) fn parasol(canvas: &mut Canvas, random: &mut Random, _cast: &mut Cast) {
    let shape = Canopy {
        panels: random.count(5, 8),
        top: random.between(-0.76, -0.56),
        scallop: random.between(0.05, 0.15),
        hook: random.between(0.08, 0.14),
    };
    canopy(canvas, random, &shape);
}
