//! Reads images as torchvision would, and writes images.

#[cfg(feature = "cli")]
mod animation;
mod levels;
mod resample;

use std::io::Cursor;
#[cfg(feature = "native")]
use std::io::Write;
use std::path::Path;

use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::PngEncoder;
use image::{DynamicImage, ImageFormat, ImageReader, Limits, RgbImage};

#[cfg(feature = "native")]
use crate::atomic::write_atomically;
use crate::bounded::read_at_most;
use crate::error::{Error, Result};
use crate::shape::ImageSpec;

#[cfg(feature = "cli")]
pub(crate) use animation::animation;

use levels::Levels;

/// The longest accepted side, in pixels.
const MAX_SIDE: u32 = 16384;
/// The largest accepted file, and the most memory for a decoded image, in bytes.
const MAX_BYTES: u64 = 512 << 20;
/// The shortest accepted side, in pixels.
const MIN_SIDE: usize = 8;
/// The JPEG quality of images in reports, in percent.
const JPEG_QUALITY: u8 = 85;
/// The accepted formats. The content of a file determines its format.
const FORMATS: [ImageFormat; 6] =
    [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::WebP, ImageFormat::Bmp, ImageFormat::Gif, ImageFormat::Tiff];

/// Reads a PNG, JPEG, WebP, BMP, GIF (its first frame) or TIFF image as 8-bit RGB, like Pillow's `convert("RGB")`: it drops transparency
/// without blending, makes three equal channels of grey, drops the lower half of 16 bits, and multiplies CMYK out. It ignores the
/// camera's orientation and colour profiles.
///
/// There are two differences from Pillow. 16-bit grey is scaled like other 16-bit images, where Pillow clips it at 255. JPEG decoders
/// round differently, which changes values by a level or two (over 400 photographs 0.2 on average, 5 at most).
///
/// The content of the file determines its format, not its name. It may have up to 16384 pixels per side and 512 MiB.
///
/// # Errors
/// [`Error::Io`] if the file cannot be read; [`Error::Input`] if it is not such an image, is too large or is cut short.
pub(crate) fn read(path: impl AsRef<Path>) -> Result<RgbImage> {
    let Levels { height, width, values, .. } = read_levels(path.as_ref(), 3)?;
    Ok(RgbImage::from_raw(width as u32, height as u32, values).expect("three values a pixel"))
}

fn read_levels(path: &Path, channels: usize) -> Result<Levels> {
    let fail = |what: String| Error::input(format!("picture {}: {what}", path.display()));
    let bytes = read_at_most(path, MAX_BYTES, "picture")?;
    decode(&bytes).and_then(|decoded| to_levels(decoded, channels)).map_err(fail)
}

fn decode(bytes: &[u8]) -> Result<DynamicImage, String> {
    let reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format().map_err(|e| e.to_string())?;
    let format = reader.format().filter(|format| FORMATS.contains(format));
    let format = format.ok_or("is not a PNG, JPEG, WebP, BMP, GIF or TIFF picture")?;
    // The JPEG decoder fills missing parts with grey.
    if format == ImageFormat::Jpeg && is_jpeg_cut_short(bytes) {
        return Err("ends before its last line; is it a whole download?".into());
    }
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    let mut limits = Limits::default();
    limits.max_image_width = Some(MAX_SIDE);
    limits.max_image_height = Some(MAX_SIDE);
    limits.max_alloc = Some(MAX_BYTES);
    reader.limits(limits);
    reader.decode().map_err(|e| match e {
        image::ImageError::Limits(_) => {
            format!("is too large: at most {MAX_SIDE} pixels a side and {} MiB are read", MAX_BYTES >> 20)
        }
        other => format!("cannot be decoded: {other}"),
    })
}

