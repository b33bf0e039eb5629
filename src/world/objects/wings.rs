//! What the butterfly and the moth have in common: two pairs of patterned wings.

use super::Cast;
use crate::world::canvas::{Canvas, bow, disc, smooth};
use crate::world::colour::Colour;
use crate::world::random::Random;

/// The measures in which the two insects differ.
pub(super) struct Wings {
    /// How far the fore wing reaches out and up.
    pub(super) tip: (f32, f32),
    /// How round the outer edge of the fore wing is: 0 is straight.
    pub(super) round: f32,
    /// How far the hind wing reaches out and down.
    pub(super) hind: (f32, f32),
    /// Half the width of the body.
    pub(super) body: f32,
}

/// Wings in the body colour of the cast, with a coloured margin, bands, veins and eye spots; then the body over them.
pub(super) fn winged(canvas: &mut Canvas, random: &mut Random, cast: &Cast, shape: &Wings) {
    let wing = cast.body(random);
    let accent = random.vivid();
    let spot = random.vivid();
    let banded = random.chance(0.5);
    let margin = random.between(0.07, 0.14);
    let Wings { tip, round, hind, body } = *shape;

    let fore = |inset: f32| {
        let k = 1.0 - inset;
        smooth(&[
            (0.02, -0.2 * k),
            (tip.0 * 0.5, tip.1 * 0.78 * k),
            (tip.0 * k, tip.1 * k),
            ((tip.0 + round) * 0.98 * k, tip.1 * 0.5 * k),
            (tip.0 * 0.82 * k, -0.02),
            (0.02, 0.1),
        ])
    };
    let back = |inset: f32| {
        let k = 1.0 - inset;
        smooth(&[
            (0.02, 0.0),
            (hind.0 * 0.8 * k, 0.02),
            (hind.0 * k, hind.1 * 0.45),
            (hind.0 * 0.72 * k, hind.1 * 0.95 * k),
            (hind.0 * 0.3 * k, hind.1 * 0.88 * k),
            (0.02, 0.35),
        ])
    };
    let eye = |canvas: &mut Canvas, x: f32, y: f32, radius: f32| {
        canvas.fill(disc(x, y, radius), accent.darker(0.6));
        canvas.fill(disc(x, y, radius * 0.74), spot);
        canvas.fill(disc(x, y, radius * 0.4), accent.darker(0.75));
        canvas.fill(disc(x - radius * 0.15, y - radius * 0.15, radius * 0.16), Colour::rgb(1.0, 1.0, 1.0));
    };
    canvas.both_sides(|canvas| {
        canvas.part_with(back(0.0), accent, |canvas| {
            canvas.fill(back(margin * 1.6), wing);
            for bend in [0.3, 0.6, 0.9] {
                canvas.line(
                    bow((0.0, 0.1), (hind.0 * 0.4, 0.1 + 0.2 * bend), (hind.0 * (1.1 - bend * 0.6), hind.1 * bend)),
                    0.016,
                    accent.darker(0.4),
                );
            }
            eye(canvas, hind.0 * 0.58, hind.1 * 0.55, 0.13);
        });
        canvas.part_with(fore(0.0), accent, |canvas| {
            canvas.fill(fore(margin), wing);
            if banded {
                canvas.line(bow((tip.0 * 0.25, tip.1), (tip.0 * 0.6, tip.1 * 0.4), (tip.0 * 0.5, 0.2)), 0.07, spot);
            }
            for bend in [0.1, 0.4, 0.7] {
                canvas.line(
                    bow((0.0, -0.1), (tip.0 * 0.4, tip.1 * bend), (tip.0, tip.1 * bend * 1.2)),
                    0.016,
                    accent.darker(0.4),
                );
            }
            eye(canvas, tip.0 * 0.68, tip.1 * 0.6, 0.15);
        });
    });
    let dark = accent.darker(0.72);
    canvas.part_with(
        smooth(&[
            (0.0, -0.42),
            (body, -0.28),
            (body * 1.1, 0.0),
            (body * 0.75, 0.45),
            (0.0, 0.68),
            (-body * 0.75, 0.45),
            (-body * 1.1, 0.0),
            (-body, -0.28),
        ]),
        dark,
        |canvas| {
            for ring in 0..8 {
                let y = -0.25 + 0.12 * ring as f32;
                canvas.line(bow((-body * 1.3, y), (0.0, y + 0.06), (body * 1.3, y)), 0.03, accent.lighter(0.35));
            }
        },
    );
    canvas.part(disc(0.0, -0.45, body * 0.95), dark);
}
