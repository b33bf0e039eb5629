//! A table of values as coloured cells.

use super::axis::round_range;
use super::font::Font;
use super::scene::{Anchor, INK, LARGE, Mark, SMALL, Scene, Stroke};

/// A table of values, shown as colours.
#[derive(Clone, Debug, Default)]
pub(crate) struct HeatMap {
    /// The title above the plot.
    pub(crate) title: String,
    /// The quantity of the values.
    pub(crate) measure: String,
    /// The title of the columns.
    pub(crate) x: String,
    /// The columns, from the left.
    pub(crate) columns: Vec<String>,
    /// The title of the rows.
    pub(crate) y: String,
    /// The rows, from the top.
    pub(crate) rows: Vec<String>,
    /// The values by row, then by column; `None` leaves a cell white.
    pub(crate) cells: Vec<Vec<Option<f64>>>,
}

/// Viridis in eleven steps, whose order is visible to the colour-blind and in grey.
const COLOURS: [&str; 11] = [
    "#440154", "#482475", "#414487", "#355f8d", "#2a788e", "#21918c", "#22a884", "#44bf70", "#7ad151", "#bddf26",
    "#fde725",
];
/// From this colour on, text is dark.
const BRIGHT: usize = 6;

const WIDTH: f64 = 900.0;
const TOP: f64 = 42.0;
const ROW: f64 = 34.0;
const NAMES_MOST: f64 = 220.0;
/// The colour scale beside the cells.
const SCALE: f64 = 110.0;
/// The widest cell, and the narrowest cell that shows its value.
const CELL: [f64; 2] = [96.0, 40.0];

impl HeatMap {
    /// Lays out the plot. The highest cell has a frame.
    pub(crate) fn scene(&self) -> Scene {
        let font = Font::new();
        let names: Vec<String> = self.rows.iter().map(|name| font.fit(name, LARGE, NAMES_MOST)).collect();
        let widest = names.iter().map(|name| font.width(name, LARGE)).fold(0.0, f64::max);
        let left = widest + 52.0;
        let width = ((WIDTH - left - SCALE) / self.columns.len().max(1) as f64).min(CELL[0]);
        let bottom = TOP + ROW * self.rows.len() as f64;
        let right = left + width * self.columns.len() as f64;
        // With few columns the title determines the width.
        let whole = (right + 26.0 + SCALE).max(left + font.width(&self.title, LARGE + 1.0) + 10.0).min(WIDTH);
        let mut scene = Scene::new(&self.title, whole, bottom.max(TOP + ROW * 4.0) + 54.0);
        scene.text((left, 24.0), &font.fit(&self.title, LARGE + 1.0, whole - left), LARGE + 1.0, Anchor::Start);
        let values = || self.cells.iter().flatten().filter_map(|value| value.filter(|value| value.is_finite()));
        let (low, high) = bounds(values());
        let mut best: Option<(f64, (f64, f64))> = None;
        for (row, cells) in self.cells.iter().enumerate() {
            let y = TOP + ROW * row as f64;
            for (column, value) in cells.iter().enumerate() {
                let x = left + width * column as f64;
                let Some(value) = value.filter(|value| value.is_finite()) else { continue };
                let step = step(value, low, high);
                area(&mut scene, [x + 0.5, y + 0.5, x + width - 0.5, y + ROW - 0.5], COLOURS[step]);
                if width >= CELL[1] {
                    let colour = if step >= BRIGHT { INK } else { "#ffffff" };
                    text(&mut scene, (x + width / 2.0, y + ROW / 2.0 + 4.0), &number(value), colour);
                }
                if best.is_none_or(|(known, _)| value > known) {
                    best = Some((value, (x, y)));
                }
            }
        }
        if let Some((_, (x, y))) = best {
            let corners = [(x, y), (x + width, y), (x + width, y + ROW), (x, y + ROW), (x, y)];
            scene.line(&corners, Stroke { colour: "#d55e00", width: 2.6, dashes: &[] });
        }
        self.draw_names(&mut scene, &font, &names, [left, width, right, bottom]);
        self.draw_scale(&mut scene, &font, right + 26.0, (low, high));
        scene
    }

