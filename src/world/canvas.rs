//! A picture to draw on: paths filled, lined and clipped in the object's own coordinates.

use tiny_skia::{
    Color, FillRule, LineCap, LineJoin, Mask, Paint, Path, PathBuilder, Pixmap, Shader, Stroke, Transform,
};

use super::colour::Colour;
use super::random::direction;

/// Height and width of a picture in pixels.
pub(crate) const SIDE: u32 = 224;

/// A closed or open outline; `None` where it has no extent, and then nothing is drawn.
pub(super) type Outline = Option<Path>;

/// A point, as (x, y).
pub(super) type Point = (f32, f32);

/// A transparent square picture with a coordinate system, a clip and a pen.
pub(super) struct Canvas {
    pub(super) pixmap: Pixmap,
    transform: Transform,
    clip: Option<Mask>,
    /// The pen that outlines each part: its width and colour.
    pub(super) pen: Option<(f32, Colour)>,
}

impl Canvas {
    /// An empty canvas of `side` by `side` pixels in pixel coordinates.
    pub(super) fn new(side: u32) -> Option<Self> {
        Some(Self { pixmap: Pixmap::new(side, side)?, transform: Transform::identity(), clip: None, pen: None })
    }

    /// Fills an outline with one colour.
    pub(super) fn fill(&mut self, outline: Outline, colour: Colour) {
        if let Some(path) = outline {
            self.pixmap.fill_path(&path, &paint(colour), FillRule::Winding, self.transform, self.clip.as_ref());
        }
    }

    /// Draws a line along an outline.
    pub(super) fn line(&mut self, outline: Outline, width: f32, colour: Colour) {
        if let Some(path) = outline {
            let stroke = Stroke { width, line_cap: LineCap::Round, line_join: LineJoin::Round, ..Stroke::default() };
            self.pixmap.stroke_path(&path, &paint(colour), &stroke, self.transform, self.clip.as_ref());
        }
    }

    /// Fills an outline and goes round it with the pen, where the object has one.
    pub(super) fn part(&mut self, outline: Outline, colour: Colour) {
        self.fill(outline.clone(), colour);
        if let Some((width, ink)) = self.pen {
            self.line(outline, width, ink);
        }
    }

    /// A part with something drawn on it that stays inside its outline.
    pub(super) fn part_with(&mut self, outline: Outline, colour: Colour, on_it: impl FnOnce(&mut Self)) {
        self.fill(outline.clone(), colour);
        self.inside(&outline, on_it);
        if let Some((width, ink)) = self.pen {
            self.line(outline, width, ink);
        }
    }

    /// Draws only inside an outline.
    pub(super) fn inside(&mut self, outline: &Outline, draw: impl FnOnce(&mut Self)) {
        let Some(path) = outline else { return };
        let outer = self.clip.take();
        let mut clip = outer.clone();
        match &mut clip {
            Some(mask) => mask.intersect_path(path, FillRule::Winding, true, self.transform),
            None => {
                clip = Mask::new(self.pixmap.width(), self.pixmap.height());
                if let Some(mask) = &mut clip {
                    mask.fill_path(path, FillRule::Winding, true, self.transform);
                }
            }
        }
        self.clip = clip;
        draw(self);
        self.clip = outer;
    }

    /// Draws in coordinates that are moved, turned and scaled against the present ones.
    pub(super) fn placed(&mut self, place: Transform, draw: impl FnOnce(&mut Self)) {
        let outer = self.transform;
        self.transform = outer.pre_concat(place);
        draw(self);
        self.transform = outer;
    }

    /// Draws the same thing on the right and, mirrored, on the left.
    pub(super) fn both_sides(&mut self, draw: impl Fn(&mut Self)) {
        draw(self);
        self.placed(Transform::from_scale(-1.0, 1.0), |canvas| draw(canvas));
    }
}

