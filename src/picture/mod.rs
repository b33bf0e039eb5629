//! Pictures in and out: reading what people have as torchvision would, and writing what was made.

mod animation;
mod resample;

use std::io::{Cursor, Write};
use std::path::Path;

use image::codecs::jpeg::JpegEncoder;
use image::{DynamicImage, ImageFormat, ImageReader, Limits, RgbImage};

use crate::atomic::write_atomically;
use crate::bounded::read_at_most;
use crate::error::{Error, Result};

pub use animation::animation;

/// Longest side that is read, in pixels.
const MAX_SIDE: u32 = 16384;
/// Most memory a decoded picture may take, and largest file that is read, in bytes.
const MAX_BYTES: u64 = 512 << 20;
/// Shortest side that says anything to a network, in pixels.
const MIN_SIDE: u32 = 8;
/// Of what is shown beside numbers, in percent.
const JPEG_QUALITY: u8 = 85;
/// Formats that are read, by their content.
const FORMATS: [ImageFormat; 6] =
    [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::WebP, ImageFormat::Bmp, ImageFormat::Gif, ImageFormat::Tiff];

/// Reads a PNG, JPEG, WebP, BMP, GIF (its first frame) or TIFF picture as 8-bit RGB, like Pillow's `convert("RGB")`:
/// transparency is dropped (not blended), grey becomes three equal channels, 16 bits lose their lower half, CMYK is
/// multiplied out, and the orientation a camera noted is not applied. Colour profiles are not applied either.
///
/// Two differences: 16-bit grey is scaled like other 16-bit pictures, where Pillow clips it at 255; and a JPEG's values
/// differ by a level or two where the decoders round differently (over 400 photographs 0.2 on average, 5 at most).
///
/// The format is told by the content, not by the name. At most 16384 pixels a side and 512 MiB are accepted.
///
/// # Errors
/// [`Error::Io`] if the file cannot be read; [`Error::Input`] if it is no such picture, is too large or is cut short.
pub fn read(path: impl AsRef<Path>) -> Result<RgbImage> {
    let path = path.as_ref();
    let fail = |what: String| Error::input(format!("picture {}: {what}", path.display()));
    let bytes = read_at_most(path, MAX_BYTES, "picture")?;
    decode(&bytes).map_err(fail)
}

fn decode(bytes: &[u8]) -> Result<RgbImage, String> {
    let reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format().map_err(|e| e.to_string())?;
    let format = reader.format().filter(|format| FORMATS.contains(format));
    let format = format.ok_or("is not a PNG, JPEG, WebP, BMP, GIF or TIFF picture")?;
    // The JPEG decoder fills in what is missing with grey.
    if format == ImageFormat::Jpeg && is_jpeg_cut_short(bytes) {
        return Err("ends before its last line; is it a whole download?".into());
    }
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    let mut limits = Limits::default();
    limits.max_image_width = Some(MAX_SIDE);
    limits.max_image_height = Some(MAX_SIDE);
    limits.max_alloc = Some(MAX_BYTES);
    reader.limits(limits);
    let decoded = reader.decode().map_err(|e| match e {
        image::ImageError::Limits(_) => {
            format!("is too large: at most {MAX_SIDE} pixels a side and {} MiB are read", MAX_BYTES >> 20)
        }
        other => format!("cannot be decoded: {other}"),
    })?;
    match decoded {
        DynamicImage::ImageRgb32F(_) | DynamicImage::ImageRgba32F(_) => {
            Err("holds floating-point numbers; save it with 8 or 16 bits a channel".into())
        }
        DynamicImage::ImageLuma16(_)
        | DynamicImage::ImageLumaA16(_)
        | DynamicImage::ImageRgb16(_)
        | DynamicImage::ImageRgba16(_) => Ok(upper_bytes(&decoded.into_rgb16())),
        other => Ok(other.into_rgb8()),
    }
}

/// The upper half of 16 bits, as Pillow does, where `image` would round.
fn upper_bytes(picture: &image::ImageBuffer<image::Rgb<u16>, Vec<u16>>) -> RgbImage {
    let upper = picture.as_raw().iter().map(|&value| (value >> 8) as u8).collect();
    RgbImage::from_raw(picture.width(), picture.height(), upper).expect("as many values as before")
}

/// Whether a JPEG file ends before its picture does. What lies behind the picture, such as a phone's film of it, may be anything; so
/// segments are followed from the first to the end of the picture, by their lengths, and a scan's data, in which 0xFF is always
/// escaped, to the next marker.
fn is_jpeg_cut_short(bytes: &[u8]) -> bool {
    const END_OF_IMAGE: u8 = 0xd9;
    let mut at = 2;
    while let Some(len) = bytes.get(at..).and_then(|rest| rest.iter().position(|&byte| byte == 0xff)) {
        at += len;
        let Some(&marker) = bytes.get(at + 1) else { return true };
        match marker {
            END_OF_IMAGE => return false,
            // An escaped 0xFF, a restart or a number, which have no length.
            0x00 | 0x01 | 0xd0..=0xd8 => at += 2,
            // Padding.
            0xff => at += 1,
            _ => {
                let Some(&[high, low]) = bytes.get(at + 2..at + 4) else { return true };
                at += 2 + usize::from(u16::from_be_bytes([high, low]));
            }
        }
    }
    true
}

