//! The files of a table of entangled classes.

use super::files::{Files, json, plots};
use super::pictures::PrototypePicture;
use super::{entangle_csv, entangle_figures, entangle_page};
use crate::analysis::entangle::Entanglement;
use crate::error::Result;
use crate::labels::Labels;

/// `entangle.csv`, `matrix.csv`, `features.csv`, with photographs `confusions.csv`, then `plots/`, `report.html` and, last, `entangle.json`.
/// `pictures` are the prototypes of the first classes.
///
/// # Errors
/// If a picture is neither PNG nor JPEG.
pub(crate) fn entangle_files(table: &Entanglement, pictures: &[PrototypePicture], labels: &Labels) -> Result<Files> {
    let figures = entangle_figures::all(table);
    let mut files = vec![
        ("entangle.csv".to_string(), entangle_csv::candidates(table)?),
        ("matrix.csv".to_string(), entangle_csv::matrix(table, labels)?),
        ("features.csv".to_string(), entangle_csv::features(table)?),
    ];
    if table.check.is_some() {
        files.push(("confusions.csv".to_string(), entangle_csv::confusions(table)?));
    }
    files.extend(plots(&figures)?);
    files.push(("report.html".to_string(), entangle_page::render(table, pictures, &figures)?.into_bytes()));
    files.push(("entangle.json".to_string(), json(table, "table")?));
    Ok(files)
}
