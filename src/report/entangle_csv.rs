//! Entangled classes as CSV. Numbers have all their digits, and undefined values are empty.

use crate::analysis::entangle::Entanglement;
use crate::error::{Error, Result};
use crate::labels::Labels;

type Row = Vec<String>;

/// A row for each class and candidate.
pub(super) fn candidates(table: &Entanglement) -> Result<Vec<u8>> {
    let header = [
        "class_index",
        "class",
        "place",
        "candidate_index",
        "candidate",
        "log_probability",
        "probability",
        "alignment",
        "features",
        "weights",
        "confused",
    ];
    let mut rows = vec![header.map(str::to_owned).to_vec()];
    for class in &table.classes {
        for (at, one) in class.candidates.iter().enumerate() {
            let count = |index: usize| {
                let found = class.confusions.as_ref()?.classes.iter().find(|confused| confused.index == index);
                Some(found.map_or(0, |confused| confused.count))
            };
            let mut row = vec![class.index.to_string(), class.name.clone(), (at + 1).to_string()];
            row.extend([one.index.to_string(), one.name.clone()]);
            row.extend([one.log_probability, one.probability].map(|x| x.to_string()));
            row.extend([one.alignment, one.features, one.weights].map(number));
            row.push(count(one.index).map_or_else(String::new, |count| count.to_string()));
            rows.push(row);
        }
    }
    written(&rows)
}

/// The mean log probability of every class of the network (columns) on the prototypes of each class (rows).
pub(super) fn matrix(table: &Entanglement, labels: &Labels) -> Result<Vec<u8>> {
    let names = (0..labels.len()).map(|index| format!("{index} {}", labels.name(index)));
    let mut rows = vec![header(names)];
    for class in &table.classes {
        let cells = class.log_probabilities.iter().map(f64::to_string);
        rows.push([class.index.to_string(), class.name.clone()].into_iter().chain(cells).collect());
    }
    written(&rows)
}

/// The mean cosine of penultimate features between the prototypes of each two classes.
pub(super) fn features(table: &Entanglement) -> Result<Vec<u8>> {
    let mut rows = vec![header(table.classes.iter().map(|class| format!("{} {}", class.index, class.name)))];
    for class in &table.classes {
        let cells = class.features.iter().copied().map(number);
        rows.push([class.index.to_string(), class.name.clone()].into_iter().chain(cells).collect());
    }
    written(&rows)
}

/// A row for each class of photographs and each class that some of them are taken for.
pub(super) fn confusions(table: &Entanglement) -> Result<Vec<u8>> {
    let header = ["class_index", "class", "photographs", "taken_for_index", "taken_for", "count", "probability"];
    let mut rows = vec![header.map(str::to_owned).to_vec()];
    for class in &table.classes {
        let Some(found) = &class.confusions else { continue };
        for one in &found.classes {
            let mut row = vec![class.index.to_string(), class.name.clone(), found.photographs.to_string()];
            row.extend([one.index.to_string(), one.name.clone(), one.count.to_string(), one.probability.to_string()]);
            rows.push(row);
        }
    }
    written(&rows)
}

fn header(names: impl Iterator<Item = String>) -> Row {
    ["class_index", "class"].map(str::to_owned).into_iter().chain(names).collect()
}

fn number(value: Option<f64>) -> String {
    value.map_or_else(String::new, |value| value.to_string())
}

fn written(rows: &[Row]) -> Result<Vec<u8>> {
    let failed = |error: &dyn std::fmt::Display| Error::input(format!("cannot write the table as CSV: {error}"));
    let mut table = csv::Writer::from_writer(Vec::new());
    for row in rows {
        table.write_record(row).map_err(|error| failed(&error))?;
    }
    table.into_inner().map_err(|error| failed(&error))
}
