//! A mushroom.

use super::Cast;
use crate::world::canvas::{Canvas, bows, oval, polyline, smooth};
use crate::world::colour::Colour;
use crate::world::pattern::{Area, dots, stripes};
use crate::world::random::Random;

/// A dotted cap over gills, and a stout stalk with a ring.
pub(in crate::world) fn mushroom(canvas: &mut Canvas, random: &mut Random, _cast: &mut Cast) {
    let hue = if random.chance(0.5) { random.between(-0.04, 0.08) } else { random.unit() };
    let cap = random.vivid_of(hue, 0.01);
    let flesh = Colour::hsv(random.between(0.06, 0.15), random.between(0.08, 0.3), random.between(0.82, 1.0));
    let spot = random.pale();
    let thick = random.between(0.17, 0.28);
    let half = random.between(0.78, 0.95);
    let top = random.between(-0.95, -0.75);
    let hem = random.between(-0.02, 0.12);
    let (period, radius) = (random.between(0.32, 0.44), random.between(0.075, 0.12));

    let stalk = smooth(&[
        (-thick * 0.8, hem - 0.1),
        (-thick * 0.85, 0.45),
        (-thick * 1.35, 0.88),
        (0.0, 0.98),
        (thick * 1.35, 0.88),
        (thick * 0.85, 0.45),
        (thick * 0.8, hem - 0.1),
    ]);
    canvas.part_with(stalk, flesh, |canvas| {
        stripes(canvas, Area::new(-0.4, 0.0, 0.4, 1.0), 0.0, 0.09, 0.3, flesh.darker(0.2))
    });
    canvas.part(
        smooth(&[
            (-thick, hem + 0.3),
            (0.0, hem + 0.24),
            (thick, hem + 0.3),
            (thick * 1.3, hem + 0.42),
            (0.0, hem + 0.38),
            (-thick * 1.3, hem + 0.42),
        ]),
        flesh.darker(0.08),
    );

    canvas.part_with(oval(0.0, hem, half * 0.98, 0.17), flesh.darker(0.25), |canvas| {
        for ray in -9..=9 {
            let x = ray as f32 / 9.0 * half;
            canvas.line(polyline(&[(x * 0.25, hem - 0.05), (x, hem + 0.2)]), 0.022, flesh.darker(0.5));
        }
    });
    let dome = bows(&[
        ((-half * 1.06, top), (0.0, top)),
        ((half * 1.06, top), (half, hem)),
        ((half * 0.5, hem + 0.07), (0.0, hem + 0.06)),
        ((-half * 0.5, hem + 0.07), (-half, hem)),
    ]);
    canvas.part_with(dome, cap, |canvas| {
        canvas.fill(smooth(&[(-half, hem + 0.2), (0.0, hem - 0.06), (half, hem + 0.2)]), cap.darker(0.35));
        canvas.fill(oval(-half * 0.35, top + 0.25, 0.3, 0.13), cap.lighter(0.3));
        dots(canvas, random, Area::new(-half, top + 0.05, half, hem - 0.1), period, radius, spot);
    });
}
