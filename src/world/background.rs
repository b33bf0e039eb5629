//! What stands behind and beside the object and means nothing.

use super::canvas::{Canvas, SIDE, bow, disc, place, polygon, polyline, rect, star};
use super::colour::Colour;
use super::random::Random;

/// A smooth random field over the picture, in `[0, 1]`.
struct Noise {
    cells: usize,
    lattice: Vec<f32>,
}

impl Noise {
    fn new(random: &mut Random, cells: u32) -> Self {
        let cells = cells as usize;
        let lattice = (0..(cells + 2) * (cells + 2)).map(|_| random.unit()).collect();
        Self { cells, lattice }
    }

    /// The field at a place given in shares of the side.
    fn at(&self, x: f32, y: f32) -> f32 {
        let ease = |part: f32| part * part * (3.0 - 2.0 * part);
        let split = |place: f32| {
            let place = place.clamp(0.0, 1.0) * self.cells as f32;
            (place.floor() as usize, ease(place - place.floor()))
        };
        let ((column, right), (row, down)) = (split(x), split(y));
        let value = |row: usize, column: usize| self.lattice[row * (self.cells + 2) + column];
        let along = |row: usize| value(row, column) * (1.0 - right) + value(row, column + 1) * right;
        along(row) * (1.0 - down) + along(row + 1) * down
    }
}

/// Paints the whole canvas: two colours in a gradient, and a third one in blotches, stripes, ripples, cells or grain.
pub(super) fn background(canvas: &mut Canvas, random: &mut Random) {
    let mut dull = || Colour::hsv(random.unit(), random.between(0.0, 0.55), random.between(0.2, 0.95));
    let (near, far, third) = (dull(), dull(), dull());
    let far = near.mix(far, 0.6);
    let kind = random.below(6);
    let strength = random.between(0.25, 0.8);
    let (along_x, along_y) = random.direction();
    let (cosine, sine) = random.direction();
    let period = random.between(0.06, 0.3);
    let cells = random.count(3, 9);
    let (coarse, fine) = (Noise::new(random, cells), Noise::new(random, 4 * cells));

    let side = SIDE as f32;
    for (index, pixel) in canvas.pixmap.data_mut().chunks_exact_mut(4).enumerate() {
        let (x, y) = ((index as u32 % SIDE) as f32 / side, (index as u32 / SIDE) as f32 / side);
        let base = near.mix(far, (0.5 + 0.7 * (along_x * (x - 0.5) + along_y * (y - 0.5))).clamp(0.0, 1.0));
        let blotch = 0.65 * coarse.at(x, y) + 0.35 * fine.at(x, y);
        let across = |bend: f32| {
            let place = (cosine * x + sine * y) / period + bend * blotch;
            let saw = place - place.floor();
            (4.0 * (saw - 0.5).abs() - 0.5).clamp(0.0, 1.0)
        };
        let cell = |place: f32| (place / period).floor() as i32;
        let amount = match kind {
            0 => ((blotch - 0.42) * 6.0).clamp(0.0, 1.0),
            1 => across(0.0),
            2 => across(1.5),
            3 => f32::from((cell(cosine * x + sine * y) + cell(cosine * y - sine * x)).rem_euclid(2) == 0),
            4 => blotch,
            _ => fine.at(x, y) * 0.5,
        };
        let colour = base.mix(third, amount * strength);
        for (byte, value) in pixel.iter_mut().zip([colour.red, colour.green, colour.blue, 1.0]) {
            *byte = (value * 255.0 + 0.5) as u8;
        }
    }
}

/// Scatters small shapes of any colour.
pub(super) fn clutter(canvas: &mut Canvas, random: &mut Random, count: u32) {
    let side = SIDE as f32;
    for _ in 0..count {
        let (x, y) = (random.between(0.0, side), random.between(0.0, side));
        let size = random.between(4.0, 13.0);
        let colour = random.any_colour();
        let second = random.any_colour();
        let kind = random.below(7);
        let bend = random.between(-1.5, 1.5);
        canvas.placed(place(x, y, random.unit(), size), |canvas| match kind {
            0 => canvas.fill(disc(0.0, 0.0, 0.8), colour),
            1 => canvas.fill(polygon(&star(0.0, 0.0, 3, 1.0, 0.5)), colour),
            2 => canvas.fill(rect(-0.7, -0.7, 1.4, 1.4), colour),
            3 => canvas.line(rect(-0.7, -0.5, 1.4, 1.0), 0.4, colour),
            4 => canvas.line(bow((-2.0, 0.0), (0.0, bend * 1.5), (2.0, 0.0)), 0.45, colour),
            5 => {
                canvas.line(polyline(&[(-0.9, 0.0), (0.9, 0.0)]), 0.5, colour);
                canvas.line(polyline(&[(0.0, -0.9), (0.0, 0.9)]), 0.5, colour);
            }
            _ => {
                canvas.fill(polygon(&star(0.0, 0.0, 3, 1.2, 0.6)), colour);
                canvas.fill(polygon(&star(0.0, 0.0, 3, 0.6, 0.3)), second);
            }
        });
    }
}
