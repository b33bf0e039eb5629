//! Animated PNGs. Every browser shows them, in all colours and without loss. A GIF would have 256 colours.

use image::RgbImage;

use crate::error::{Error, Result};

/// An animated PNG with `count` images of equal size, in a loop. Each shows for `frame_ms` milliseconds, the last for `last_ms`. Programs
/// without support for animations show the last image.
///
/// # Errors
/// If there are no images, their sizes differ, or `picture` fails.
pub(crate) fn animation(
    count: usize,
    frame_ms: u16,
    last_ms: u16,
    mut picture: impl FnMut(usize) -> Result<RgbImage>,
) -> Result<Vec<u8>> {
    let failed = |error: png::EncodingError| Error::input(format!("an animation cannot be encoded: {error}"));
    if count == 0 {
        return Err(Error::input("an animation needs at least one image"));
    }
    let last = picture(count - 1)?;
    let (width, height) = last.dimensions();
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_filter(png::Filter::Adaptive);
    let frames = u32::try_from(count).map_err(|_| Error::input(format!("{count} images are too many to animate")))?;
    encoder.set_animated(frames, 0).map_err(failed)?;
    // The image for programs without support comes before the animation and is not part of it.
    encoder.set_sep_def_img(true).map_err(failed)?;
    let mut writer = encoder.write_header().map_err(failed)?;
    writer.write_image_data(last.as_raw()).map_err(failed)?;
    for at in 0..count {
        let shown = picture(at)?;
        if shown.dimensions() != (width, height) {
            let (w, h) = shown.dimensions();
            return Err(Error::input(format!(
                "picture {at} of an animation is {w} x {h} pixels, and the last is {width} x {height}"
            )));
        }
        let ms = if at + 1 == count { last_ms } else { frame_ms };
        writer.set_frame_delay(ms, 1000).map_err(failed)?;
        writer.write_image_data(shown.as_raw()).map_err(failed)?;
    }
    writer.finish().map_err(failed)?;
    Ok(bytes)
}
