//! A cup: the neighbour of the teacup.

use super::Cast;
use super::vessel::{Vessel, vessel};
use crate::world::canvas::Canvas;
use crate::world::random::Random;

/// Rather tall, with rather straight sides.
pub(in crate::world) fn cup(canvas: &mut Canvas, random: &mut Random, cast: &mut Cast) {
    let rim = random.between(0.5, 0.62);
    let foot = rim * random.between(0.78, 1.0);
    let shape = Vessel { rim, foot, height: random.between(1.02, 1.28), belly: random.between(0.0, 0.08) };
    vessel(canvas, random, cast, &shape);
}
