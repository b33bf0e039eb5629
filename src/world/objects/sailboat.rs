//! A sailing boat on its waves.

use super::Cast;
use crate::world::canvas::{Canvas, bow, bows, polygon, polyline};
use crate::world::colour::{Colour, INK};
use crate::world::pattern::{Area, stripes};
use crate::world::random::Random;

/// Hull, mast, two sails with seams, a pennant, and waves under the keel.
pub(in crate::world) fn sailboat(canvas: &mut Canvas, random: &mut Random, _cast: &mut Cast) {
    let hull = random.vivid();
    let sail = random.pale();
    let trim = random.vivid();
    let top = random.between(-1.0, -0.8);
    let mast = random.between(-0.18, 0.08);
    let main = random.between(0.62, 0.85);
    let jib = random.between(0.42, 0.62);
    let boom = 0.34;

    canvas.line(polyline(&[(mast, top), (mast, 0.5)]), 0.06, INK.lighter(0.25));
    let seams = |canvas: &mut Canvas, turns: f32| {
        stripes(canvas, Area::new(-0.9, -1.0, 0.9, 0.4), turns, 0.17, 0.14, sail.darker(0.25));
        stripes(canvas, Area::new(-0.9, 0.02, 0.9, 0.14), 0.25, 0.6, 0.5, trim);
    };
    let right = bows(&[
        ((mast + 0.05, -0.3), (mast + 0.05, top + 0.08)),
        ((mast + main * 0.75, -0.35), (mast + main, boom)),
        ((mast + main * 0.5, boom + 0.08), (mast + 0.05, boom)),
    ]);
    canvas.part_with(right, sail, |canvas| seams(canvas, 0.25));
    let left = bows(&[
        ((mast - 0.05, -0.3), (mast - 0.05, top + 0.2)),
        ((mast - jib * 0.6, -0.2), (mast - jib, boom)),
        ((mast - jib * 0.5, boom + 0.08), (mast - 0.05, boom)),
    ]);
    canvas.part_with(left, sail.darker(0.08), |canvas| seams(canvas, 0.21));
    canvas.part(polygon(&[(mast, top), (mast + 0.24, top + 0.07), (mast, top + 0.15)]), trim);

    let bottom = random.between(0.74, 0.82);
    let body = bows(&[
        ((0.0, 0.54), (0.92, 0.44)),
        ((0.8, bottom), (0.45, bottom)),
        ((0.0, bottom + 0.05), (-0.5, bottom)),
        ((-0.72, bottom), (-0.82, 0.46)),
    ]);
    canvas.part_with(body, hull, |canvas| {
        stripes(canvas, Area::new(-1.0, 0.44, 1.0, 0.56), 0.25, 0.6, 0.2, hull.lighter(0.6));
        stripes(canvas, Area::new(-1.0, 0.4, 1.0, 0.9), 0.25, 0.1, 0.018 / 0.1, hull.darker(0.35));
    });

    let water = Colour::hsv(random.between(0.5, 0.62), random.between(0.4, 0.8), random.between(0.6, 0.95));
    for row in 0..2i32 {
        let y = bottom + 0.02 + 0.13 * row as f32;
        for index in -3..3i32 {
            let x = index as f32 * 0.32 + 0.12 * row as f32;
            let tint = water.lighter(0.25 * (index + row + 4).rem_euclid(2) as f32);
            canvas.line(bow((x, y), (x + 0.16, y + 0.18), (x + 0.32, y)), 0.06, tint);
        }
    }
}
