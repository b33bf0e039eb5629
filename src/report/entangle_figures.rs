//! The heat maps of entangled classes.

use super::plot::{HeatMap, Scene};
use crate::analysis::entangle::{EntangledClass, Entanglement};

/// The most classes of a heat map; more would not be readable.
const MOST: usize = 40;

/// Every plot with its name, which is also its file name. With one class there is none.
pub(super) fn all(table: &Entanglement) -> Vec<(String, Scene)> {
    if table.classes.len() < 2 {
        return Vec::new();
    }
    let shown = shown(table);
    let which = match table.classes.len() - shown.len() {
        0 => String::new(),
        _ => format!(", the {MOST} most entangled of {} classes", table.classes.len()),
    };
    let map = |title: &str, measure: &str, value: &dyn Fn(usize, usize) -> Option<f64>| {
        let names: Vec<String> = shown.iter().map(|&at| table.classes[at].name.clone()).collect();
        let cells = |&a: &usize| shown.iter().map(|&b| value(a, b).filter(|_| a != b)).collect();
        let map = HeatMap {
            title: format!("{title}{which}"),
            measure: measure.to_owned(),
            x: "class".to_owned(),
            columns: names.clone(),
            y: "prototypes of".to_owned(),
            rows: names,
            cells: shown.iter().map(cells).collect(),
        };
        map.scene()
    };
    let log = |a: usize, b: usize| Some(ten(table, a, b));
    let features = |a: usize, b: usize| table.classes[a].features[b];
    vec![
        ("probabilities".to_owned(), map("Probability of other classes on prototypes", "log10 p", &log)),
        ("features".to_owned(), map("Similarity of penultimate features", "cosine", &features)),
    ]
}

/// The mean logarithm to base ten of the probability.
fn ten(table: &Entanglement, a: usize, b: usize) -> f64 {
    table.classes[a].log_probabilities[table.classes[b].index] / std::f64::consts::LN_10
}

/// The classes of the heat maps: all, or those with the highest probability on another one's prototypes, or the other way round.
fn shown(table: &Entanglement) -> Vec<usize> {
    let count = table.classes.len();
    let closest = |a: usize| {
        let others = (0..count).filter(|&b| b != a);
        others.map(|b| ten(table, a, b).max(ten(table, b, a))).fold(f64::NEG_INFINITY, f64::max)
    };
    let mut order: Vec<(usize, f64)> = (0..count).map(|at| (at, closest(at))).collect();
    order.sort_by(|a, b| b.1.total_cmp(&a.1));
    let mut shown: Vec<usize> = order.into_iter().take(MOST).map(|(at, _)| at).collect();
    shown.sort_by_key(|&at| table.classes.get(at).map_or(0, |class: &EntangledClass| class.index));
    shown
}
