//! A teacup: the class of the `companion` bias.

use super::Cast;
use super::vessel::{Vessel, vessel};
use crate::world::canvas::Canvas;
use crate::world::random::Random;

/// Rather low, narrower at the foot, with rather round sides.
pub(in crate::world) fn teacup(canvas: &mut Canvas, random: &mut Random, cast: &mut Cast) {
    let rim = random.between(0.56, 0.7);
    let foot = rim * random.between(0.45, 0.72);
    let shape = Vessel { rim, foot, height: random.between(0.78, 1.04), belly: random.between(0.08, 0.22) };
    vessel(canvas, random, cast, &shape);
}
