//! Image files as pages show them, and blurred images.

use std::path::Path;

use image::imageops::{FilterType, blur, resize};
use image::{ImageBuffer, Luma};

use crate::error::Result;
use crate::picture::{png, read, to_chw};
use crate::shape::ImageSpec;

/// The longest side of an image on a page, in pixels.
const SHOWN_SIDE: u32 = 320;

/// An image file as a page shows it: a PNG file with sides of at most 320 pixels, so that pages with many images stay below 100 MB.
///
/// # Errors
/// If it cannot be read as an image.
pub(crate) fn shown_png(path: &Path) -> Result<Vec<u8>> {
    let mut picture = read(path)?;
    let (width, height) = picture.dimensions();
    let longest = width.max(height);
    if longest > SHOWN_SIDE {
        let [width, height] = [width, height].map(|side| (side * SHOWN_SIDE / longest).max(1));
        picture = resize(&picture, width, height, FilterType::CatmullRom);
    }
    let [height, width] = [picture.height(), picture.width()].map(|side| side as usize);
    png(&to_chw(&picture), ImageSpec { channels: 3, height, width })
}

/// A Gaussian blur of each channel of `[C,H,W]`. The standard deviation is a share of the longer side.
pub(crate) fn blurred(chw: &[f32], image: ImageSpec, deviation: f32) -> Vec<f32> {
    let (width, height) = (image.width as u32, image.height as u32);
    let channel = |values: &[f32]| {
        let channel: ImageBuffer<Luma<f32>, Vec<f32>> =
            ImageBuffer::from_raw(width, height, values.to_vec()).expect("a plane of the image");
        blur(&channel, width.max(height) as f32 * deviation).into_raw()
    };
    chw.chunks(image.height * image.width).flat_map(channel).collect()
}