/// Reads a picture as a network of input `side` wants it: `[3, side, side]` (row-major, channels first) in [0, 1], not
/// yet normalised.
///
/// As torchvision's evaluation transform: the shorter side is resized to `round(side · 256/224)` pixels, bilinear and
/// antialiased, as Pillow does it (to the bit, or within one level of 255: its versions differ), and the middle `side` x `side` is kept. A picture that is already
/// `side` x `side` is taken as it is.
///
/// # Errors
/// As [`read`], and [`Error::Input`] for a picture with a side shorter than 8 pixels.
pub fn preprocess(path: impl AsRef<Path>, side: usize) -> Result<Vec<f32>> {
    let path = path.as_ref();
    let picture = read(path)?;
    let (width, height) = picture.dimensions();
    if width.min(height) < MIN_SIDE {
        let path = path.display();
        return Err(Error::input(format!(
            "picture {path}: is {width} x {height} pixels; at least {MIN_SIDE} per side are needed"
        )));
    }
    if side == 0 || side > MAX_SIDE as usize {
        return Err(Error::input(format!("a side of {side} pixels is not between 1 and {MAX_SIDE}")));
    }
    Ok(to_chw(&resize_and_crop(&picture, side)))
}

fn resize_and_crop(picture: &RgbImage, side: usize) -> RgbImage {
    let [height, width] = [picture.height() as usize, picture.width() as usize];
    if [height, width] == [side, side] {
        return picture.clone();
    }
    // round(side * 8/7), in integers; a half cannot occur.
    let shorter = (side * 8 + 3) / 7;
    let longer = |long: usize, short: usize| shorter * long / short;
    let resized = if height <= width { [shorter, longer(width, height)] } else { [longer(height, width), shorter] };
    resample::resized_crop(picture, resized, resized.map(|len| crop_origin(len, side)), side)
}

/// `round((len - side) / 2)`, halves to even, as Python rounds.
fn crop_origin(len: usize, side: usize) -> usize {
    let twice = len - side;
    let half = twice / 2;
    if twice % 2 == 1 && half % 2 == 1 { half + 1 } else { half }
}

/// An 8-bit picture as a network's input, channels first, in [0, 1].
pub fn to_chw(picture: &RgbImage) -> Vec<f32> {
    let raw = picture.as_raw();
    (0..3).flat_map(|channel| raw[channel..].iter().step_by(3).map(|&value| f32::from(value) / 255.0)).collect()
}

/// `[3, side, side]` values as a picture: clipped to [0, 1], rounded to 8 bits.
///
/// # Errors
/// [`Error::Input`] if there are not `3 · side · side` values; [`Error::NotFinite`] if one is NaN.
pub fn to_rgb8(chw: &[f32], side: usize) -> Result<RgbImage> {
    let plane_len = side.checked_mul(side).filter(|&plane_len| plane_len > 0 && side <= MAX_SIDE as usize);
    let plane_len = plane_len.filter(|plane_len| plane_len * 3 == chw.len()).ok_or_else(|| {
        Error::input(format!("{} values are not a picture of 3 channels of {side} x {side} pixels", chw.len()))
    })?;
    if let Some(index) = chw.iter().position(|value| value.is_nan()) {
        return Err(Error::NotFinite(format!("a picture's value is NaN at element {index} of {}", chw.len())));
    }
    let level = |value: f32| (value.clamp(0.0, 1.0) * 255.0).round() as u8;
    let levels = (0..chw.len()).map(|at| level(chw[at % 3 * plane_len + at / 3])).collect();
    Ok(RgbImage::from_raw(side as u32, side as u32, levels).expect("the length was checked"))
}

/// `[3, side, side]` values as the bytes of a PNG file, clipped and rounded as in [`to_rgb8`].
///
/// # Errors
/// As [`to_rgb8`].
pub fn png(chw: &[f32], side: usize) -> Result<Vec<u8>> {
    let mut png = Vec::new();
    to_rgb8(chw, side)?
        .write_to(&mut Cursor::new(&mut png), ImageFormat::Png)
        .map_err(|e| Error::input(format!("a picture cannot be encoded: {e}")))?;
    Ok(png)
}

/// The same as the bytes of a JPEG file, in which a photograph takes a tenth of the bytes that it takes as PNG.
///
/// # Errors
/// As [`to_rgb8`].
pub fn jpeg(chw: &[f32], side: usize) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let encoder = JpegEncoder::new_with_quality(&mut bytes, JPEG_QUALITY);
    let encoded = to_rgb8(chw, side)?.write_with_encoder(encoder);
    encoded.map_err(|e| Error::input(format!("a picture cannot be encoded: {e}")))?;
    Ok(bytes)
}

/// Writes `[3, side, side]` values as a PNG file, clipped and rounded as in [`to_rgb8`], whole or not at all.
///
/// # Errors
/// As [`to_rgb8`] and [`write_atomically`].
pub fn write_png(path: impl AsRef<Path>, chw: &[f32], side: usize) -> Result<()> {
    // Into memory first: an error of the disk then keeps its kind.
    let png = png(chw, side)?;
    write_atomically(path, |out| out.write_all(&png))
}

#[cfg(test)]
mod tests;