fn paint(colour: Colour) -> Paint<'static> {
    let part = |value: f32| value.clamp(0.0, 1.0);
    let colour = Color::from_rgba(part(colour.red), part(colour.green), part(colour.blue), part(colour.alpha));
    Paint { shader: Shader::SolidColor(colour.unwrap_or(Color::BLACK)), anti_alias: true, ..Paint::default() }
}

/// A place: moved to (`x`, `y`), turned by an angle in turns, scaled.
pub(super) fn place(x: f32, y: f32, turns: f32, scale: f32) -> Transform {
    let (cosine, sine) = direction(turns);
    Transform::from_row(cosine * scale, sine * scale, -sine * scale, cosine * scale, x, y)
}

/// A disc round (`x`, `y`).
pub(super) fn disc(x: f32, y: f32, radius: f32) -> Outline {
    PathBuilder::from_circle(x, y, radius)
}

/// An ellipse round (`x`, `y`) with these half axes.
pub(super) fn oval(x: f32, y: f32, half_width: f32, half_height: f32) -> Outline {
    let rect = tiny_skia::Rect::from_ltrb(x - half_width, y - half_height, x + half_width, y + half_height)?;
    PathBuilder::from_oval(rect)
}

/// A rectangle from its left top corner.
pub(super) fn rect(x: f32, y: f32, width: f32, height: f32) -> Outline {
    Some(PathBuilder::from_rect(tiny_skia::Rect::from_xywh(x, y, width, height)?))
}

/// A polygon.
pub(super) fn polygon(points: &[Point]) -> Outline {
    trace(points, true)
}

/// An open line from point to point.
pub(super) fn polyline(points: &[Point]) -> Outline {
    trace(points, false)
}

fn trace(points: &[Point], closed: bool) -> Outline {
    let mut builder = PathBuilder::new();
    let (first, rest) = points.split_first()?;
    builder.move_to(first.0, first.1);
    for point in rest {
        builder.line_to(point.0, point.1);
    }
    if closed {
        builder.close();
    }
    builder.finish()
}

/// A closed round outline through points (a Catmull–Rom spline).
pub(super) fn smooth(points: &[Point]) -> Outline {
    let count = points.len();
    let at = |index: usize| points[index % count];
    let mut builder = PathBuilder::new();
    let first = points.first()?;
    builder.move_to(first.0, first.1);
    for index in 0..count {
        let (before, from, to, after) = (at(index + count - 1), at(index), at(index + 1), at(index + 2));
        builder.cubic_to(
            from.0 + (to.0 - before.0) / 6.0,
            from.1 + (to.1 - before.1) / 6.0,
            to.0 - (after.0 - from.0) / 6.0,
            to.1 - (after.1 - from.1) / 6.0,
            to.0,
            to.1,
        );
    }
    builder.close();
    builder.finish()
}

/// An open bow from one point to another, pulled towards a third.
pub(super) fn bow(from: Point, pull: Point, to: Point) -> Outline {
    let mut builder = PathBuilder::new();
    builder.move_to(from.0, from.1);
    builder.quad_to(pull.0, pull.1, to.0, to.1);
    builder.finish()
}

/// A closed outline of bows: each entry is (pull, to), the first bow starts where the last one ends.
pub(super) fn bows(entries: &[(Point, Point)]) -> Outline {
    let mut builder = PathBuilder::new();
    let (_, start) = entries.last()?;
    builder.move_to(start.0, start.1);
    for (pull, to) in entries {
        builder.quad_to(pull.0, pull.1, to.0, to.1);
    }
    builder.close();
    builder.finish()
}

/// A star or rosette: `count` tips at the outer radius, notches at the inner one, the first tip upwards.
pub(super) fn star(x: f32, y: f32, count: u32, outer: f32, inner: f32) -> Vec<Point> {
    (0..2 * count)
        .map(|index| {
            let radius = if index % 2 == 0 { outer } else { inner };
            let (cosine, sine) = direction(index as f32 / (2 * count) as f32 - 0.25);
            (x + radius * cosine, y + radius * sine)
        })
        .collect()
}
