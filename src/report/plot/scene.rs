//! A plot as a list of marks; later marks cover earlier ones.

use minijinja::context;
use minijinja::value::Serde;
use serde::Serialize;

use crate::error::Result;
use crate::report::page;

/// The style of a line.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Stroke {
    pub(super) colour: &'static str,
    pub(super) width: f64,
    pub(super) dashes: &'static [f64],
}

impl Stroke {
    pub(super) fn thin(colour: &'static str) -> Self {
        Self { colour, width: 1.0, dashes: &[] }
    }
}

/// The alignment of text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

/// A mark. Coordinates start at the top left corner.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub(super) enum Mark {
    /// A polyline.
    Line { points: Vec<(f64, f64)>, stroke: Stroke },
    /// A filled polygon.
    Area { points: Vec<(f64, f64)>, colour: &'static str, opacity: f64 },
    /// A disc.
    Disc { x: f64, y: f64, radius: f64, colour: &'static str },
    /// A line of text with its baseline at `y`; rotated text runs upwards.
    Text { x: f64, y: f64, text: String, size: f64, anchor: Anchor, turned: bool, colour: &'static str },
}

/// The colour of text and axes.
pub(super) const INK: &str = "#1a1a1a";
/// The colour of the grid behind the curves.
pub(super) const GRID: &str = "#e2e2e2";
/// The size of numbers and names.
pub(super) const SMALL: f64 = 11.0;
/// The size of titles.
pub(super) const LARGE: f64 = 12.5;

/// A laid-out plot, to write as SVG or draw as PNG.
#[derive(Clone, Debug)]
pub(crate) struct Scene {
    pub(super) title: String,
    pub(super) width: f64,
    pub(super) height: f64,
    pub(super) marks: Vec<Mark>,
}

impl Scene {
    pub(super) fn new(title: &str, width: f64, height: f64) -> Self {
        Self { title: title.to_string(), width, height, marks: Vec::new() }
    }

    pub(super) fn line(&mut self, points: &[(f64, f64)], stroke: Stroke) {
        self.marks.push(Mark::Line { points: points.to_vec(), stroke });
    }

    pub(super) fn disc(&mut self, (x, y): (f64, f64), radius: f64, colour: &'static str) {
        self.marks.push(Mark::Disc { x, y, radius, colour });
    }

    pub(super) fn text(&mut self, (x, y): (f64, f64), text: &str, size: f64, anchor: Anchor) {
        let text = text.to_string();
        self.marks.push(Mark::Text { x, y, text, size, anchor, turned: false, colour: INK });
    }

    pub(super) fn turned_text(&mut self, (x, y): (f64, f64), text: &str, size: f64, anchor: Anchor) {
        let text = text.to_string();
        self.marks.push(Mark::Text { x, y, text, size, anchor, turned: true, colour: INK });
    }

    /// Width and height of the SVG in pixels; the PNG has twice as many.
    pub(crate) fn size(&self) -> (u32, u32) {
        (self.width.ceil() as u32, self.height.ceil() as u32)
    }

    /// The scene as an SVG document. It defines no names, so it may be embedded in HTML.
    ///
    /// # Errors
    /// If the template does not fit the scene, which is a bug.
    pub(crate) fn svg(&self) -> Result<String> {
        let (width, height) = self.size();
        page::render("plot.svg", context! { title => self.title.as_str(), width, height, marks => Serde(&self.marks) })
    }
}
