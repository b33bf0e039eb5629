//! The heat maps of a sweep: for each pair of settings, the best and the mean over the other settings.

use super::table::{Sweep, SweepAxis, SweepPoint, shown};
use crate::report::plot::{HeatMap, Scene};

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
