//! Decoded images as levels of some channels.

use image::DynamicImage;

use super::levels::Levels;

/// Converts as Pillow does: to `L` for 1 channel, `RGB` for 3, `RGBA` for 4. An image of 1 or 3 channels is on white where the file is
/// transparent; the second value tells whether it is anywhere.
///
/// One difference from Pillow: 16-bit grey is scaled like other 16-bit images, where Pillow clips it at 255.
pub(super) fn to_levels(decoded: DynamicImage, channels: usize) -> Result<(Levels, bool), String> {
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
    if !matches!(channels, 1 | 3 | 4) {
        return Err(format!("cannot be read as {channels} channels; there are pictures of 1, 3 and 4"));
    }
    let has_alpha = decoded.color().has_alpha();
    // Pillow takes the upper half of 16 bits; the crate `image` would round.
    let upper = |values: Vec<u16>| values.into_iter().map(|value| (value >> 8) as u8).collect();
    let values: Vec<u8> = match (channels == 4 || has_alpha, is_16_bit) {
        (true, false) => decoded.into_rgba8().into_raw(),
        (true, true) => upper(decoded.into_rgba16().into_raw()),
        (false, false) => decoded.into_rgb8().into_raw(),
        (false, true) => upper(decoded.into_rgb16().into_raw()),
    };
    let is_on_white = channels < 4 && has_alpha && values.as_chunks::<4>().0.iter().any(|pixel| pixel[3] < 255);
    let values = if channels < 4 && has_alpha { on_white(&values) } else { values };
    let values = match channels {
        1 => values.as_chunks::<3>().0.iter().map(|&rgb| luma(rgb)).collect(),
        _ => values,
    };
    Ok((Levels { channels, height, width, values }, is_on_white))
}

/// RGBA pixels in front of white: `(c · a + 255 · (255 − a)) / 255`, rounded to the nearest level. Pillow's `alpha_composite` gives the
/// same.
pub(super) fn on_white(rgba: &[u8]) -> Vec<u8> {
    let pixel = |&[r, g, b, a]: &[u8; 4]| {
        [r, g, b].map(|level| ((u32::from(level) * u32::from(a) + 255 * u32::from(255 - a) + 127) / 255) as u8)
    };
    rgba.as_chunks::<4>().0.iter().flat_map(pixel).collect()
}

/// ITU-R 601-2 luma in fixed point, as Pillow computes it. The luma of three equal levels is that level.
fn luma([r, g, b]: [u8; 3]) -> u8 {
    ((u32::from(r) * 19595 + u32::from(g) * 38470 + u32::from(b) * 7471 + 0x8000) >> 16) as u8
}
