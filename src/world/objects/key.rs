//! An old key.

use super::Cast;
use crate::world::canvas::{Canvas, disc, polyline, rect};
use crate::world::colour::{Colour, INK};
use crate::world::random::{Random, direction};

/// A bow of one or three rings, a shank with collars, and a bit with teeth.
pub(in crate::world) fn key(canvas: &mut Canvas, random: &mut Random, _cast: &mut Cast) {
    let metal = match random.below(3) {
        0 => Colour::hsv(random.between(0.1, 0.15), random.between(0.5, 0.85), random.between(0.7, 1.0)),
        1 => Colour::hsv(random.unit(), random.between(0.0, 0.15), random.between(0.55, 0.9)),
        _ => random.vivid(),
    };
    let outline = canvas.pen.map_or(0.0, |(width, _)| 2.0 * width);
    let clover = random.chance(0.5);
    let thick = random.between(0.13, 0.18);
    let teeth = random.count(2, 3);
    let facing = random.sign();

    let rings: Vec<(f32, f32, f32)> = if clover {
        [0.0, 1.0 / 3.0, 2.0 / 3.0]
            .iter()
            .map(|turns| direction(turns - 0.25))
            .map(|(x, y)| (0.25 * x, -0.58 + 0.23 * y, 0.2))
            .collect()
    } else {
        vec![(0.0, -0.58, random.between(0.28, 0.34))]
    };
    let shank = [(0.0, -0.3), (0.0, 0.92)];
    let bit: Vec<[f32; 4]> = (0..teeth)
        .map(|tooth| (tooth as f32, random.between(0.24, 0.42)))
        .map(|(tooth, long)| [0.42 + tooth * 0.2, long, 0.05, 0.13])
        .collect();

    for (extra, colour) in [(outline, INK), (0.0, metal)] {
        for &(x, y, radius) in &rings {
            canvas.line(disc(x, y, radius), thick + extra, colour);
        }
        canvas.line(polyline(&shank), 0.17 + extra, colour);
        for &[y, long, inset, height] in &bit {
            let left = if facing > 0.0 { inset } else { -inset - long };
            canvas.fill(rect(left - extra / 2.0, y - extra / 2.0, long + extra, height + extra), colour);
        }
        for y in [-0.22, 0.18] {
            canvas.fill(rect(-0.16 - extra / 2.0, y - extra / 2.0, 0.32 + extra, 0.1 + extra), colour);
        }
    }
    for &(x, y, radius) in &rings {
        canvas.line(disc(x - 0.015, y - 0.015, radius + 0.01), thick * 0.3, metal.lighter(0.6));
    }
    canvas.line(polyline(&[(-0.035, -0.3), (-0.035, 0.9)]), 0.045, metal.lighter(0.6));
    canvas.line(polyline(&[(0.05, -0.3), (0.05, 0.9)]), 0.04, metal.darker(0.4));
}
