//! What the umbrella and the parasol have in common: a dome of panels on a hooked stick.

use crate::world::canvas::{Canvas, bow, bows, polygon, polyline};
use crate::world::colour::INK;
use crate::world::pattern::{Area, dots};
use crate::world::random::Random;

/// The measures in which the two differ.
pub(super) struct Canopy {
    /// How many panels are seen.
    pub(super) panels: u32,
    /// The height of the dome's top, negative.
    pub(super) top: f32,
    /// How deep the hem is scalloped.
    pub(super) scallop: f32,
    /// The radius of the handle's hook.
    pub(super) hook: f32,
}

/// The stick and its hook, then the dome over it.
pub(super) fn canopy(canvas: &mut Canvas, random: &mut Random, shape: &Canopy) {
    let first = random.vivid();
    let second = if random.chance(0.5) { random.pale() } else { random.vivid() };
    let wood = random.vivid().darker(0.35);
    let hem = random.between(0.02, 0.14);
    let side = random.sign();
    let half = 0.95;
    let Canopy { panels, top, scallop, hook } = *shape;

    let ink = canvas.pen.map_or(0.0, |(width, _)| 2.0 * width);
    for (extra, colour) in [(ink, INK), (0.0, wood)] {
        canvas.line(polyline(&[(0.0, top - 0.12), (0.0, 0.75)]), 0.075 + extra, colour);
        canvas.line(
            bow((0.0, 0.75), (side * 0.02, 0.8 + hook * 1.3), (side * hook, 0.78 + hook * 1.25)),
            0.085 + extra,
            colour,
        );
        canvas.line(
            bow((side * hook, 0.78 + hook * 1.25), (side * hook * 2.0, 0.77 + hook * 1.2), (side * hook * 2.0, 0.76)),
            0.085 + extra,
            colour,
        );
    }

    let at = |panel: u32| half * (2.0 * panel as f32 / panels as f32 - 1.0);
    let mut edges = vec![((-half, top), (0.0, top)), ((half, top), (half, hem))];
    for panel in (0..panels).rev() {
        edges.push((((at(panel) + at(panel + 1)) / 2.0, hem - scallop), (at(panel), hem)));
    }
    canvas.part_with(bows(&edges), first, |canvas| {
        for panel in (0..panels).step_by(2) {
            let (left, right) = (at(panel), at(panel + 1));
            let wedge = bows(&[
                ((left * 0.95, top * 0.7), (left, hem)),
                (((left + right) / 2.0, hem + 0.1), (right, hem)),
                ((right * 0.95, top * 0.7), (0.0, top)),
            ]);
            canvas.fill(wedge, second);
        }
        if random.chance(0.3) {
            dots(canvas, random, Area::new(-1.0, top, 1.0, hem), 0.27, 0.055, first.mix(second, 0.5).lighter(0.5));
        }
        for panel in 1..panels {
            canvas.line(bow((0.0, top), (at(panel) * 0.95, top * 0.7), (at(panel), hem)), 0.022, INK.opaque(0.6));
        }
        canvas.fill(polygon(&[(half, top), (half, hem), (half * 0.4, hem), (half * 0.1, top)]), INK.opaque(0.14));
    });
}
