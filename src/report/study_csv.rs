//! A study as CSV tables: groups, pairs of groups, and images. Numbers have all their digits.

use crate::analysis::study::{Difference, Group, Interval, Study};
use crate::error::{Error, Result};
use crate::labels::Labels;

const GROUPS: [&str; 15] = [
    "part",
    "group",
    "folder",
    "class_index",
    "class",
    "pictures",
    "correct",
    "accuracy",
    "accuracy_low",
    "accuracy_high",
    "probability",
    "probability_low",
    "probability_high",
    "instead",
    "instead_share",
];

/// A row for each group and class.
pub(super) fn groups(study: &Study) -> Result<Vec<u8>> {
    let mut rows = vec![GROUPS.map(str::to_owned).to_vec()];
    for part in &study.parts {
        for group in &part.groups {
            for outcome in &group.classes {
                let mut row = vec![part.title.clone(), group.name.clone(), group.folder.clone().unwrap_or_default()];
                row.extend([index(outcome.index), outcome.class.clone()]);
                row.extend([group.pictures.to_string(), outcome.correct.to_string()]);
                row.extend(interval(outcome.accuracy));
                row.extend(interval(outcome.probability));
                let instead = group.instead.first();
                row.push(instead.map_or_else(String::new, |other| other.name.clone()));
                row.push(instead.map_or_else(String::new, |other| other.share.to_string()));
                rows.push(row);
            }
        }
    }
    table(&rows)
}

/// A row for each pair of groups and class.
pub(super) fn comparisons(study: &Study) -> Result<Vec<u8>> {
    let mut header = ["part", "first", "second", "class_index", "class", "pairs"].map(str::to_owned).to_vec();
    for of in ["accuracy", "probability"] {
        let columns = ["difference", "low", "high", "p", "p_holm", "effect"];
        header.extend(columns.map(|column| format!("{of}_{column}")));
    }
    let mut rows = vec![header];
    for part in &study.parts {
        for comparison in &part.comparisons {
            let mut row = vec![part.title.clone(), comparison.first.clone(), comparison.second.clone()];
            row.extend([index(comparison.index), comparison.class.clone(), index(comparison.pairs)]);
            for Difference { interval: of, p, p_holm, effect } in [comparison.accuracy, comparison.probability] {
                row.extend(interval(of));
                row.extend([p, p_holm, effect].map(|value| value.to_string()));
            }
            rows.push(row);
        }
    }
    table(&rows)
}

/// A row for each image and requested class.
pub(super) fn pictures(study: &Study, groups: &[Vec<Group>], labels: &Labels) -> Result<Vec<u8>> {
    let header =
        ["part", "group", "picture", "class_index", "class", "probability", "top_index", "top", "top_probability"];
    let mut rows = vec![header.map(str::to_owned).to_vec()];
    for (part, groups) in study.parts.iter().zip(groups) {
        for group in groups {
            for answer in &group.answers {
                for (class, probability) in part.classes.iter().zip(&answer.probabilities) {
                    let mut row = vec![part.title.clone(), group.name.clone(), answer.picture.clone()];
                    row.extend([class.index.to_string(), class.name.clone(), probability.to_string()]);
                    let top = answer.top;
                    row.extend([top.to_string(), labels.name(top).to_owned(), answer.top_probability.to_string()]);
                    rows.push(row);
                }
            }
        }
    }
    table(&rows)
}

fn index(index: Option<usize>) -> String {
    index.map_or_else(String::new, |index| index.to_string())
}

fn interval(Interval { value, low, high }: Interval) -> [String; 3] {
    [value, low, high].map(|number| number.to_string())
}

fn table(rows: &[Vec<String>]) -> Result<Vec<u8>> {
    let failed = |error: &dyn std::fmt::Display| Error::input(format!("cannot write the study as CSV: {error}"));
    let mut table = csv::Writer::from_writer(Vec::new());
    for row in rows {
        table.write_record(row).map_err(|error| failed(&error))?;
    }
    table.into_inner().map_err(|error| failed(&error))
}
