//! Curves over a common axis, with bands, levels and a legend.

use super::axis::{Axis, number, round_numbers, round_range, spread};
use super::font::Font;
use super::role::Role;
use super::scene::{Anchor, GRID, INK, LARGE, Mark, SMALL, Scene, Stroke};

/// One curve.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    /// The name in the legend.
    pub(crate) name: String,
    /// What it is.
    pub(crate) role: Role,
    /// The points: position on the horizontal axis and value. Undefined values leave gaps.
    pub(crate) points: Vec<(f64, Option<f64>)>,
    /// The half height of the band around each point; empty for no band.
    pub(crate) deviations: Vec<Option<f64>>,
}

impl Line {
    /// A curve without a band.
    pub(crate) fn new(name: impl Into<String>, role: Role, points: Vec<(f64, Option<f64>)>) -> Self {
        Self { name: name.into(), role, points, deviations: Vec::new() }
    }

    /// The stretches without gaps: position, value, and half height of the band.
    fn stretches(&self) -> Vec<Vec<(f64, f64, Option<f64>)>> {
        let mut stretches = vec![Vec::new()];
        for (index, &(x, y)) in self.points.iter().enumerate() {
            match y.filter(|y| y.is_finite()) {
                Some(y) => {
                    let deviation = self.deviations.get(index).copied().flatten();
                    stretches.last_mut().expect("there is one from the start").push((x, y, deviation));
                }
                None => stretches.push(Vec::new()),
            }
        }
        stretches.retain(|stretch| !stretch.is_empty());
        stretches
    }
}

/// A level to compare with.
#[derive(Clone, Debug)]
pub(crate) struct Level {
    /// The name in the legend.
    pub(crate) name: String,
    /// What it is.
    pub(crate) role: Role,
    /// The value.
    pub(crate) y: f64,
}

/// Curves over a common horizontal axis.
#[derive(Clone, Debug, Default)]
pub(crate) struct Curves {
    /// The title above the plot.
    pub(crate) title: String,
    /// The horizontal axis.
    pub(crate) x: Axis,
    /// The vertical axis. Values beyond its range become triangles at the edge.
    pub(crate) y: Axis,
    /// The curves, the first on top.
    pub(crate) lines: Vec<Line>,
    /// Levels behind the curves.
    pub(crate) levels: Vec<Level>,
    /// Sentences below the plot, one per line.
    pub(crate) notes: Vec<String>,
}

const WIDTH: f64 = 900.0;
const PLOT_HEIGHT: f64 = 280.0;
const TOP: f64 = 38.0;
const LEGEND_MOST: f64 = 170.0;
const SWATCH: f64 = 26.0;
/// The distance between rotated names.
const APART: f64 = 13.0;

/// The area of the plot and its range.
struct Area {
    left: f64,
    right: f64,
    bottom: f64,
    x: (f64, f64),
    y: (f64, f64),
    /// The factor of line widths, which keeps many close points apart.
    thinner: f64,
}

impl Area {
    fn x(&self, value: f64) -> f64 {
        self.left + (value - self.x.0) / (self.x.1 - self.x.0) * (self.right - self.left)
    }

    fn y(&self, value: f64) -> f64 {
        self.bottom - (value.clamp(self.y.0, self.y.1) - self.y.0) / (self.y.1 - self.y.0) * (self.bottom - TOP)
    }

    /// The part of a segment within the range.
    fn clip(&self, a: (f64, f64), b: (f64, f64)) -> Option<[(f64, f64); 2]> {
        let (low, high) = self.y;
        if a.1.max(b.1) < low || a.1.min(b.1) > high {
            return None;
        }
        let cut = |from: (f64, f64), to: (f64, f64)| {
            let edge = from.1.clamp(low, high);
            if edge == from.1 {
                return from;
            }
            (from.0 + (to.0 - from.0) * (edge - from.1) / (to.1 - from.1), edge)
        };
        Some([cut(a, b), cut(b, a)])
    }
}

