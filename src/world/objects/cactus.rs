//! A cactus in a pot.

use super::Cast;
use crate::world::canvas::{Canvas, polygon, polyline, rect, star};
use crate::world::colour::{Colour, INK};
use crate::world::pattern::{Area, stripes};
use crate::world::random::Random;

/// A ribbed column with two arms, spines, a blossom, and a pot with a rim.
pub(in crate::world) fn cactus(canvas: &mut Canvas, random: &mut Random, _cast: &mut Cast) {
    let green = random.vivid_of(0.36, 0.09).darker(0.12);
    let clay = Colour::hsv(random.unit(), random.between(0.4, 0.8), random.between(0.5, 0.9));
    let spine = random.pale();
    let outline = canvas.pen.map_or(0.0, |(width, _)| 2.0 * width);
    let wide = random.between(0.36, 0.46);
    let arm = random.between(0.19, 0.25);
    let top = random.between(-0.72, -0.58);
    let (left, right) = (random.between(-0.05, 0.2), random.between(-0.2, 0.05));
    let (left_top, right_top) = (left - random.between(0.26, 0.45), right - random.between(0.26, 0.45));

    let column = [(0.0, top), (0.0, 0.6)];
    let limbs = [[(0.0, left), (-0.5, left), (-0.5, left_top)], [(0.0, right), (0.5, right), (0.5, right_top)]];
    for (extra, colour) in [(outline, INK), (0.0, green)] {
        for limb in &limbs {
            canvas.line(polyline(limb), arm + extra, colour);
        }
        canvas.line(polyline(&column), wide + extra, colour);
    }
    for limb in &limbs {
        canvas.line(polyline(limb), arm * 0.2, green.lighter(0.35));
    }
    for rib in [-0.34, -0.12, 0.12, 0.34] {
        let x = rib * wide;
        canvas.line(
            polyline(&[(x, top), (x, 0.6)]),
            0.028,
            if rib > 0.0 { green.darker(0.45) } else { green.lighter(0.35) },
        );
    }
    let mut y = top - 0.05;
    while y < 0.5 {
        for (step, x) in [-0.5, -0.23, 0.0, 0.23, 0.5].into_iter().enumerate() {
            let (x, y) = (x * wide, y + 0.06 * (step % 2) as f32);
            canvas.line(polyline(&[(x - 0.05, y - 0.03), (x, y), (x + 0.05, y - 0.03)]), 0.018, spine);
        }
        y += 0.15;
    }
    for limb in &limbs {
        for step in 0..4 {
            let y = limb[2].1 + 0.12 * step as f32;
            canvas.line(
                polyline(&[(limb[2].0 - arm * 0.6, y), (limb[2].0, y + 0.04), (limb[2].0 + arm * 0.6, y)]),
                0.018,
                spine,
            );
        }
    }
    let blossom = random.vivid_of(0.92, 0.06);
    canvas.part(polygon(&star(0.0, top - wide / 2.0, 7, 0.19, 0.1)), blossom);
    canvas.fill(polygon(&star(0.0, top - wide / 2.0, 7, 0.08, 0.05)), Colour::hsv(0.14, 0.7, 1.0));

    let pot = polygon(&[(-0.42, 0.5), (0.42, 0.5), (0.32, 1.0), (-0.32, 1.0)]);
    canvas.part_with(pot, clay, |canvas| {
        stripes(canvas, Area::new(-0.5, 0.7, 0.5, 0.95), 0.125, 0.15, 0.45, clay.lighter(0.4))
    });
    canvas.part(rect(-0.48, 0.44, 0.96, 0.15), clay.darker(0.12));
}
