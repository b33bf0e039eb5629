//! Reads images as viewers show them and torchvision resizes them, and writes images.

#[cfg(feature = "cli")]
mod animation;
mod convert;
mod decode;
mod formats;
mod jpeg;
mod levels;
mod resample;

#[cfg(feature = "native")]
use std::io::Write;
use std::path::Path;

use image::RgbImage;
use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::PngEncoder;

#[cfg(feature = "native")]
use crate::atomic::write_atomically;
use crate::bounded::read_at_most;
use crate::error::{Error, Result};
use crate::shape::ImageSpec;

#[cfg(feature = "cli")]
pub(crate) use animation::animation;
#[cfg(feature = "cli")]
pub(crate) use formats::{Content, FIRST_BYTES, Foreign};

use convert::{on_white, to_levels};
use decode::{MAX_BYTES, MAX_SIDE, decode};
use levels::Levels;

/// The shortest accepted side, in pixels.
const MIN_SIDE: usize = 8;
/// The JPEG quality of images in reports, in percent.
const JPEG_QUALITY: u8 = 85;
/// Reads an image as 8-bit RGB, as [`prepare`] does for three channels.
///
/// # Errors
/// [`Error::Io`] if the file cannot be read; [`Error::Input`] if it is not such an image, is too large or is cut short.
pub(crate) fn read(path: impl AsRef<Path>) -> Result<RgbImage> {
    let Levels { height, width, values, .. } = read_levels(path.as_ref(), 3)?.0;
    Ok(RgbImage::from_raw(width as u32, height as u32, values).expect("three values a pixel"))
}

/// The levels of an image file, and whether transparent parts were put on white.
fn read_levels(path: &Path, channels: usize) -> Result<(Levels, bool)> {
    let fail = |what: String| Error::input(format!("picture {}: {what}", path.display()));
    let bytes = read_at_most(path, MAX_BYTES, "picture")?;
    decode(&bytes).and_then(|decoded| to_levels(decoded, channels)).map_err(fail)
}

/// An image for a network.
pub(crate) struct Prepared {
    /// `[C,H,W]` in [0, 1], not yet normalised.
    pub(crate) pixels: Vec<f32>,
    /// Whether the file has transparent parts, which are on white now.
    pub(crate) on_white: bool,
}

/// Reads an image for a network that takes `image`: `[C,H,W]` in [0, 1], not yet normalised. The image is as viewers show it: in the
/// orientation that its Exif data name, and on white where it is transparent. One channel is grey and three are RGB, as Pillow
/// converts. Four are RGBA as the file has it, opaque if the file has no transparency. JPEG files give the values that
/// Pillow gives. Colour profiles are ignored. The content of the file determines its format, not its name.
///
/// The image is resized and cropped as by torchvision's evaluation transform: it is resized until it just covers
/// `round(H · 256/224)` x `round(W · 256/224)` pixels, then the central H x W pixels are kept. An image of H x W pixels is kept as it
/// is. Resizing is bilinear and antialiased, equal to Pillow's up to one level of 255, by which Pillow's versions differ.
///
/// # Errors
/// [`Error::Io`] if the file cannot be read; [`Error::Input`] if it is not a PNG, JPEG, WebP, BMP, GIF or TIFF image, is cut short, is
/// larger than 16384 pixels per side or 512 MiB, or has a side shorter than 8 pixels.
pub fn preprocess(path: impl AsRef<Path>, image: ImageSpec) -> Result<Vec<f32>> {
    Ok(prepare(path, image)?.pixels)
}

/// As [`preprocess`], and says whether transparent parts were put on white.
pub(crate) fn prepare(path: impl AsRef<Path>, image: ImageSpec) -> Result<Prepared> {
    let path = path.as_ref();
    let (picture, on_white) = read_levels(path, image.channels)?;
    let Levels { height, width, .. } = picture;
    if width.min(height) < MIN_SIDE {
        let path = path.display();
        return Err(Error::input(format!(
            "picture {path}: is {width} x {height} pixels; at least {MIN_SIDE} per side are needed"
        )));
    }
    for side in [image.height, image.width] {
        if side == 0 || side > MAX_SIDE as usize {
            return Err(Error::input(format!("a side of {side} pixels is not between 1 and {MAX_SIDE}")));
        }
    }
    let Levels { channels, values, .. } = resize_and_crop(&picture, [image.height, image.width]);
    Ok(Prepared { pixels: channels_first(&values, channels), on_white })
}

fn resize_and_crop(picture: &Levels, crop: [usize; 2]) -> Levels {
    let Levels { height, width, .. } = *picture;
    if [height, width] == crop {
        return picture.clone();
    }
    // round(side · 8/7) in integers. There are no halves to round.
    let [h, w] = crop.map(|side| (side * 8 + 3) / 7);
    let resized = if width * h >= height * w { [h, h * width / height] } else { [w * height / width, w] };
    let origin = [0, 1].map(|axis| crop_origin(resized[axis], crop[axis]));
    resample::resized_crop(picture, resized, origin, crop)
}

