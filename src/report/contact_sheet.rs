//! Images in rows with captions, as one PNG file.

use image::{RgbImage, imageops};
use tiny_skia::{Color, ColorU8, FillRule, Paint, Pixmap, Transform};

use super::plot::font::Font;
use crate::error::{Error, Result};

/// Space around each image, in pixels.
const GAP: u32 = 8;
/// The longest side of a sheet, in pixels, which every viewer can open.
const MOST: u32 = 4096;
/// The sizes that many images are shrunk to.
const SIDES: [u32; 6] = [224, 160, 112, 96, 80, 56];

/// A sheet that receives images one after the other.
pub(crate) struct ContactSheet {
    pixmap: Pixmap,
    font: Font,
    columns: usize,
    room: usize,
    side: u32,
    lines: usize,
    placed: usize,
}

impl ContactSheet {
    /// A nearly square sheet for `count` images with captions of `lines` lines. Many images are shrunk; those that do not fit
    /// at the smallest size are left out, see [`ContactSheet::room`].
    ///
    /// # Errors
    /// If there is not enough memory.
    pub(crate) fn new(count: usize, lines: usize) -> Result<Self> {
        let fits = |&side: &u32| {
            let [width, height] = tile(side, lines);
            columns(count, side, lines) as u32 * width + GAP <= MOST
                && rows(count, columns(count, side, lines)) as u32 * height + GAP <= MOST
        };
        let side = SIDES.into_iter().find(|side| fits(side)).unwrap_or(SIDES[SIDES.len() - 1]);
        Self::of_columns(count, columns(count, side, lines), side, lines)
    }

    /// A sheet of one row, with images at full size.
    ///
    /// # Errors
    /// If there is not enough memory.
    pub(crate) fn strip(count: usize, side: u32, lines: usize) -> Result<Self> {
        Self::of_columns(count, count.max(1), side, lines)
    }

    fn of_columns(count: usize, columns: usize, side: u32, lines: usize) -> Result<Self> {
        let [width, height] = tile(side, lines);
        let rows = rows(count, columns).min(((MOST - GAP) / height) as usize);
        let extents = [columns as u32 * width + GAP, rows as u32 * height + GAP];
        let failed =
            || Error::input(format!("there is no memory for a sheet of {} x {} pixels", extents[0], extents[1]));
        let mut pixmap = Pixmap::new(extents[0], extents[1]).ok_or_else(failed)?;
        pixmap.fill(Color::WHITE);
        Ok(Self { pixmap, font: Font::new(), columns, room: rows * columns, side, lines, placed: 0 })
    }

    /// The number of images that fit.
    pub(crate) fn room(&self) -> usize {
        self.room
    }

    /// Places the next image with its caption; `None` is an empty frame. Lines that are too long end in dots.
    pub(crate) fn place(&mut self, picture: Option<&RgbImage>, lines: &[String]) {
        if self.placed == self.room {
            return;
        }
        let [width, height] = tile(self.side, self.lines);
        let (column, row) = ((self.placed % self.columns) as u32, (self.placed / self.columns) as u32);
        let (x, y) = (GAP + column * width, GAP + row * height);
        self.placed += 1;
        if let Some(picture) = picture {
            self.draw(picture, x, y);
        }
        let size = text_size(self.side);
        for (at, line) in lines.iter().take(self.lines).enumerate() {
            let fitted = self.font.fit(line, size, f64::from(self.side));
            let baseline = f64::from(y + self.side) + (at + 1) as f64 * f64::from(line_height(self.side)) - size * 0.2;
            if let Some(path) = self.font.outlines(&fitted, size) {
                let mut paint = Paint { anti_alias: true, ..Paint::default() };
                paint.set_color_rgba8(0x1a, 0x1a, 0x1a, 255);
                let place = Transform::from_translate(x as f32, baseline as f32);
                self.pixmap.fill_path(&path, &paint, FillRule::Winding, place, None);
            }
        }
    }

