//! Values as dots with error bars.

use super::axis::{number, round_numbers, round_range};
use super::font::Font;
use super::role::Role;
use super::scene::{Anchor, GRID, INK, LARGE, SMALL, Scene, Stroke};

/// One row.
#[derive(Clone, Debug)]
pub(crate) struct Dot {
    /// The name of the row.
    pub(crate) name: String,
    /// The role, which determines the style.
    pub(crate) role: Role,
    /// The value; `None` leaves the row empty.
    pub(crate) value: Option<f64>,
    /// The error bar.
    pub(crate) bar: Option<Bar>,
}

/// An error bar.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Bar {
    /// The same distance to both sides.
    Deviation(f64),
    /// From a lower limit to an upper one.
    Interval(f64, f64),
}

impl Bar {
    fn limits(self, value: f64) -> [f64; 2] {
        match self {
            Self::Deviation(half) => [value - half, value + half],
            Self::Interval(low, high) => [low, high],
        }
    }
}

/// Rows of dots over a common axis.
#[derive(Clone, Debug, Default)]
pub(crate) struct Dots {
    /// The title above the plot.
    pub(crate) title: String,
    /// The quantity on the axis.
    pub(crate) axis: String,
    /// The range; `None` fits the values and 0.
    pub(crate) range: Option<(f64, f64)>,
    /// The rows, from the top.
    pub(crate) rows: Vec<Dot>,
}

const WIDTH: f64 = 900.0;
const TOP: f64 = 38.0;
const ROW: f64 = 26.0;
const NAMES_MOST: f64 = 240.0;

impl Dots {
    /// Lays out the plot. A line through the first row's value shows which rows lie beyond it.
    pub(crate) fn scene(&self) -> Scene {
        let font = Font::new();
        let names: Vec<String> = self.rows.iter().map(|row| font.fit(&row.name, LARGE, NAMES_MOST)).collect();
        let values: Vec<String> = self.rows.iter().map(Dot::text).collect();
        let widest = |texts: &[String]| texts.iter().map(|text| font.width(text, LARGE)).fold(0.0, f64::max);
        let (left, right) = (widest(&names) + 28.0, WIDTH - widest(&values) - 34.0);
        let bottom = TOP + ROW * self.rows.len() as f64;
        let (low, high) = self.range();
        let across = |value: f64| left + (value.clamp(low, high) - low) / (high - low) * (right - left);

        let mut scene = Scene::new(&self.title, WIDTH, bottom + 46.0);
        scene.text((left, 22.0), &font.fit(&self.title, LARGE + 1.0, WIDTH - left), LARGE + 1.0, Anchor::Start);
        let steps = round_numbers(low, high, 8);
        let between = steps.get(1).map_or(1.0, |second| second - steps[0]);
        for &step in &steps {
            scene.line(&[(across(step), TOP), (across(step), bottom + 4.0)], Stroke::thin(GRID));
            scene.text((across(step), bottom + 17.0), &number(step, between), SMALL, Anchor::Middle);
        }
        scene.line(&[(left, bottom), (right, bottom)], Stroke::thin(INK));
        scene.text(((left + right) / 2.0, bottom + 37.0), &self.axis, LARGE, Anchor::Middle);
        if let Some(first) = self.rows.first().and_then(|row| row.value) {
            let stroke = Stroke { colour: self.rows[0].role.colour(), width: 1.0, dashes: &[2.0, 3.0] };
            scene.line(&[(across(first), TOP), (across(first), bottom)], stroke);
        }
        for (index, row) in self.rows.iter().enumerate() {
            let y = TOP + ROW * (index as f64 + 0.5);
            scene.text((left - 12.0, y + 4.5), &names[index], LARGE, Anchor::End);
            scene.text((right + 14.0, y + 4.5), &values[index], LARGE, Anchor::Start);
            if let Some(value) = row.value {
                row.draw(&mut scene, (across(value), y), row.bar.map(|bar| bar.limits(value).map(across)));
            }
        }
        scene
    }

    fn range(&self) -> (f64, f64) {
        let limits = |row: &Dot| row.value.map(|value| row.bar.unwrap_or(Bar::Deviation(0.0)).limits(value));
        let edges = self.rows.iter().filter_map(limits).flatten();
        self.range.unwrap_or_else(|| round_range(edges.chain([0.0])))
    }
}

impl Dot {
    fn text(&self) -> String {
        let text = match (self.value, self.bar) {
            (Some(value), Some(Bar::Deviation(half))) => format!("{value:.3} ± {half:.3}"),
            (Some(value), Some(Bar::Interval(low, high))) => format!("{value:.3} ({low:.3} to {high:.3})"),
            (Some(value), None) => format!("{value:.3}"),
            (None, _) => "undefined".to_string(),
        };
        text.replace('-', "\u{2212}")
    }

    fn draw(&self, scene: &mut Scene, (x, y): (f64, f64), bar: Option<[f64; 2]>) {
        let stroke = || Stroke { colour: self.role.colour(), width: 1.6, dashes: &[] };
        if let Some([from, to]) = bar {
            scene.line(&[(from, y), (to, y)], stroke());
            for end in [from, to] {
                scene.line(&[(end, y - 4.0), (end, y + 4.0)], stroke());
            }
        }
        scene.disc((x, y), 4.6, self.role.colour());
    }
}