/// `round((len − side) / 2)`, with halves to even as in Python.
fn crop_origin(len: usize, side: usize) -> usize {
    let twice = len - side;
    let half = twice / 2;
    if twice % 2 == 1 && half % 2 == 1 { half + 1 } else { half }
}

/// An 8-bit image as pixels `[3,H,W]` in [0, 1].
pub(crate) fn to_chw(picture: &RgbImage) -> Vec<f32> {
    channels_first(picture.as_raw(), 3)
}

fn channels_first(values: &[u8], channels: usize) -> Vec<f32> {
    let channel = |channel: usize| values[channel..].iter().step_by(channels).map(|&value| f32::from(value) / 255.0);
    (0..channels).flat_map(channel).collect()
}

/// The image of `[C,H,W]` values, clipped to [0, 1] and rounded to 8 bits.
///
/// # Errors
/// [`Error::Input`] if the number of values is not that of `image`, or `image` does not have 1, 3 or 4 channels; [`Error::NotFinite`] if a
/// value is NaN.
fn encodable(chw: &[f32], image: ImageSpec) -> Result<Levels> {
    let ImageSpec { channels, height, width } = image;
    let is_picture = matches!(channels, 1 | 3 | 4)
        && [height, width].iter().all(|side| (1..=MAX_SIDE as usize).contains(side))
        && image.len() == chw.len();
    if !is_picture {
        return Err(Error::input(format!(
            "{} values are not a picture of {channels} channels of {width} x {height} pixels",
            chw.len()
        )));
    }
    if let Some(index) = chw.iter().position(|value| value.is_nan()) {
        return Err(Error::NotFinite(format!("a picture's value is NaN at element {index} of {}", chw.len())));
    }
    let level = |value: f32| (value.clamp(0.0, 1.0) * 255.0).round() as u8;
    let plane = height * width;
    let values = (0..chw.len()).map(|at| level(chw[at % channels * plane + at / channels])).collect();
    Ok(Levels { channels, height, width, values })
}

/// The RGB image of `[C,H,W]` values, clipped to [0, 1] and rounded to 8 bits; RGBA is put on white. [`read`] returns the same for
/// their PNG file.
///
/// # Errors
/// As [`png()`].
pub(crate) fn to_rgb8(chw: &[f32], image: ImageSpec) -> Result<RgbImage> {
    let Levels { channels, height, width, values } = opaque(encodable(chw, image)?);
    let rgb = values.chunks_exact(channels).flat_map(|pixel| [0, 1, 2].map(|at| pixel[at.min(channels - 1)])).collect();
    Ok(RgbImage::from_raw(width as u32, height as u32, rgb).expect("three levels a pixel"))
}

/// The image without a fourth channel, on white.
fn opaque(levels: Levels) -> Levels {
    match levels.channels {
        4 => Levels { channels: 3, values: on_white(&levels.values), ..levels },
        _ => levels,
    }
}

/// The bytes of a PNG file of `[C,H,W]` values, clipped to [0, 1] and rounded to 8 bits. One channel makes a grey image, three make an
/// RGB image, four an RGBA image.
///
/// # Errors
/// [`Error::Input`] if the number of values is not that of `image`, or `image` does not have 1, 3 or 4 channels; [`Error::NotFinite`] if a
/// value is NaN.
pub fn png(chw: &[f32], image: ImageSpec) -> Result<Vec<u8>> {
    let mut png = Vec::new();
    encodable(chw, image)?.encode(PngEncoder::new(&mut png))?;
    Ok(png)
}

/// The bytes of a JPEG file, which for a photograph has a tenth of the size of a PNG file. JPEG has no transparency, so RGBA is put on
/// white.
///
/// # Errors
/// As [`png()`].
pub(crate) fn jpeg(chw: &[f32], image: ImageSpec) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    opaque(encodable(chw, image)?).encode(JpegEncoder::new_with_quality(&mut bytes, JPEG_QUALITY))?;
    Ok(bytes)
}

/// Writes the PNG file of `[C,H,W]` values, see [`png()`]. The file is written completely or not at all.
///
/// # Errors
/// As [`png()`] and [`write_atomically`].
#[cfg(feature = "native")]
pub fn write_png(path: impl AsRef<Path>, chw: &[f32], image: ImageSpec) -> Result<()> {
    // Encoded in memory first, so that disk errors keep their kind.
    let png = png(chw, image)?;
    write_atomically(path, |out| out.write_all(&png))
}

#[cfg(test)]
mod tests;
