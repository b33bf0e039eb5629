//! The font of plots: the width and the outlines of text.

use skrifa::instance::{LocationRef, Size};
use skrifa::outline::{DrawSettings, OutlinePen};
use skrifa::{FontRef, GlyphId, MetadataProvider};
use tiny_skia::{Path, PathBuilder};

/// A subset of DejaVu Sans; see `fonts/README.md`.
const BYTES: &[u8] = include_bytes!("../fonts/DejaVuSans-subset.ttf");

/// A parsed font.
pub(in crate::report) struct Font(FontRef<'static>);

impl Font {
    pub(in crate::report) fn new() -> Self {
        Self(FontRef::new(BYTES).expect("the plots' own font is whole"))
    }

    /// The glyphs with their positions, and the total width. Characters missing from the font become a box.
    fn glyphs(&self, text: &str, size: f64) -> (Vec<(GlyphId, f64)>, f64) {
        let (characters, metrics) =
            (self.0.charmap(), self.0.glyph_metrics(Size::new(size as f32), LocationRef::default()));
        let mut at = 0.0;
        let place = |character| {
            let glyph = characters.map(character).unwrap_or(GlyphId::NOTDEF);
            let start = at;
            at += f64::from(metrics.advance_width(glyph).unwrap_or_default());
            (glyph, start)
        };
        let glyphs = text.chars().map(place).collect();
        (glyphs, at)
    }

    /// The width of a text.
    pub(in crate::report) fn width(&self, text: &str, size: f64) -> f64 {
        self.glyphs(text, size).1
    }

    /// The text, shortened if it is wider than `most`.
    pub(in crate::report) fn fit(&self, text: &str, size: f64, most: f64) -> String {
        if self.width(text, size) <= most {
            return text.to_string();
        }
        let mut kept: String = text.to_string();
        while kept.pop().is_some() {
            let shown = format!("{}…", kept.trim_end());
            if self.width(&shown, size) <= most {
                return shown;
            }
        }
        "…".to_string()
    }

    /// The outlines of a text whose baseline begins at the origin; `None` for blanks.
    pub(in crate::report) fn outlines(&self, text: &str, size: f64) -> Option<Path> {
        let all = self.0.outline_glyphs();
        let settings = || DrawSettings::unhinted(Size::new(size as f32), LocationRef::default());
        let mut pen = Pen { path: PathBuilder::new(), x: 0.0 };
        for (glyph, x) in self.glyphs(text, size).0 {
            pen.x = x as f32;
            if let Some(outline) = all.get(glyph) {
                // A glyph that cannot be drawn would leave a gap, but the embedded font has no such glyph.
                let _ = outline.draw(settings(), &mut pen);
            }
        }
        pen.path.finish()
    }
}

/// Appends glyphs to a path, shifted, with y downwards.
struct Pen {
    path: PathBuilder,
    x: f32,
}

impl OutlinePen for Pen {
    fn move_to(&mut self, x: f32, y: f32) {
        self.path.move_to(self.x + x, -y);
    }

    fn line_to(&mut self, x: f32, y: f32) {
        self.path.line_to(self.x + x, -y);
    }

    fn quad_to(&mut self, cx: f32, cy: f32, x: f32, y: f32) {
        self.path.quad_to(self.x + cx, -cy, self.x + x, -y);
    }

    fn curve_to(&mut self, ax: f32, ay: f32, bx: f32, by: f32, x: f32, y: f32) {
        self.path.cubic_to(self.x + ax, -ay, self.x + bx, -by, self.x + x, -y);
    }

    fn close(&mut self) {
        self.path.close();
    }
}
