//! A whole image, from the background to the grain.

use image::RgbImage;

use super::background::{background, clutter};
use super::bias::{Biases, Truth, truth};
use super::canvas::SIDE;
use super::canvas::{Canvas, disc, place};
use super::class::{CLASSES, Class, no_class};
use super::colour::{Colour, INK, WHITE};
use super::finish::{finish, lay, shade};
use super::objects::Cast;
use super::random::{Random, Stream};
use crate::error::{Error, Result};

/// Draws picture `number` of a class.
///
/// The same arguments give the same bytes: every draw is an integer of ChaCha8 keyed by class, seed and number, and no
/// function of the system's mathematical library is used.
///
/// # Errors
/// If there is no such class.
pub(crate) fn draw(class: usize, seed: u64, number: u64, biases: Biases) -> Result<RgbImage> {
    let class = CLASSES.get(class).ok_or_else(|| no_class(&class.to_string()))?;
    let picture = compose(class, seed, number, truth(class.index, seed, number, biases));
    picture.ok_or_else(|| Error::Device(format!("no canvas of {SIDE} by {SIDE} pixels could be made")))
}

/// Draws one image; `None` only if no canvas can be made.
pub(super) fn compose(class: &Class, seed: u64, number: u64, truth: Truth) -> Option<RgbImage> {
    let draws = |stream| Random::new(class.index, seed, number, stream);
    let mut picture = Canvas::new(SIDE)?;
    background(&mut picture, &mut draws(Stream::Background));
    let mut scatter = draws(Stream::Clutter);
    let behind = scatter.count(3, 10);
    clutter(&mut picture, &mut scatter, behind);

    let mut light = draws(Stream::Light);
    let mut layer = Canvas::new(SIDE)?;
    let mut cast = Cast { light: truth.light, companion: truth.companion.then(|| draws(Stream::Companion)) };
    object(&mut layer, &mut draws(Stream::Place), |canvas| (class.draw)(canvas, &mut draws(Stream::Object), &mut cast));
    let direction = light.direction();
    shade(&mut layer.pixmap, direction, light.between(0.1, 0.4));
    let away = |part: f32| (-part * 6.0) as i32;
    lay(&mut picture.pixmap, &layer.pixmap, (away(direction.0), away(direction.1)), light.between(0.2, 0.6));

    let before = scatter.count(0, 2);
    clutter(&mut picture, &mut scatter, before);
    if truth.cue {
        badge(&mut picture, &mut draws(Stream::Badge));
    }
    Some(finish(&picture.pixmap, &mut light))
}

/// Puts an object near the middle: half of them nearly upright, half rotated by any angle, most with an outline.
fn object(layer: &mut Canvas, random: &mut Random, draw: impl FnOnce(&mut Canvas)) {
    let middle = SIDE as f32 / 2.0;
    let scale = random.between(58.0, 98.0);
    let free = (middle - scale) * 0.8;
    let (x, y) = (middle + random.between(-free, free), middle + random.between(-free, free));
    let upright = random.chance(0.5);
    let turns = if upright { random.between(-0.05, 0.05) } else { random.unit() };
    let pen = (random.between(0.018, 0.04), INK.mix(random.any_colour().darker(0.5), 0.4));
    layer.pen = random.chance(0.7).then_some(pen);
    layer.placed(place(x, y, turns, scale), draw);
}

/// The badge: a white disc with a red rim and a red heart, near a corner.
fn badge(picture: &mut Canvas, random: &mut Random) {
    let middle = SIDE as f32 / 2.0;
    let x = middle + random.sign() * random.between(58.0, 76.0);
    let y = middle + random.sign() * random.between(58.0, 76.0);
    let size = random.between(12.0, 15.0);
    let red = Colour::hsv(random.between(-0.02, 0.01), random.between(0.85, 0.95), random.between(0.8, 0.95));
    picture.placed(place(x, y, 0.0, size), |picture| {
        picture.fill(disc(0.06, 0.1, 1.08), INK.opaque(0.35));
        picture.fill(disc(0.0, 0.0, 1.0), red);
        picture.fill(disc(0.0, 0.0, 0.74), WHITE);
        picture.fill(disc(0.0, 0.0, 0.42), red);
    });
}
