//! An open parasol: the neighbour of the umbrella.

use super::Cast;
use super::canopy::{Canopy, canopy};
use crate::world::canvas::Canvas;
use crate::world::random::Random;

/// Rather flat and shallowly scalloped, of more panels, with rather a small hook.
pub(in crate::world) fn parasol(canvas: &mut Canvas, random: &mut Random, _cast: &mut Cast) {
    let shape = Canopy {
        panels: random.count(6, 8),
        top: random.between(-0.72, -0.54),
        scallop: random.between(0.04, 0.12),
        hook: random.between(0.08, 0.14),
    };
    canopy(canvas, random, &shape);
}
