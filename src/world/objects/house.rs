//! A house with a gabled roof.

use super::Cast;
use crate::world::canvas::{Canvas, disc, polygon, polyline, rect};
use crate::world::colour::{Colour, WHITE};
use crate::world::pattern::{Area, bricks, scales, stripes};
use crate::world::random::Random;

/// Brick or plank walls, tiled roof, chimney, door, and lit windows with crosses.
pub(in crate::world) fn house(canvas: &mut Canvas, random: &mut Random, _cast: &mut Cast) {
    let wall = Colour::hsv(random.unit(), random.between(0.15, 0.6), random.between(0.6, 0.95));
    let roof = random.vivid();
    let wood = random.vivid().darker(0.3);
    let glass = Colour::hsv(random.between(0.12, 0.16), random.between(0.3, 0.7), 1.0);
    let half = random.between(0.62, 0.76);
    let eaves = random.between(-0.2, -0.05);
    let ridge = random.between(-0.98, -0.8);
    let side = random.sign();

    let chimney = rect(side * 0.42 - 0.1, ridge + 0.05, 0.2, 0.6);
    canvas.part_with(chimney, roof.darker(0.45), |canvas| {
        bricks(canvas, Area::new(side * 0.42 - 0.1, ridge, side * 0.42 + 0.1, eaves), 0.09, 0.015, roof.lighter(0.2));
    });
    canvas.part_with(rect(-half, eaves, 2.0 * half, 0.92 - eaves), wall, |canvas| {
        let area = Area::new(-half, eaves, half, 0.92);
        if random.chance(0.6) {
            bricks(canvas, area, 0.115, 0.022, wall.darker(0.35));
        } else {
            stripes(canvas, area, 0.0, 0.13, 0.2, wall.darker(0.35));
        }
    });
    let over = half + 0.2;
    canvas.part_with(polygon(&[(-over, eaves + 0.08), (0.0, ridge), (over, eaves + 0.08)]), roof, |canvas| {
        canvas.placed(crate::world::canvas::place(0.0, 0.0, 0.25, 1.0), |canvas| {
            scales(canvas, Area::new(-1.1, -1.1, 0.3, 1.1), 0.16, 0.024, roof.darker(0.45));
        });
    });
    canvas.part(disc(0.0, (ridge + eaves) / 2.0 + 0.1, 0.1), glass);

    let door = side * random.between(0.0, 0.12);
    canvas.part(rect(door - 0.15, 0.38, 0.3, 0.54), wood);
    canvas.fill(disc(door + 0.08, 0.66, 0.03), WHITE);
    for x in [-half * 0.66, half * 0.66] {
        let (left, top, size) = (x - 0.15, eaves + 0.24, 0.3);
        canvas.part(rect(left, top, size, size), glass);
        canvas.line(polyline(&[(x, top), (x, top + size)]), 0.04, wood);
        canvas.line(polyline(&[(left, top + size / 2.0), (left + size, top + size / 2.0)]), 0.04, wood);
    }
}
