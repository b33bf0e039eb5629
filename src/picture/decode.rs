//! Decodes image files, and turns them upright.

use std::io::Cursor;

use image::metadata::Orientation;
use image::{DynamicImage, GrayImage, ImageDecoder, ImageError, ImageReader, Limits, RgbImage};

use super::formats::{Content, Format};
use super::jpeg::{self, Decoded};

/// The longest accepted side, in pixels.
pub(super) const MAX_SIDE: u32 = 16384;
/// The largest accepted file, and the most memory for a decoded image, in bytes.
pub(super) const MAX_BYTES: u64 = 512 << 20;

/// Decodes a file, in the orientation that its Exif data name. The content determines the format.
pub(super) fn decode(bytes: &[u8]) -> Result<DynamicImage, String> {
    let format = match Content::of(bytes) {
        Content::Picture(format) => format,
        Content::Foreign(foreign) => return Err(format!("is {foreign}")),
        Content::Other => return Err("is not a PNG, JPEG, WebP, BMP, GIF or TIFF picture".into()),
    };
    let is_jpeg = format == Format::Jpeg;
    let (mut picture, orientation) = match is_jpeg.then(|| decoded_jpeg(bytes)).transpose()?.flatten() {
        Some(decoded) => decoded,
        None => decoded(bytes, format)?,
    };
    picture.apply_orientation(orientation);
    Ok(picture)
}

/// A JPEG file; `None` if it is of a rare kind.
fn decoded_jpeg(bytes: &[u8]) -> Result<Option<(DynamicImage, Orientation)>, String> {
    if jpeg::is_cut_short(bytes) {
        return Err("ends before its last line; is it a whole download?".into());
    }
    let damaged =
        |what: &str| format!("is damaged: {what}; get the file again, or open and save it with another program");
    let (width, height, values, exif) = match jpeg::decode(bytes, MAX_SIDE as usize, MAX_BYTES).map_err(damaged)? {
        Decoded::Picture { width, height, values, exif } => (width, height, values, exif),
        Decoded::TooLarge => return Err(too_large()),
        Decoded::Rare => return Ok(None),
    };
    let is_grey = values.len() == width * height;
    let [width, height] = [width, height].map(|side| side as u32);
    let picture = if is_grey {
        GrayImage::from_raw(width, height, values).map(DynamicImage::ImageLuma8)
    } else {
        RgbImage::from_raw(width, height, values).map(DynamicImage::ImageRgb8)
    };
    let orientation = exif.and_then(Orientation::from_exif_chunk).unwrap_or(Orientation::NoTransforms);
    Ok(Some((picture.expect("one or three values a pixel"), orientation)))
}

fn decoded(bytes: &[u8], format: Format) -> Result<(DynamicImage, Orientation), String> {
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    let mut limits = Limits::default();
    limits.max_image_width = Some(MAX_SIDE);
    limits.max_image_height = Some(MAX_SIDE);
    limits.max_alloc = Some(MAX_BYTES);
    reader.limits(limits);
    let failed = |error| match error {
        ImageError::Limits(_) => too_large(),
        other => format!("cannot be decoded: {other}"),
    };
    let mut decoder = reader.into_decoder().map_err(failed)?;
    if decoder.total_bytes() > MAX_BYTES {
        return Err(too_large());
    }
    // Exif data that cannot be read name no orientation.
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    Ok((DynamicImage::from_decoder(decoder).map_err(failed)?, orientation))
}

fn too_large() -> String {
    format!("is too large: at most {MAX_SIDE} pixels a side and {} MiB are read", MAX_BYTES >> 20)
}
