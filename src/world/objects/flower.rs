//! A flower on its stalk.

use super::Cast;
use crate::world::canvas::{Canvas, bow, bows, disc, place, polyline, smooth};
use crate::world::colour::Colour;
use crate::world::pattern::{Area, dots};
use crate::world::random::Random;

/// Petals with veins round a dotted heart, a stalk and two leaves.
pub(in crate::world) fn flower(canvas: &mut Canvas, random: &mut Random, _cast: &mut Cast) {
    let petal = random.vivid();
    let heart = Colour::hsv(random.between(0.07, 0.16), random.between(0.6, 0.95), random.between(0.55, 1.0));
    let green = random.vivid_of(0.32, 0.06).darker(0.15);
    let count = random.count(6, 9);
    let length = random.between(0.5, 0.6);
    let start = random.unit();
    let lean = random.between(-0.2, 0.2);
    let (x, y) = (0.0, -0.36);

    canvas.line(bow((x, y), (lean, 0.4), (lean * 0.5, 1.0)), 0.075, green);
    for (side, height) in [(-1.0, random.between(0.5, 0.75)), (1.0, random.between(0.45, 0.7))] {
        let foot = (lean * 0.7, height + 0.15);
        let tip = (lean * 0.7 + side * 0.55, height - 0.2);
        let leaf = bows(&[((foot.0 + side * 0.1, height - 0.25), tip), ((foot.0 + side * 0.5, height + 0.2), foot)]);
        canvas.part_with(leaf, green.lighter(0.12), |canvas| {
            canvas.line(polyline(&[foot, tip]), 0.025, green.darker(0.4))
        });
    }

    let width = length * random.between(0.8, 1.05) * 4.2 / count as f32;
    for index in 0..count {
        let turns = start + index as f32 / count as f32;
        canvas.placed(place(x, y, turns, 1.0), |canvas| {
            let outline = smooth(&[
                (0.05, 0.0),
                (length * 0.6, -width / 2.0),
                (length, -width * 0.28),
                (length * 1.04, 0.0),
                (length, width * 0.28),
                (length * 0.6, width / 2.0),
            ]);
            canvas.part_with(outline, petal, |canvas| {
                canvas.fill(
                    smooth(&[
                        (0.0, 0.0),
                        (length * 0.5, -width * 0.2),
                        (length * 0.72, 0.0),
                        (length * 0.5, width * 0.2),
                    ]),
                    petal.darker(0.3),
                );
                for bend in [-0.5, 0.0, 0.5] {
                    canvas.line(
                        bow((0.0, 0.0), (length * 0.5, bend * width * 0.3), (length * 0.92, bend * width)),
                        0.016,
                        petal.lighter(0.5),
                    );
                }
            });
        });
    }
    canvas.part_with(disc(x, y, 0.2), heart, |canvas| {
        dots(canvas, random, Area::new(x - 0.2, y - 0.2, x + 0.2, y + 0.2), 0.085, 0.026, heart.darker(0.55));
    });
}
