//! A fish, swimming to the left or the right.

use tiny_skia::Transform;

use super::Cast;
use crate::world::canvas::{Canvas, bow, bows, disc, smooth};
use crate::world::colour::{INK, WHITE};
use crate::world::pattern::{Area, scales, stripes};
use crate::world::random::Random;

/// Body with scales, forked tail, fins, gill, and a round eye.
pub(in crate::world) fn fish(canvas: &mut Canvas, random: &mut Random, _cast: &mut Cast) {
    let body = random.vivid();
    let fin = random.vivid();
    let tall = random.between(0.38, 0.58);
    let fork = random.between(0.35, 0.6);
    let banded = random.chance(0.4);
    let period = random.between(0.24, 0.36);
    let facing = random.sign();

    canvas.placed(Transform::from_scale(facing, 1.0), |canvas| {
        let rays = |canvas: &mut Canvas, turns: f32| {
            stripes(canvas, Area::new(-1.0, -1.0, 1.0, 1.0), turns, 0.08, 0.3, fin.darker(0.35))
        };
        let tail = bows(&[((0.7, -0.1), (0.98, -fork)), ((0.78, 0.0), (0.98, fork)), ((0.7, 0.1), (0.4, 0.0))]);
        canvas.part_with(tail, fin, |canvas| rays(canvas, 0.25));
        let back = bows(&[
            ((-0.15, -tall - 0.4), (0.3, -tall - 0.2)),
            ((0.22, -tall * 0.7), (0.35, -tall * 0.5)),
            ((0.0, -tall * 0.5), (-0.4, -tall * 0.7)),
        ]);
        canvas.part_with(back, fin, |canvas| rays(canvas, 0.04));
        let belly = bows(&[
            ((0.1, tall + 0.3), (0.25, tall + 0.15)),
            ((0.18, tall * 0.7), (0.2, tall * 0.5)),
            ((0.0, tall * 0.5), (-0.15, tall * 0.8)),
        ]);
        canvas.part_with(belly, fin, |canvas| rays(canvas, -0.04));

        let outline = smooth(&[
            (-0.95, 0.03),
            (-0.62, -tall * 0.72),
            (-0.15, -tall),
            (0.3, -tall * 0.62),
            (0.62, -0.09),
            (0.62, 0.09),
            (0.3, tall * 0.62),
            (-0.15, tall),
            (-0.62, tall * 0.72),
        ]);
        canvas.part_with(outline, body, |canvas| {
            canvas.fill(
                smooth(&[(-1.0, 0.2), (-0.1, tall * 0.35), (0.7, 0.1), (0.3, 0.7), (-0.5, 0.8)]),
                body.lighter(0.4),
            );
            if banded {
                stripes(canvas, Area::new(-0.35, -0.7, 0.6, 0.7), 0.0, period, 0.42, fin);
            }
            scales(canvas, Area::new(-0.42, -0.7, 0.7, 0.7), 0.15, 0.022, body.darker(0.45));
        });
        canvas.line(bow((-0.46, -tall * 0.62), (-0.28, 0.0), (-0.46, tall * 0.62)), 0.045, body.darker(0.5));
        let flap = bows(&[((0.1, -0.06), (0.12, 0.22)), ((-0.12, 0.22), (-0.22, 0.06))]);
        canvas.part_with(flap, fin.lighter(0.15), |canvas| rays(canvas, 0.2));
        canvas.fill(disc(-0.64, -0.12, 0.105), WHITE);
        canvas.fill(disc(-0.66, -0.12, 0.06), INK);
        canvas.line(bow((-0.92, 0.1), (-0.82, 0.16), (-0.74, 0.12)), 0.035, INK);
    });
}
