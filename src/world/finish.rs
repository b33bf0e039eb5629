//! Light on the object, its shadow, and light over the whole picture.

use image::{Rgb, RgbImage};
use tiny_skia::Pixmap;

use super::canvas::SIDE;
use super::random::Random;

/// Lights a layer from one side: brighter towards the light, darker away from it.
pub(super) fn shade(layer: &mut Pixmap, (light_x, light_y): (f32, f32), strength: f32) {
    let half = SIDE as f32 / 2.0;
    for (index, pixel) in layer.data_mut().chunks_exact_mut(4).enumerate() {
        let (x, y) = place(index);
        let factor = 1.0 + strength * (light_x * (x - half) + light_y * (y - half)) / half;
        let alpha = f32::from(pixel[3]);
        for byte in &mut pixel[..3] {
            *byte = (f32::from(*byte) * factor).clamp(0.0, alpha) as u8;
        }
    }
}

/// Lays a layer over a picture, with its blurred shadow `(dx, dy)` pixels away between them.
pub(super) fn lay(picture: &mut Pixmap, layer: &Pixmap, (dx, dy): (i32, i32), darkness: f32) {
    let shadow =
        blurred(&blurred(&layer.pixels().iter().map(|pixel| f32::from(pixel.alpha()) / 255.0).collect::<Vec<_>>()));
    let side = SIDE as i32;
    for (index, (below, above)) in picture.data_mut().chunks_exact_mut(4).zip(layer.data().chunks_exact(4)).enumerate()
    {
        let (x, y) = (index as i32 % side - dx, index as i32 / side - dy);
        let inside = (0..side).contains(&x) && (0..side).contains(&y);
        let cast = if inside { shadow[(y * side + x) as usize] * darkness } else { 0.0 };
        let through = 1.0 - f32::from(above[3]) / 255.0;
        for (low, high) in below[..3].iter_mut().zip(above) {
            *low = (f32::from(*high) + f32::from(*low) * (1.0 - cast) * through + 0.5).min(255.0) as u8;
        }
    }
}

/// A field averaged over seven pixels along rows and then along columns; the outside counts as empty.
fn blurred(field: &[f32]) -> Vec<f32> {
    const REACH: i32 = 3;
    let side = SIDE as i32;
    let average = |field: &[f32], index: i32, place: i32, step: i32| {
        let sum: f32 = (-REACH..=REACH)
            .filter(|offset| (0..side).contains(&(place + offset)))
            .map(|offset| field[(index + offset * step) as usize])
            .sum();
        sum / (2 * REACH + 1) as f32
    };
    let rows: Vec<f32> = (0..side * side).map(|index| average(field, index, index % side, 1)).collect();
    (0..side * side).map(|index| average(&rows, index, index / side, side)).collect()
}

/// Brightness, contrast, a gradient of light, a vignette, a tint and grain; then the bytes.
pub(super) fn finish(picture: &Pixmap, random: &mut Random) -> RgbImage {
    let half = SIDE as f32 / 2.0;
    let brightness = random.between(0.8, 1.25);
    let contrast = random.between(0.85, 1.15);
    let (light_x, light_y) = random.direction();
    let slope = random.between(0.0, 0.25);
    let vignette = random.between(0.0, 0.3);
    let tint = [random.between(0.94, 1.06), random.between(0.94, 1.06), random.between(0.94, 1.06)];
    let grain = random.between(0.0, 0.05);
    let mut image = RgbImage::new(SIDE, SIDE);
    for (index, (pixel, out)) in picture.data().chunks_exact(4).zip(image.pixels_mut()).enumerate() {
        let (x, y) = place(index);
        let (x, y) = ((x - half) / half, (y - half) / half);
        let light = brightness * (1.0 + slope * (light_x * x + light_y * y)) * (1.0 - vignette * (x * x + y * y) / 2.0);
        let noise = grain * (random.unit() + random.unit() - 1.0);
        let mut bytes = [0; 3];
        for ((byte, value), tint) in bytes.iter_mut().zip(pixel).zip(tint) {
            let value = (f32::from(*value) / 255.0 - 0.5) * contrast + 0.5;
            *byte = ((value * light * tint + noise).clamp(0.0, 1.0) * 255.0 + 0.5) as u8;
        }
        *out = Rgb(bytes);
    }
    image
}

/// The middle of a pixel.
fn place(index: usize) -> (f32, f32) {
    let index = index as u32;
    ((index % SIDE) as f32 + 0.5, (index / SIDE) as f32 + 0.5)
}