impl Curves {
    /// Lays out the plot.
    pub(crate) fn scene(&self) -> Scene {
        let font = Font::new();
        let (x, y) = (self.x_range(), self.y_range());
        let steps = round_numbers(y.0, y.1, 6);
        let between = steps.get(1).map_or(1.0, |second| second - steps[0]);
        let labels: Vec<String> = steps.iter().map(|&step| number(step, between)).collect();
        let widest = labels.iter().map(|label| font.width(label, SMALL)).fold(0.0, f64::max);
        let right = WIDTH - self.legend_width(&font);
        let most = self.lines.iter().map(|line| line.points.len()).max().unwrap_or_default();
        let thinner = if most > 120 { 0.6 } else { 1.0 };
        let area = Area { left: 40.0 + widest, right, bottom: TOP + PLOT_HEIGHT, x, y, thinner };

        let mut scene = Scene::new(&self.title, WIDTH, 0.0);
        scene.text(
            (area.left, 22.0),
            &font.fit(&self.title, LARGE + 1.0, WIDTH - area.left),
            LARGE + 1.0,
            Anchor::Start,
        );
        let under = self.draw_x_axis(&mut scene, &font, &area);
        for (&step, label) in steps.iter().zip(&labels) {
            let height = area.y(step);
            scene.line(&[(area.left, height), (area.right, height)], Stroke::thin(GRID));
            scene.text((area.left - 6.0, height + 4.0), label, SMALL, Anchor::End);
        }
        let middle = (TOP + area.bottom) / 2.0;
        scene.turned_text((18.0, middle), &self.y.title, LARGE, Anchor::Middle);
        self.draw_values(&mut scene, &area);
        scene.line(&[(area.left, TOP), (area.left, area.bottom), (area.right, area.bottom)], Stroke::thin(INK));
        self.draw_legend(&mut scene, &font, area.right + 16.0);
        for (index, note) in self.notes.iter().enumerate() {
            let note = font.fit(note, SMALL, WIDTH - area.left - 4.0);
            scene.text((area.left, under + 18.0 + 15.0 * index as f64), &note, SMALL, Anchor::Start);
        }
        scene.height = under + 12.0 + 15.0 * self.notes.len() as f64;
        scene
    }

    fn x_range(&self) -> (f64, f64) {
        let places = || self.lines.iter().flat_map(|line| line.points.iter().map(|point| point.0));
        let given = self.x.range.filter(|(low, high)| low < high);
        given.unwrap_or_else(|| {
            let (low, high) = places().fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), x| (l.min(x), h.max(x)));
            if low < high { (low, high) } else { round_range(places()) }
        })
    }

    fn y_range(&self) -> (f64, f64) {
        let stretches = self.lines.iter().flat_map(Line::stretches).flatten();
        let edges =
            stretches.flat_map(|(_, y, deviation)| [y - deviation.unwrap_or(0.0), y + deviation.unwrap_or(0.0)]);
        let values = edges.chain(self.levels.iter().map(|level| level.y));
        self.y.range.filter(|(low, high)| low < high).unwrap_or_else(|| round_range(values))
    }

    /// Draws marks, names and title, and returns where they end.
    fn draw_x_axis(&self, scene: &mut Scene, font: &Font, area: &Area) -> f64 {
        let middle = (area.left + area.right) / 2.0;
        let numbers = round_numbers(area.x.0, area.x.1, 10);
        let between = numbers.get(1).map_or(1.0, |second| second - numbers[0]);
        let marks: Vec<(f64, String)> = match self.x.names.is_empty() {
            true => numbers.iter().map(|&at| (at, number(at, between))).collect(),
            false => self.x.names.clone(),
        };
        // If the names do not fit, only every second, third, ... is shown.
        let room = ((area.right - area.left) / APART) as usize + 1;
        let marks: Vec<(f64, String)> = marks.iter().step_by(marks.len().div_ceil(room).max(1)).cloned().collect();
        let wanted: Vec<f64> = marks.iter().map(|mark| area.x(mark.0)).collect();
        for &place in wanted.iter().filter(|_| !self.x.names.is_empty()) {
            scene.line(&[(place, TOP), (place, area.bottom)], Stroke::thin("#f0f0f0"));
        }
        let widths: Vec<f64> = marks.iter().map(|mark| font.width(&mark.1, SMALL)).collect();
        let fits = |i: usize| wanted[i] - wanted[i - 1] > (widths[i] + widths[i - 1]) / 2.0 + 8.0;
        if (1..marks.len()).all(fits) {
            for ((_, name), &place) in marks.iter().zip(&wanted) {
                scene.line(&[(place, area.bottom), (place, area.bottom + 4.0)], Stroke::thin(INK));
                scene.text((place, area.bottom + 17.0), name, SMALL, Anchor::Middle);
            }
            scene.text((middle, area.bottom + 37.0), &self.x.title, LARGE, Anchor::Middle);
            return area.bottom + 42.0;
        }
        let places = spread(&wanted, APART, area.left, area.right);
        let mut deepest: f64 = 0.0;
        for ((&from, &to), (_, name)) in wanted.iter().zip(&places).zip(&marks) {
            let (edge, foot) = (area.bottom, area.bottom + 9.0);
            scene.line(&[(from, edge), (from, edge + 3.0), (to, foot)], Stroke::thin("#8c8c8c"));
            let name = font.fit(name, SMALL, 130.0);
            deepest = deepest.max(font.width(&name, SMALL));
            scene.turned_text((to + 4.0, foot + 3.0), &name, SMALL, Anchor::End);
        }
        scene.text((middle, area.bottom + deepest + 31.0), &self.x.title, LARGE, Anchor::Middle);
        area.bottom + deepest + 36.0
    }

    fn draw_values(&self, scene: &mut Scene, area: &Area) {
        for level in &self.levels {
            let stroke = Stroke { colour: level.role.colour(), width: 1.2, dashes: level.role.dashes() };
            scene.line(&[(area.left, area.y(level.y)), (area.right, area.y(level.y))], stroke);
        }
        for line in self.lines.iter().rev() {
            line.stretches().iter().for_each(|stretch| draw_band(scene, area, line.role, stretch));
        }
        for line in self.lines.iter().rev() {
            line.stretches().iter().for_each(|stretch| draw_stretch(scene, area, line.role, stretch));
        }
    }

    fn legend_width(&self, font: &Font) -> f64 {
        let names = self.lines.iter().map(|l| &l.name).chain(self.levels.iter().map(|l| &l.name));
        let widest = names.map(|name| font.width(name, SMALL)).fold(0.0, f64::max);
        widest.min(LEGEND_MOST) + SWATCH + 40.0
    }

    fn draw_legend(&self, scene: &mut Scene, font: &Font, left: f64) {
        let mut y = TOP + 8.0;
        let lines = self.lines.iter().map(|l| (&l.name, l.role, l.role.width(), !l.deviations.is_empty()));
        let levels = self.levels.iter().map(|l| (&l.name, l.role, 1.2, false));
        for (name, role, width, band) in lines.chain(levels) {
            if band {
                let box_points = [(left, y - 6.0), (left + SWATCH, y - 6.0), (left + SWATCH, y + 6.0), (left, y + 6.0)];
                scene.marks.push(band_mark(role, box_points.to_vec()));
            }
            let stroke = Stroke { colour: role.colour(), width, dashes: role.dashes() };
            scene.line(&[(left, y), (left + SWATCH, y)], stroke);
            scene.text((left + SWATCH + 7.0, y + 4.0), &font.fit(name, SMALL, LEGEND_MOST), SMALL, Anchor::Start);
            y += 19.0;
        }
        if self.lines.iter().any(|line| line.deviations.iter().any(Option::is_some)) {
            scene.text((left, y + 6.0), "bands: ± std", SMALL, Anchor::Start);
        }
    }
}

