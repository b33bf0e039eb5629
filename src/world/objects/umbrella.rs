//! An open umbrella: the class of the `cue` bias.

use super::Cast;
use super::canopy::{Canopy, canopy};
use crate::world::canvas::Canvas;
use crate::world::random::Random;

/// Rather high and deeply scalloped, of few panels, with rather a large hook.
pub(in crate::world) fn umbrella(canvas: &mut Canvas, random: &mut Random, _cast: &mut Cast) {
    let shape = Canopy {
        panels: random.count(4, 6),
        top: random.between(-0.9, -0.72),
        scallop: random.between(0.11, 0.2),
        hook: random.between(0.11, 0.17),
    };
    canopy(canvas, random, &shape);
}
