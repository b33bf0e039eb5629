//! Similarity as a table: a row for each class and layer.

use serde_json::Value;

use super::similarity_page::control_names;
use crate::analysis::similarity::{ClassSimilarity, LayerSimilarity, Similarity};
use crate::error::{Error, Result};

/// The columns before those of the controls, `control:<name>`.
const HEADER: [&str; 13] = [
    "class_index",
    "class",
    "layer",
    "module",
    "prototype",
    "prototype_std",
    "same",
    "same_std",
    "different",
    "different_std",
    "normalised",
    "holds",
    "undefined",
];

/// The table: numbers have all their digits, undefined values are empty, and layers count from 1 as in the plots.
pub(super) fn similarity(similarity: &Similarity) -> Result<Vec<u8>> {
    let controls = control_names(similarity);
    let columns = HEADER.iter().map(ToString::to_string);
    let header = columns.chain(controls.iter().map(|name| format!("control:{name}")));
    let mut table = csv::Writer::from_writer(Vec::new());
    let failed = |error: csv::Error| Error::input(format!("cannot write the similarity as CSV: {error}"));
    table.write_record(header).map_err(failed)?;
    for class in &similarity.classes {
        for (index, layer) in class.layers.iter().enumerate() {
            table.write_record(row(class, index + 1, layer, &controls)).map_err(failed)?;
        }
    }
    table.into_inner().map_err(|error| Error::input(format!("cannot write the similarity as CSV: {error}")))
}

fn row(class: &ClassSimilarity, number: usize, layer: &LayerSimilarity, controls: &[String]) -> Vec<String> {
    let cell = |value: Option<f64>| value.filter(|v| v.is_finite()).map_or_else(String::new, |v| v.to_string());
    let mut row = vec![class.index.to_string(), class.name.clone(), number.to_string(), layer.module.clone()];
    row.extend(
        [layer.measured.prototype, layer.measured.prototype_std, layer.measured.same, layer.measured.same_std]
            .map(cell),
    );
    row.extend([layer.measured.different, layer.measured.different_std, layer.measured.normalised].map(cell));
    row.push(layer.holds.map_or_else(String::new, |holds| holds.to_string()));
    row.push(layer.undefined.to_string());
    row.extend(controls.iter().map(|name| cell(layer.controls.get(name).and_then(Value::as_f64))));
    row
}