    /// Draws an image as large as fits into a square, in its middle.
    fn draw(&mut self, picture: &RgbImage, x: u32, y: u32) {
        let longest = picture.width().max(picture.height());
        let [w, h] = [picture.width(), picture.height()].map(|extent| (extent * self.side / longest).max(1));
        let shrunk =
            (picture.dimensions() != (w, h)).then(|| imageops::resize(picture, w, h, imageops::FilterType::CatmullRom));
        let [x, y] = [x + (self.side - w) / 2, y + (self.side - h) / 2];
        let width = self.pixmap.width();
        let pixels = self.pixmap.pixels_mut();
        for (column, row, pixel) in shrunk.as_ref().unwrap_or(picture).enumerate_pixels() {
            let [r, g, b] = pixel.0;
            pixels[((y + row) * width + x + column) as usize] = ColorU8::from_rgba(r, g, b, 255).premultiply();
        }
    }

    /// The sheet as a PNG file.
    ///
    /// # Errors
    /// If it cannot be encoded.
    pub(crate) fn png(&self) -> Result<Vec<u8>> {
        self.pixmap.encode_png().map_err(|error| Error::input(format!("the sheet cannot be encoded: {error}")))
    }
}

/// Width and height of an image with its caption and margin.
fn tile(side: u32, lines: usize) -> [u32; 2] {
    [side + GAP, side + GAP + lines as u32 * line_height(side)]
}

fn text_size(side: u32) -> f64 {
    (f64::from(side) / 16.0).clamp(8.0, 13.0)
}

fn line_height(side: u32) -> u32 {
    (text_size(side) * 1.4).ceil() as u32
}

/// The number of columns that makes the sheet nearly square.
fn columns(count: usize, side: u32, lines: usize) -> usize {
    let [width, height] = tile(side, lines);
    let square = (count as f64 * f64::from(height) / f64::from(width)).sqrt().round() as usize;
    square.clamp(1, ((MOST - GAP) / width) as usize).min(count.max(1))
}

fn rows(count: usize, columns: usize) -> usize {
    count.div_ceil(columns).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sheets_have_room_for_thousands_and_keep_their_size() {
        for count in [1, 2, 5, 64, 100, 255, 1000, 2000, 100_000] {
            let sheet = ContactSheet::new(count, 2).unwrap();
            let (width, height) = (sheet.pixmap.width(), sheet.pixmap.height());
            assert!(width <= MOST && height <= MOST, "{count}: {width} x {height}");
            assert!(sheet.room() >= count.min(2000), "{count}: {}", sheet.room());
        }
        assert_eq!(ContactSheet::new(64, 2).unwrap().side, 224);
    }

    #[test]
    fn pictures_lie_where_they_belong() {
        let mut sheet = ContactSheet::strip(2, 16, 1).unwrap();
        sheet.place(None, &["none".into()]);
        sheet
            .place(Some(&RgbImage::from_pixel(16, 16, image::Rgb([200, 10, 30]))), &["a long text that is cut".into()]);
        sheet.place(Some(&RgbImage::new(16, 16)), &[]);
        let png = image::load_from_memory(&sheet.png().unwrap()).unwrap().into_rgb8();
        assert_eq!(png.dimensions(), (16 * 2 + 3 * GAP, 16 + 2 * GAP + line_height(16)));
        let left = GAP + 16 + GAP;
        for (x, y, colour) in [
            (GAP, GAP, [255; 3]),
            (left, GAP, [200, 10, 30]),
            (left + 15, GAP + 15, [200, 10, 30]),
            (left - 1, GAP, [255; 3]),
            (left + 16, GAP, [255; 3]),
        ] {
            assert_eq!(png.get_pixel(x, y).0, colour, "{x} {y}");
        }
        let mut sheet = ContactSheet::strip(1, 16, 1).unwrap();
        sheet.place(Some(&RgbImage::from_pixel(40, 20, image::Rgb([0; 3]))), &[]);
        let wide = image::load_from_memory(&sheet.png().unwrap()).unwrap().into_rgb8();
        let is_black = |x, y| wide.get_pixel(GAP + x, GAP + y).0 == [0; 3];
        assert!(is_black(0, 4) && is_black(15, 11) && !is_black(0, 3) && !is_black(15, 12));
        // The words are below, and nowhere else.
        let below = |y: u32| (0..png.width()).any(|x| png.get_pixel(x, y).0 != [255; 3]);
        assert!((GAP + 17..png.height()).any(below));
        assert!(!below(GAP - 1));
    }
}
