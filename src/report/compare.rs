//! The files of a comparison of runs.

use super::files::{Files, json, plots};
use super::plot::{HeatMap, Scene};
use super::{compare_csv, compare_page};
use crate::analysis::compare::Comparison;
use crate::error::Result;

/// `compare.csv`, `networks.csv`, `plots/`, `report.html` and, last, `compare.json`. `pictures` are those of the first rows, by run.
///
/// # Errors
/// If a picture is neither PNG nor JPEG.
pub(crate) fn compare_files(comparison: &Comparison, pictures: &[Vec<Option<Vec<u8>>>]) -> Result<Files> {
    let figures = vec![("networks".to_string(), networks(comparison))];
    let mut files = vec![
        ("compare.csv".to_string(), compare_csv::rows(comparison)?),
        ("networks.csv".to_string(), compare_csv::networks(comparison)?),
    ];
    files.extend(plots(&figures)?);
    let figure = figures[0].1.svg()?;
    files.push(("report.html".to_string(), compare_page::render(comparison, pictures, figure)?.into_bytes()));
    files.push(("compare.json".to_string(), json(comparison, "comparison")?));
    Ok(files)
}

/// How each network recognises the prototypes of each run.
fn networks(comparison: &Comparison) -> Scene {
    let probability = |seen: &Option<_>| seen.map(|seen: crate::analysis::judge::Recognition| seen.probability);
    let map = HeatMap {
        title: "Mean probability of the class".to_owned(),
        measure: "probability".to_owned(),
        x: "network".to_owned(),
        columns: comparison.networks.iter().map(|network| network.weights.clone()).collect(),
        y: "prototypes of".to_owned(),
        rows: comparison.runs.iter().map(|run| run.folder.clone()).collect(),
        cells: comparison.recognised.iter().map(|row| row.iter().map(probability).collect()).collect(),
    };
    map.scene()
}
