//! Patterns painted on parts: they give each class a texture of its own, and the backgrounds too.

use super::canvas::{Canvas, bow, disc, place, polyline, rect};
use super::colour::Colour;
use super::random::Random;

/// A box in the object's coordinates that a pattern has to cover.
#[derive(Clone, Copy, Debug)]
pub(super) struct Area {
    pub(super) left: f32,
    pub(super) top: f32,
    pub(super) right: f32,
    pub(super) bottom: f32,
}

impl Area {
    /// The box from left top to right bottom.
    pub(super) const fn new(left: f32, top: f32, right: f32, bottom: f32) -> Self {
        Self { left, top, right, bottom }
    }

    fn centre(self) -> (f32, f32) {
        ((self.left + self.right) / 2.0, (self.top + self.bottom) / 2.0)
    }

    /// The radius of a disc that covers the box.
    fn reach(self) -> f32 {
        (self.right - self.left + self.bottom - self.top) / 2.0
    }
}

/// Parallel stripes at an angle in turns (0: upright stripes), `period` apart, of which `share` is coloured.
pub(super) fn stripes(canvas: &mut Canvas, area: Area, turns: f32, period: f32, share: f32, colour: Colour) {
    let (x, y) = area.centre();
    let reach = area.reach();
    let count = (reach / period) as i32 + 1;
    canvas.placed(place(x, y, turns, 1.0), |canvas| {
        for index in -count..=count {
            canvas.fill(rect(index as f32 * period, -reach, period * share, 2.0 * reach), colour);
        }
    });
}

/// Dots on a staggered grid, each a little out of place.
pub(super) fn dots(canvas: &mut Canvas, random: &mut Random, area: Area, period: f32, radius: f32, colour: Colour) {
    let (mut y, mut row) = (area.top, 0);
    while y < area.bottom + period {
        let mut x = area.left + if row % 2 == 0 { 0.0 } else { period / 2.0 };
        while x < area.right + period {
            let (dx, dy) = (random.between(-0.16, 0.16) * period, random.between(-0.16, 0.16) * period);
            canvas.fill(disc(x + dx, y + dy, radius * random.between(0.7, 1.2)), colour);
            x += period;
        }
        (y, row) = (y + period * 0.8, row + 1);
    }
}

/// Rows of overlapping scales, open to the left.
pub(super) fn scales(canvas: &mut Canvas, area: Area, size: f32, width: f32, colour: Colour) {
    let (mut x, mut column) = (area.left, 0);
    while x < area.right + size {
        let mut y = area.top - if column % 2 == 0 { 0.0 } else { size / 2.0 };
        while y < area.bottom + size {
            canvas.line(bow((x, y), (x + size * 1.1, y + size / 2.0), (x, y + size)), width, colour);
            y += size;
        }
        (x, column) = (x + size * 0.62, column + 1);
    }
}

/// The joints of a wall: rows of bricks, every other row shifted by half a brick.
pub(super) fn bricks(canvas: &mut Canvas, area: Area, height: f32, width: f32, colour: Colour) {
    let length = height * 2.1;
    let (mut y, mut row) = (area.top, 0);
    while y < area.bottom + height {
        canvas.line(polyline(&[(area.left, y), (area.right, y)]), width, colour);
        let mut x = area.left + if row % 2 == 0 { 0.0 } else { length / 2.0 };
        while x < area.right {
            canvas.line(polyline(&[(x, y), (x, y + height)]), width, colour);
            x += length;
        }
        (y, row) = (y + height, row + 1);
    }
}
