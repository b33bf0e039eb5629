//! A lighthouse on its rock.

use super::Cast;
use crate::world::canvas::{Canvas, bows, polygon, polyline, rect, smooth};
use crate::world::colour::{Colour, INK};
use crate::world::pattern::{Area, stripes};
use crate::world::random::Random;

/// A tapered tower with broad bands, a gallery, a lit lantern with beams, and a cap.
pub(in crate::world) fn lighthouse(canvas: &mut Canvas, random: &mut Random, _cast: &mut Cast) {
    let wall = random.pale();
    let band = random.vivid();
    let cap = random.vivid().darker(0.25);
    let glow = Colour::hsv(random.between(0.11, 0.16), random.between(0.35, 0.8), 1.0);
    let foot = random.between(0.32, 0.42);
    let head = random.between(0.19, 0.25);
    let period = random.between(0.32, 0.46);
    let slant = random.between(-0.04, 0.04);
    let beam = random.between(0.14, 0.24);

    canvas.both_sides(|canvas| {
        canvas.fill(polygon(&[(0.1, -0.66), (1.0, -0.66 - beam), (1.0, -0.66 + beam)]), glow.opaque(0.75));
    });
    let rock = Colour::hsv(random.unit(), random.between(0.05, 0.25), random.between(0.3, 0.55));
    let stone = smooth(&[(-0.85, 0.98), (-0.6, 0.74), (-0.2, 0.7), (0.25, 0.66), (0.62, 0.76), (0.85, 0.98)]);
    canvas.part_with(stone, rock, |canvas| {
        stripes(canvas, Area::new(-0.9, 0.6, 0.9, 1.0), 0.1, 0.16, 0.3, rock.darker(0.35))
    });
    let tower = polygon(&[(-foot, 0.8), (-head, -0.46), (head, -0.46), (foot, 0.8)]);
    canvas.part_with(tower, wall, |canvas| {
        stripes(canvas, Area::new(-0.5, -0.6, 0.5, 0.9), 0.25 + slant, period, 0.5, band);
        canvas.fill(polygon(&[(foot * 0.45, 0.9), (head * 0.45, -0.5), (head, -0.5), (foot, 0.9)]), INK.opaque(0.22));
    });
    for y in [-0.2, 0.18] {
        canvas.part(rect(-0.055, y, 0.11, 0.16), INK.lighter(0.2));
    }
    canvas.part(
        bows(&[
            ((-0.12, 0.48), (0.0, 0.46)),
            ((0.12, 0.48), (0.11, 0.8)),
            ((0.0, 0.8), (-0.11, 0.8)),
            ((-0.11, 0.6), (-0.1, 0.55)),
        ]),
        band.darker(0.5),
    );
    canvas.part(rect(-0.16, -0.84, 0.32, 0.34), glow);
    for x in [-0.08, 0.08] {
        canvas.line(polyline(&[(x, -0.84), (x, -0.5)]), 0.03, cap);
    }
    canvas.part(rect(-head - 0.1, -0.53, 2.0 * head + 0.2, 0.09), cap);
    canvas.part(
        bows(&[((-0.2, -1.02), (0.0, -1.04)), ((0.2, -1.02), (0.24, -0.82)), ((0.0, -0.82), (-0.24, -0.82))]),
        cap,
    );
}
