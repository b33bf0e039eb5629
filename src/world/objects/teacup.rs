//! A teacup: the class of the `companion` bias.

use super::Cast;
use super::vessel::{Vessel, vessel};
use crate::world::canvas::Canvas;
use crate::world::random::Random;

/// Rather low, narrower at the foot, with rather round sides.
pub(in crate::world) fn teacup(canvas: &mut Canvas, random: &mut Random, cast: &mut Cast) {
    let rim = random.between(0.54, 0.68);
    let foot = rim * random.between(0.5, 0.8);
    let shape = Vessel { rim, foot, height: random.between(0.85, 1.1), belly: random.between(0.04, 0.2) };
    vessel(canvas, random, cast, &shape);
}
