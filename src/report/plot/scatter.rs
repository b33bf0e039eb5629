//! Points over two measures, some of them marked.

use super::axis::{number, round_numbers, round_range};
use super::font::Font;
use super::role::Role;
use super::scene::{Anchor, GRID, INK, LARGE, SMALL, Scene, Stroke};

/// A point.
#[derive(Clone, Debug)]
pub(crate) struct ScatterPoint {
    /// The text beside it, if it is marked.
    pub(crate) name: String,
    pub(crate) x: f64,
    pub(crate) y: f64,
    pub(crate) is_marked: bool,
}

/// Points over two measures.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scatter {
    /// The title above the plot.
    pub(crate) title: String,
    /// The quantities on the axes.
    pub(crate) x: String,
    pub(crate) y: String,
    pub(crate) points: Vec<ScatterPoint>,
    /// Whether a line joins the marked points, from left to right.
    pub(crate) is_joined: bool,
}

const WIDTH: f64 = 640.0;
const LEFT: f64 = 76.0;
const RIGHT: f64 = 610.0;
const TOP: f64 = 42.0;
const BOTTOM: f64 = 402.0;
const NAMES_MOST: f64 = 120.0;

impl Scatter {
    /// Lays out the plot. Marked points are larger, in another colour, named, and on top.
    pub(crate) fn scene(&self) -> Scene {
        let font = Font::new();
        let shown: Vec<&ScatterPoint> =
            self.points.iter().filter(|one| one.x.is_finite() && one.y.is_finite()).collect();
        let (x_low, x_high) = round_range(shown.iter().map(|one| one.x));
        let (y_low, y_high) = round_range(shown.iter().map(|one| one.y));
        let across = |x: f64| LEFT + (x - x_low) / (x_high - x_low) * (RIGHT - LEFT);
        let down = |y: f64| BOTTOM - (y - y_low) / (y_high - y_low) * (BOTTOM - TOP);
        let mut scene = Scene::new(&self.title, WIDTH, BOTTOM + 50.0);
        scene.text((LEFT, 24.0), &font.fit(&self.title, LARGE + 1.0, WIDTH - LEFT), LARGE + 1.0, Anchor::Start);
        let steps = |low, high| {
            let steps = round_numbers(low, high, 6);
            let between = steps.get(1).map_or(1.0, |second| second - steps[0]);
            steps.into_iter().map(move |step| (step, number(step, between)))
        };
        for (step, text) in steps(x_low, x_high) {
            scene.line(&[(across(step), TOP), (across(step), BOTTOM + 4.0)], Stroke::thin(GRID));
            scene.text((across(step), BOTTOM + 17.0), &text, SMALL, Anchor::Middle);
        }
        for (step, text) in steps(y_low, y_high) {
            scene.line(&[(LEFT - 4.0, down(step)), (RIGHT, down(step))], Stroke::thin(GRID));
            scene.text((LEFT - 8.0, down(step) + 4.0), &text, SMALL, Anchor::End);
        }
        scene.line(&[(LEFT, TOP), (LEFT, BOTTOM), (RIGHT, BOTTOM)], Stroke::thin(INK));
        let middle = ((LEFT + RIGHT) / 2.0, BOTTOM + 39.0);
        scene.text(middle, &font.fit(&self.x, LARGE, RIGHT - LEFT), LARGE, Anchor::Middle);
        let middle = (20.0, (TOP + BOTTOM) / 2.0);
        scene.turned_text(middle, &font.fit(&self.y, LARGE, BOTTOM - TOP), LARGE, Anchor::Middle);
        for one in shown.iter().filter(|one| !one.is_marked) {
            scene.disc((across(one.x), down(one.y)), 3.4, Role::Different.colour());
        }
        let mut marked: Vec<&ScatterPoint> = shown.into_iter().filter(|one| one.is_marked).collect();
        marked.sort_by(|a, b| a.x.total_cmp(&b.x).then(b.y.total_cmp(&a.y)));
        let places: Vec<(f64, f64)> = marked.iter().map(|one| (across(one.x), down(one.y))).collect();
        if self.is_joined && places.len() > 1 {
            scene.line(&places, Stroke { colour: Role::Prototype.colour(), width: 1.4, dashes: &[4.0, 3.0] });
        }
        for (one, &(x, y)) in marked.iter().zip(&places) {
            scene.disc((x, y), 5.2, Role::Prototype.colour());
            // Beside the point, on the side that has room.
            let (side, anchor) = if x > (LEFT + RIGHT) / 2.0 { (-9.0, Anchor::End) } else { (9.0, Anchor::Start) };
            scene.text((x + side, y - 6.0), &font.fit(&one.name, SMALL, NAMES_MOST), SMALL, anchor);
        }
        scene
    }
}

#[cfg(test)]
mod tests {
    use super::super::scene::Mark;
    use super::*;

    #[test]
    fn marked_points_are_on_top_and_joined_from_left_to_right() {
        let point = |name: &str, x, y, is_marked| ScatterPoint { name: name.into(), x, y, is_marked };
        let points = vec![
            point("b", 0.9, 0.2, true),
            point("hidden", 0.3, 0.1, false),
            point("a", 0.1, 0.8, true),
            point("nowhere", f64::NAN, 0.5, true),
        ];
        let scatter = Scatter { points, is_joined: true, x: "x".into(), y: "y".into(), title: "t".into() };
        let scene = scatter.scene();
        let discs: Vec<(f64, f64, &str)> = scene
            .marks
            .iter()
            .filter_map(|mark| match mark {
                Mark::Disc { x, y, colour, .. } => Some((*x, *y, *colour)),
                _ => None,
            })
            .collect();
        let [grey, orange] = [Role::Different.colour(), Role::Prototype.colour()];
        assert_eq!(discs.iter().map(|disc| disc.2).collect::<Vec<_>>(), [grey, orange, orange]);
        // To the right of and below a.
        assert!(discs[1].0 < discs[2].0 && discs[1].1 < discs[2].1, "{discs:?}");
        let joined = scene.marks.iter().any(|mark| match mark {
            Mark::Line { points, stroke } => stroke.colour == orange && points.len() == 2 && points[0].0 < points[1].0,
            _ => false,
        });
        assert!(joined);
        let svg = scene.svg().unwrap();
        assert!(svg.contains(">a<") && svg.contains(">b<") && !svg.contains("hidden"), "{svg}");
        // Of nothing there is a plot too.
        Scatter::default().scene().png().unwrap();
    }
}
