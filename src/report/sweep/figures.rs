//! The plots of a sweep: for each pair of settings a heat map of the best and of the mean over the other settings, and a Pareto front.

use super::measures::Measure;
use super::table::{Sweep, SweepAxis, SweepPoint, shown};
use crate::report::plot::{HeatMap, Scatter, ScatterPoint, Scene};

/// The most maps: the pairs of four settings.
const PAIRS: usize = 6;
/// An axis with more values has no map.
const VALUES: usize = 64;

/// A plot with its name, which is also its file name.
pub(super) struct Figure {
    pub(super) name: String,
    pub(super) caption: String,
    pub(super) scene: Scene,
}

/// How the points of one cell become one value.
#[derive(Clone, Copy)]
enum Over {
    Best,
    Mean,
}

/// The points over two measures, with the first front marked. `is_plane`: whether the front is of these two alone.
pub(super) fn front(sweep: &Sweep, [x, y]: [&Measure; 2], is_plane: bool) -> Figure {
    let point = |(at, point): (usize, &SweepPoint)| {
        let (x, y) = (x.value(point)?, y.value(point)?);
        Some(ScatterPoint { name: (at + 1).to_string(), x, y, is_marked: point.front == Some(1) })
    };
    let axis = |measure: &Measure| {
        let direction = if measure.less_is_better() { " (less is better)" } else { "" };
        format!("{}{direction}", measure.name)
    };
    let points: Vec<ScatterPoint> = sweep.points.iter().enumerate().filter_map(point).collect();
    let missing = sweep.points.len() - points.len();
    let title = format!("{} and {}", x.name, y.name);
    let scene = Scatter { title, x: axis(x), y: axis(y), points, is_joined: is_plane }.scene();
    let what = match is_plane {
        true => "in both measures and better in one".to_owned(),
        false => format!("in all of {} and better in one; the plot shows the first two", sweep.rank),
    };
    let missing = match missing {
        0 => String::new(),
        count => format!(" Without a value: {count}."),
    };
    let caption = format!(
        "Each point by two measures. Marked, with its rank: the Pareto front, for which no other point is at least as good {what}.{missing}"
    );
    Figure { name: "pareto".into(), caption, scene }
}

/// Every map.
pub(super) fn all(sweep: &Sweep) -> Vec<Figure> {
    let axes: Vec<&SweepAxis> = sweep.grid.iter().filter(|axis| axis.values.len() <= VALUES).collect();
    if let [only] = axes[..] {
        return vec![map(sweep, None, only, Over::Best)];
    }
    let varied: Vec<&SweepAxis> = axes.iter().copied().filter(|axis| axis.values.len() > 1).collect();
    let pairs = varied.iter().enumerate().flat_map(|(at, &y)| varied[at + 1..].iter().map(move |&x| (y, x)));
    let mut figures = Vec::new();
    for (y, x) in pairs.take(PAIRS) {
        figures.push(map(sweep, Some(y), x, Over::Best));
        if varied.len() > 2 {
            figures.push(map(sweep, Some(y), x, Over::Mean));
        }
    }
    if let ([one], true) = (&varied[..], figures.is_empty()) {
        figures.push(map(sweep, None, one, Over::Best));
    }
    figures
}

fn map(sweep: &Sweep, y: Option<&SweepAxis>, x: &SweepAxis, over: Over) -> Figure {
    let cell = |row: Option<(&SweepAxis, usize)>, column: usize| {
        let is =
            |axis: &SweepAxis, at: usize, point: &SweepPoint| point.values.get(&axis.setting) == Some(&axis.values[at]);
        let inside = sweep
            .points
            .iter()
            .filter(|point| is(x, column, point) && row.is_none_or(|(axis, at)| is(axis, at, point)));
        let values: Vec<f64> = inside.filter_map(|point| point.similarity.mean).collect();
        match over {
            _ if values.is_empty() => None,
            Over::Best => values.into_iter().reduce(f64::max),
            Over::Mean => Some(values.iter().sum::<f64>() / values.len() as f64),
        }
    };
    let columns = 0..x.values.len();
    let cells = match y {
        None => vec![columns.map(|column| cell(None, column)).collect()],
        Some(y) => (0..y.values.len())
            .map(|row| columns.clone().map(|column| cell(Some((y, row)), column)).collect())
            .collect(),
    };
    let names = |axis: &SweepAxis| axis.values.iter().map(shown).collect::<Vec<_>>();
    let rest = sweep.grid.iter().filter(|axis| axis.values.len() > 1).count() > 1 + usize::from(y.is_some());
    let (what, kind) = match over {
        Over::Best if rest => ("the best over the other settings", "best"),
        Over::Best => ("by setting", "best"),
        Over::Mean => ("mean over the other settings", "mean"),
    };
    let pair = y.map_or(x.setting.clone(), |y| format!("{}-{}", y.setting, x.setting));
    let scene = HeatMap {
        title: format!("Path similarity, {what}"),
        measure: "path similarity".into(),
        x: x.setting.clone(),
        columns: names(x),
        y: y.map_or(String::new(), |y| y.setting.clone()),
        rows: y.map_or(vec![String::new()], names),
        cells,
    }
    .scene();
    let of = y.map_or(x.setting.clone(), |y| format!("{} and {}", y.setting, x.setting));
    let caption = format!(
        "Mean path similarity by {of}, {what}. The frame is around the highest; white: no such point was made."
    );
    Figure { name: format!("heat-{pair}-{kind}"), caption, scene }
}