/// Converts as Pillow does: to `L` for 1 channel, `RGB` for 3, `RGBA` for 4.
fn to_levels(decoded: DynamicImage, channels: usize) -> Result<Levels, String> {
    let [height, width] = [decoded.height() as usize, decoded.width() as usize];
    let is_16_bit = match decoded {
        DynamicImage::ImageRgb32F(_) | DynamicImage::ImageRgba32F(_) => {
            return Err("holds floating-point numbers; save it with 8 or 16 bits a channel".into());
        }
        DynamicImage::ImageLuma16(_)
        | DynamicImage::ImageLumaA16(_)
        | DynamicImage::ImageRgb16(_)
        | DynamicImage::ImageRgba16(_) => true,
        _ => false,
    };
    // Pillow takes the upper half of 16 bits; the crate `image` would round.
    let upper = |values: Vec<u16>| values.into_iter().map(|value| (value >> 8) as u8).collect();
    let values: Vec<u8> = match (channels, is_16_bit) {
        (4, false) => decoded.into_rgba8().into_raw(),
        (4, true) => upper(decoded.into_rgba16().into_raw()),
        (_, false) => decoded.into_rgb8().into_raw(),
        (_, true) => upper(decoded.into_rgb16().into_raw()),
    };
    let values = match channels {
        1 => values.chunks_exact(3).map(|rgb| luma([rgb[0], rgb[1], rgb[2]])).collect(),
        3 | 4 => values,
        _ => return Err(format!("cannot be read as {channels} channels; there are pictures of 1, 3 and 4")),
    };
    Ok(Levels { channels, height, width, values })
}

/// ITU-R 601-2 luma in fixed point, as Pillow computes it. The luma of three equal levels is that level.
fn luma([r, g, b]: [u8; 3]) -> u8 {
    ((u32::from(r) * 19595 + u32::from(g) * 38470 + u32::from(b) * 7471 + 0x8000) >> 16) as u8
}

/// Whether a JPEG file ends before its image does. Anything may follow the image, such as a phone's video. So this follows the segments
/// from the first to the end of the image, by their lengths. The data of a scan, in which 0xFF is always escaped, ends at the next
/// marker.
fn is_jpeg_cut_short(bytes: &[u8]) -> bool {
    const END_OF_IMAGE: u8 = 0xd9;
    let mut at = 2;
    while let Some(len) = bytes.get(at..).and_then(|rest| rest.iter().position(|&byte| byte == 0xff)) {
        at += len;
        let Some(&marker) = bytes.get(at + 1) else { return true };
        match marker {
            END_OF_IMAGE => return false,
            // An escaped 0xFF, or a marker without a length.
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

/// Reads an image for a network that takes `image`: `[C,H,W]` in [0, 1], not yet normalised. One channel is grey, three are RGB, four are
/// RGBA, converted as Pillow's `convert` does. RGBA is opaque if the file has no transparency. The content of the file determines its
/// format, not its name.
///
/// The image is resized and cropped as by torchvision's evaluation transform: it is resized until it just covers
/// `round(H · 256/224)` x `round(W · 256/224)` pixels, then the central H x W pixels are kept. An image of H x W pixels is kept as it
/// is. Resizing is bilinear and antialiased, equal to Pillow's up to one level of 255, by which Pillow's versions differ.
///
/// # Errors
/// [`Error::Io`] if the file cannot be read; [`Error::Input`] if it is not a PNG, JPEG, WebP, BMP, GIF or TIFF image, is cut short, is
/// larger than 16384 pixels per side or 512 MiB, or has a side shorter than 8 pixels.
pub fn preprocess(path: impl AsRef<Path>, image: ImageSpec) -> Result<Vec<f32>> {
    let path = path.as_ref();
    let picture = read_levels(path, image.channels)?;
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
    Ok(channels_first(&values, channels))
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

/// The RGB image of `[C,H,W]` values, clipped to [0, 1] and rounded to 8 bits. [`read`] returns the same for their PNG file.
///
/// # Errors
/// As [`png()`].
pub(crate) fn to_rgb8(chw: &[f32], image: ImageSpec) -> Result<RgbImage> {
    let Levels { channels, height, width, values } = encodable(chw, image)?;
    let rgb = values.chunks_exact(channels).flat_map(|pixel| [0, 1, 2].map(|at| pixel[at.min(channels - 1)])).collect();
    Ok(RgbImage::from_raw(width as u32, height as u32, rgb).expect("three levels a pixel"))
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

/// The bytes of a JPEG file, which for a photograph has a tenth of the size of a PNG file. JPEG has no transparency, so a fourth channel
/// is dropped.
///
/// # Errors
/// As [`png()`].
pub(crate) fn jpeg(chw: &[f32], image: ImageSpec) -> Result<Vec<u8>> {
    let opaque = ImageSpec { channels: image.channels.min(3), ..image };
    let mut bytes = Vec::new();
    let kept = if image.len() == chw.len() { opaque.len() } else { chw.len() };
    encodable(&chw[..kept], opaque)?.encode(JpegEncoder::new_with_quality(&mut bytes, JPEG_QUALITY))?;
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
