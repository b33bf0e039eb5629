//! A sweep as CSV tables: a row for each point, and a row for each prototype.

use super::measures::Measure;
use super::table::{Sweep, SweepPoint, SweepPrototype, shown};
use crate::error::{Error, Result};

/// The columns after rank, point and the varied settings. Those of judges come next, and a Pareto front; then [`STATE`].
const POINT: [&str; 11] = [
    "similarity",
    "similarity_std",
    "same",
    "different",
    "normalised",
    "holds",
    "layers",
    "top1",
    "prototypes",
    "probability",
    "loss",
];

const STATE: [&str; 2] = ["state", "error"];

const PROTOTYPE: [&str; 14] = [
    "point",
    "class_index",
    "class",
    "seed",
    "similarity",
    "same",
    "different",
    "probability",
    "logit",
    "loss",
    "top_index",
    "top",
    "top_probability",
    "picture",
];

/// The points: the best first, failed ones last.
pub(super) fn points(sweep: &Sweep) -> Result<Vec<u8>> {
    let settings = || sweep.grid.iter().map(|axis| axis.setting.clone());
    let seeds = sweep.has_seeds();
    let said: Vec<Measure> = sweep.judges.iter().flat_map(|judge| Measure::of_judge(&judge.name, seeds)).collect();
    let has_fronts = sweep.points.iter().any(|point| point.front.is_some());
    let mut header: Vec<String> =
        ["rank", "point"].map(str::to_owned).into_iter().chain(settings()).chain(POINT.map(str::to_owned)).collect();
    header.extend(said.iter().map(|measure| measure.name.clone()));
    header.extend(has_fronts.then(|| "front".to_owned()));
    header.extend(STATE.map(str::to_owned));
    let blank = header.len() - 2 - sweep.grid.len() - STATE.len();
    let mut rows = vec![header];
    for (at, point) in sweep.points.iter().enumerate() {
        let mut row = vec![(at + 1).to_string(), point.name.clone()];
        row.extend(settings().map(|setting| point.values.get(&setting).map(shown).unwrap_or_default()));
        row.extend(numbers(point));
        row.extend(said.iter().map(|measure| cell(measure.value(point))));
        row.extend(has_fronts.then(|| point.front.map_or_else(String::new, |front| front.to_string())));
        row.extend(["made".to_owned(), String::new()]);
        rows.push(row);
    }
    for failed in &sweep.failed {
        let mut row = vec![String::new(), failed.name.clone()];
        row.extend(settings().map(|setting| failed.values.get(&setting).map(shown).unwrap_or_default()));
        row.extend(std::iter::repeat_n(String::new(), blank));
        row.extend(["failed".to_owned(), failed.error.clone()]);
        rows.push(row);
    }
    written(rows)
}

/// A judge's probability and rank of a prototype's class; empty if it does not know the class.
fn said_of(point: &SweepPoint, one: &SweepPrototype, judge: &str) -> [String; 2] {
    let seen = point.judge(judge).and_then(|said| said.each.iter().find(|seen| seen.folder == one.picture));
    [seen.map(|row| row.seen.probability), seen.map(|row| row.seen.rank)].map(cell)
}

fn numbers(point: &SweepPoint) -> [String; 11] {
    [
        cell(point.similarity.mean),
        cell(point.similarity.std),
        cell(point.same.mean),
        cell(point.different.mean),
        cell(point.normalised),
        point.holds.layers.to_string(),
        point.holds.of.to_string(),
        point.top1.count.to_string(),
        point.top1.of.to_string(),
        point.probability.to_string(),
        point.loss.to_string(),
    ]
}

/// The prototypes, sorted by rank, class and seed.
pub(super) fn prototypes(sweep: &Sweep) -> Result<Vec<u8>> {
    let said =
        sweep.judges.iter().flat_map(|judge| ["probability", "rank"].map(|what| format!("{}:{what}", judge.name)));
    let mut rows = vec![PROTOTYPE.map(str::to_owned).into_iter().chain(said).collect()];
    for point in &sweep.points {
        for class in &point.classes {
            for one in &class.prototypes {
                let texts = [&point.name, &class.index.to_string(), &class.name, &one.seed.to_string()];
                let mut row: Vec<String> = texts.map(Clone::clone).to_vec();
                row.extend([one.similarity, class.same, class.different].map(cell));
                row.extend([one.probability, one.logit, one.loss].map(|value| value.to_string()));
                row.extend([one.top.index.to_string(), one.top.name.clone(), one.top.probability.to_string()]);
                row.push(one.picture.clone());
                row.extend(sweep.judges.iter().flat_map(|judge| said_of(point, one, &judge.name)));
                rows.push(row);
            }
        }
    }
    written(rows)
}

fn cell(value: Option<f64>) -> String {
    value.filter(|v| v.is_finite()).map_or_else(String::new, |v| v.to_string())
}

fn written(rows: Vec<Vec<String>>) -> Result<Vec<u8>> {
    let mut table = csv::Writer::from_writer(Vec::new());
    let failed = |error: csv::Error| Error::input(format!("cannot write the sweep as CSV: {error}"));
    for row in rows {
        table.write_record(row).map_err(failed)?;
    }
    table.into_inner().map_err(|error| Error::input(format!("cannot write the sweep as CSV: {error}")))
}