fn band_mark(role: Role, points: Vec<(f64, f64)>) -> Mark {
    Mark::Area { points, colour: role.colour(), opacity: 0.14 }
}

/// Draws the band of one stretch; an unknown deviation interrupts it.
fn draw_band(scene: &mut Scene, area: &Area, role: Role, stretch: &[(f64, f64, Option<f64>)]) {
    for known in stretch.split(|point| point.2.is_none()).filter(|known| known.len() > 1) {
        let edge =
            |sign: f64| known.iter().map(move |&(x, y, half)| (area.x(x), area.y(y + sign * half.unwrap_or_default())));
        scene.marks.push(band_mark(role, edge(1.0).chain(edge(-1.0).rev()).collect()));
    }
}

/// Draws one curve between two gaps. An isolated value is a disc, a value beyond the range a triangle at the edge.
fn draw_stretch(scene: &mut Scene, area: &Area, role: Role, stretch: &[(f64, f64, Option<f64>)]) {
    let thinner = area.thinner;
    let stroke = || Stroke { colour: role.colour(), width: role.width() * thinner, dashes: role.dashes() };
    let mut run: Vec<(f64, f64)> = Vec::new();
    for pair in stretch.windows(2) {
        let Some([from, to]) = area.clip((pair[0].0, pair[0].1), (pair[1].0, pair[1].1)) else { continue };
        let (from, to) = ((area.x(from.0), area.y(from.1)), (area.x(to.0), area.y(to.1)));
        if run.last().is_some_and(|&last| last != from) {
            scene.line(&run, stroke());
            run.clear();
        }
        if run.is_empty() {
            run.push(from);
        }
        run.push(to);
    }
    if run.len() > 1 {
        scene.line(&run, stroke());
    }
    let alone = stretch.len() == 1;
    for &(x, y, _) in stretch {
        let (across, edge) = (area.x(x), area.y(y));
        if y < area.y.0 || y > area.y.1 {
            let inwards = if y > area.y.1 { 7.0 } else { -7.0 };
            let points = vec![(across, edge), (across - 4.0, edge + inwards), (across + 4.0, edge + inwards)];
            scene.marks.push(Mark::Area { points, colour: role.colour(), opacity: 1.0 });
        } else if alone || role == Role::Prototype {
            scene.disc((across, edge), if alone { 2.6 } else { 2.1 * thinner }, role.colour());
        }
    }
}
