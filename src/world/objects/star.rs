//! A star with folded rays.

use super::Cast;
use crate::world::canvas::{Canvas, polygon, star as points};
use crate::world::random::Random;

/// Five rays, each lit on one side and dark on the other, round a small inner star.
pub(in crate::world) fn star(canvas: &mut Canvas, random: &mut Random, _cast: &mut Cast) {
    let hue = if random.chance(0.5) { random.between(0.08, 0.17) } else { random.unit() };
    let body = random.vivid_of(hue, 0.01);
    let inner = random.between(0.38, 0.5);
    let corners = points(0.0, 0.05, 5, 1.0, inner);
    canvas.part(polygon(&corners), body);
    for index in 0..10 {
        let facet = [(0.0, 0.05), corners[index], corners[(index + 1) % 10]];
        let shade = if index % 2 == 0 { body.darker(0.38) } else { body.lighter(0.3) };
        canvas.fill(polygon(&facet), shade);
    }
    if let Some((width, ink)) = canvas.pen {
        canvas.line(polygon(&corners), width, ink);
    }
    let heart = random.vivid();
    let small = points(0.0, 0.05, 5, 0.36, 0.36 * inner);
    canvas.part(polygon(&small), heart);
    canvas.fill(polygon(&points(0.0, 0.05, 5, 0.2, 0.2 * inner)), heart.lighter(0.6));
}