    fn draw_names(&self, scene: &mut Scene, font: &Font, names: &[String], [left, width, right, bottom]: [f64; 4]) {
        for (row, name) in names.iter().enumerate() {
            scene.text((left - 8.0, TOP + ROW * (row as f64 + 0.5) + 4.5), name, LARGE, Anchor::End);
        }
        for (column, name) in self.columns.iter().enumerate() {
            let place = (left + width * (column as f64 + 0.5), bottom + 17.0);
            scene.text(place, &font.fit(name, SMALL, width - 4.0), SMALL, Anchor::Middle);
        }
        scene.text(((left + right) / 2.0, bottom + 38.0), &self.x, LARGE, Anchor::Middle);
        let most = ROW * self.rows.len().max(2) as f64;
        scene.turned_text((18.0, (TOP + bottom) / 2.0), &font.fit(&self.y, LARGE, most), LARGE, Anchor::Middle);
    }

    /// Draws the colour scale.
    fn draw_scale(&self, scene: &mut Scene, font: &Font, x: f64, (low, high): (f64, f64)) {
        const HEIGHT: f64 = 11.0;
        for (step, colour) in COLOURS.iter().enumerate() {
            let y = TOP + HEIGHT * (COLOURS.len() - 1 - step) as f64;
            area(scene, [x, y, x + 16.0, y + HEIGHT + 0.3], colour);
        }
        let end = TOP + HEIGHT * COLOURS.len() as f64;
        for (value, y) in [(high, TOP + 8.0), ((low + high) / 2.0, (TOP + end) / 2.0 + 4.0), (low, end)] {
            scene.text((x + 21.0, y), &number(value), SMALL, Anchor::Start);
        }
        scene.text((x, end + 16.0), &font.fit(&self.measure, SMALL, WIDTH - x), SMALL, Anchor::Start);
    }
}

/// The range of the values; if there is only one value, a range around it.
fn bounds(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), x| (low.min(x), high.max(x)));
    if high - low > 1e-9 { (low, high) } else { round_range([low]) }
}

fn step(value: f64, low: f64, high: f64) -> usize {
    let share = ((value - low) / (high - low)).clamp(0.0, 1.0);
    (share * (COLOURS.len() - 1) as f64).round() as usize
}

fn number(value: f64) -> String {
    format!("{value:.3}").replace('-', "\u{2212}")
}

fn area(scene: &mut Scene, [left, top, right, bottom]: [f64; 4], colour: &'static str) {
    let points = vec![(left, top), (right, top), (right, bottom), (left, bottom)];
    scene.marks.push(Mark::Area { points, colour, opacity: 1.0 });
}

fn text(scene: &mut Scene, (x, y): (f64, f64), text: &str, colour: &'static str) {
    let text = text.to_string();
    scene.marks.push(Mark::Text { x, y, text, size: SMALL, anchor: Anchor::Middle, turned: false, colour });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_value_has_the_brightest_colour_and_the_frame() {
        let map = HeatMap {
            columns: vec!["a".into(), "b".into()],
            rows: vec!["c".into(), "d".into()],
            cells: vec![vec![Some(-0.5), None], vec![Some(0.25), Some(f64::NAN)]],
            ..HeatMap::default()
        };
        let scene = map.scene();
        let colours: Vec<&str> = (scene.marks.iter())
            .filter_map(|mark| match mark {
                Mark::Area { colour, .. } => Some(*colour),
                _ => None,
            })
            .collect();
        assert_eq!(colours[..2], [COLOURS[0], COLOURS[10]]);
        assert_eq!(colours.len(), 2 + COLOURS.len());
        let texts = scene.svg().unwrap();
        assert!(texts.contains("−0.500") && texts.contains("0.250"), "{texts}");
        assert_eq!(scene.marks.iter().filter(|mark| matches!(mark, Mark::Line { .. })).count(), 1);
        // Of nothing, or of one value, there is a plot too.
        HeatMap::default().scene().svg().unwrap();
        let one = HeatMap { cells: vec![vec![Some(0.5)]], rows: vec!["r".into()], columns: vec!["c".into()], ..map };
        one.scene().png().unwrap();
    }
}
