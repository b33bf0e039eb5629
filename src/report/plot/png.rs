//! Draws a scene as a PNG file.

use tiny_skia::{
    Color, FillRule, LineCap, LineJoin, Paint, Path, PathBuilder, Pixmap, Stroke as Pen, StrokeDash, Transform,
};

use super::font::Font;
use super::scene::{Anchor, Mark, Scene, Stroke};
use crate::error::{Error, Result};

impl Scene {
    /// The scene as a PNG file of twice the size, for print and high-resolution screens.
    ///
    /// # Errors
    /// If there is not enough memory.
    pub(crate) fn png(&self) -> Result<Vec<u8>> {
        draw(self, 2.0)
    }
}

/// Draws a scene with `scale` pixels per unit.
fn draw(scene: &Scene, scale: f32) -> Result<Vec<u8>> {
    let (width, height) = scene.size();
    let failed = || Error::input(format!("cannot draw the plot \"{}\" of {width} x {height}", scene.title));
    let pixels = |units: u32| (units as f32 * scale) as u32;
    let mut pixmap = Pixmap::new(pixels(width), pixels(height)).ok_or_else(failed)?;
    pixmap.fill(Color::WHITE);
    let font = Font::new();
    for mark in &scene.marks {
        draw_mark(&mut pixmap, &font, mark, Transform::from_scale(scale, scale));
    }
    pixmap.encode_png().map_err(|_| failed())
}

fn draw_mark(pixmap: &mut Pixmap, font: &Font, mark: &Mark, transform: Transform) {
    match mark {
        Mark::Line { points, stroke } => {
            if let Some(path) = polygon(points, false) {
                pixmap.stroke_path(&path, &paint(stroke.colour, 1.0), &pen(stroke), transform, None);
            }
        }
        Mark::Area { points, colour, opacity } => {
            if let Some(path) = polygon(points, true) {
                pixmap.fill_path(&path, &paint(colour, *opacity as f32), FillRule::Winding, transform, None);
            }
        }
        Mark::Disc { x, y, radius, colour } => {
            if let Some(path) = PathBuilder::from_circle(*x as f32, *y as f32, *radius as f32) {
                pixmap.fill_path(&path, &paint(colour, 1.0), FillRule::Winding, transform, None);
            }
        }
        Mark::Text { x, y, text, size, anchor, turned, colour } => {
            let before = match anchor {
                Anchor::Start => 0.0,
                Anchor::Middle => font.width(text, *size) / 2.0,
                Anchor::End => font.width(text, *size),
            };
            let turn = if *turned { -90.0 } else { 0.0 };
            let place =
                transform.pre_translate(*x as f32, *y as f32).pre_rotate(turn).pre_translate(-before as f32, 0.0);
            if let Some(path) = font.outlines(text, *size) {
                pixmap.fill_path(&path, &paint(colour, 1.0), FillRule::Winding, place, None);
            }
        }
    }
}

fn polygon(points: &[(f64, f64)], closed: bool) -> Option<Path> {
    let mut path = PathBuilder::new();
    for (index, &(x, y)) in points.iter().enumerate() {
        match index {
            0 => path.move_to(x as f32, y as f32),
            _ => path.line_to(x as f32, y as f32),
        }
    }
    if closed {
        path.close();
    }
    path.finish()
}

fn pen(stroke: &Stroke) -> Pen {
    let dash = StrokeDash::new(stroke.dashes.iter().map(|&length| length as f32).collect(), 0.0);
    Pen { width: stroke.width as f32, line_cap: LineCap::Butt, line_join: LineJoin::Round, dash, ..Pen::default() }
}

/// Parses a colour such as `#d55e00`.
fn paint(colour: &str, opacity: f32) -> Paint<'static> {
    let channel =
        |at: usize| colour.get(at..at + 2).and_then(|hex| u8::from_str_radix(hex, 16).ok()).unwrap_or_default();
    let mut paint = Paint { anti_alias: true, ..Paint::default() };
    paint.set_color_rgba8(channel(1), channel(3), channel(5), (opacity * 255.0).round() as u8);
    paint
}
