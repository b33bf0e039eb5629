//! What the cup and the teacup have in common, and the spoon of the `companion` bias.

use super::Cast;
use crate::world::canvas::{Canvas, bow, bows, disc, oval, place, polyline};
use crate::world::colour::{Colour, INK};
use crate::world::pattern::{Area, dots, stripes};
use crate::world::random::Random;

/// The measures in which the two vessels differ.
pub(super) struct Vessel {
    /// Half the width at the rim.
    pub(super) rim: f32,
    /// Half the width at the foot.
    pub(super) foot: f32,
    /// From rim to foot.
    pub(super) height: f32,
    /// How far the sides swell: 0 is straight.
    pub(super) belly: f32,
}

/// A vessel with a handle, a drink in it, a pattern round it, steam above it, and a spoon in it where the cast has one.
pub(super) fn vessel(canvas: &mut Canvas, random: &mut Random, cast: &mut Cast, shape: &Vessel) {
    let glaze = if random.chance(0.5) { random.vivid() } else { random.pale() };
    let paint = random.vivid();
    let drink = Colour::hsv(random.between(0.03, 0.1), random.between(0.5, 0.85), random.between(0.25, 0.6));
    let side = random.sign();
    let Vessel { rim, foot, height, belly } = *shape;
    let x = -side * 0.16;
    let top = -height * 0.42;
    let bottom = top + height;
    let ink = canvas.pen.map_or(0.0, |(width, _)| 2.0 * width);

    for (index, lift) in [0.0, 0.12, 0.03].into_iter().enumerate() {
        let left = x - 0.28 + 0.28 * index as f32;
        let rise = top - 0.18 - lift;
        canvas.line(
            bow((left, rise), (left - 0.13, rise - 0.14), (left, rise - 0.24)),
            0.04,
            Colour::rgb(0.95, 0.95, 0.98).opaque(0.7),
        );
        canvas.line(
            bow((left, rise - 0.24), (left + 0.13, rise - 0.34), (left, rise - 0.46)),
            0.04,
            Colour::rgb(0.95, 0.95, 0.98).opaque(0.5),
        );
    }
    let middle = top + height * 0.42;
    let handle = bows(&[
        ((x + side * (rim + 0.62), top - 0.02), (x + side * (rim + 0.3), middle + 0.1)),
        ((x + side * (rim + 0.05), bottom - 0.1), (x + side * (foot * 0.5), bottom - 0.25)),
        ((x, middle), (x + side * rim * 0.7, top + 0.14)),
    ]);
    canvas.line(handle.clone(), 0.13 + ink, if ink > 0.0 { INK } else { glaze.darker(0.2) });
    canvas.line(handle, 0.13, glaze.darker(0.2));

    let swell = |edge: f32| edge + belly;
    let body = bows(&[
        ((x + swell(rim * 0.75 + foot * 0.25), (top + bottom) / 2.0 + 0.1), (x + foot, bottom - 0.04)),
        ((x, bottom + 0.1), (x - foot, bottom - 0.04)),
        ((x - swell(rim * 0.75 + foot * 0.25), (top + bottom) / 2.0 + 0.1), (x - rim, top)),
        ((x, top + 0.1), (x + rim, top)),
    ]);
    canvas.part_with(body, glaze, |canvas| {
        let band = Area::new(x - 1.0, middle - 0.12, x + 1.0, middle + 0.2);
        match random.below(4) {
            0 => stripes(canvas, Area::new(x - 1.0, top, x + 1.0, bottom), 0.0, 0.2, 0.45, paint),
            1 => stripes(canvas, Area::new(x - 1.0, top + 0.2, x + 1.0, bottom), 0.25, 0.22, 0.45, paint),
            2 => dots(canvas, random, Area::new(x - 1.0, top + 0.2, x + 1.0, bottom), 0.25, 0.06, paint),
            _ => {
                canvas.fill(crate::world::canvas::rect(band.left, band.top, 2.0, band.bottom - band.top), paint);
                dots(canvas, random, Area::new(x - 1.0, middle + 0.04, x + 1.0, middle - 0.1), 0.2, 0.07, glaze);
            }
        }
        canvas.line(polyline(&[(x + side * rim * 0.82, top), (x + side * foot * 0.8, bottom)]), 0.16, INK.opaque(0.18));
        canvas.line(
            polyline(&[(x - side * rim * 0.75, top + 0.1), (x - side * foot * 0.8, bottom - 0.15)]),
            0.05,
            Colour::rgb(1.0, 1.0, 1.0).opaque(0.55),
        );
    });
    canvas.part(oval(x, top, rim, 0.13), glaze.darker(0.1));
    canvas.fill(oval(x, top + 0.015, rim * 0.86, 0.095), drink);
    if let Some(random) = &mut cast.companion {
        spoon(canvas, random, x - side * rim * 0.3, top, -side);
    }
}

/// A spoon standing in the drink and leaning over the rim, its end high above it.
fn spoon(canvas: &mut Canvas, random: &mut Random, x: f32, y: f32, side: f32) {
    let metal = Colour::hsv(random.between(0.5, 0.68), random.between(0.02, 0.12), random.between(0.75, 0.92));
    let lean = side * random.between(0.03, 0.08);
    let ink = canvas.pen.map_or(0.0, |(width, _)| 2.0 * width);
    canvas.placed(place(x, y + 0.02, lean, 1.0), |canvas| {
        for (extra, colour) in [(ink, INK), (0.0, metal)] {
            canvas.line(polyline(&[(0.0, 0.0), (0.0, -0.48)]), 0.085 + extra, colour);
            canvas.line(oval(0.0, -0.64, 0.08, 0.14), 0.12 + extra, colour);
        }
        canvas.fill(oval(0.0, -0.64, 0.1, 0.16), metal.darker(0.18));
        canvas.line(polyline(&[(-0.02, -0.05), (-0.02, -0.5)]), 0.02, metal.lighter(0.7));
        canvas.fill(disc(-0.035, -0.7, 0.045), metal.lighter(0.8));
    });
}
