//! A judgement as a table: for each judge and folder a row for all classes, then one for each, of prototypes and of photographs. A
//! judge that knows no class has a row for all classes, too.

use crate::analysis::judge::{GroupRow, JudgeRow, Judgement, Recognition};
use crate::error::{Error, Result};

const HEADER: [&str; 17] = [
    "judge",
    "sha256",
    "folder",
    "made",
    "unmapped",
    "class_index",
    "class",
    "kind",
    "images",
    "top1",
    "top1_low",
    "top1_high",
    "top5",
    "top5_low",
    "top5_high",
    "probability",
    "rank",
];

/// The table: numbers have all their digits, and the class is empty in the rows for all classes.
pub(super) fn judgement(judgement: &Judgement) -> Result<Vec<u8>> {
    let mut rows = vec![HEADER.map(str::to_owned).to_vec()];
    for judge in &judgement.judges {
        for group in &judge.groups {
            let all = [String::new(), String::new()];
            match group.prototypes {
                Some(_) => rows.extend(of_class(judge, group, &all, group.prototypes, group.photographs)),
                None => rows.push(row(judge, group, &all, "prototypes", None)),
            }
            for class in &group.classes {
                let name = [class.index.to_string(), class.name.clone()];
                rows.extend(of_class(judge, group, &name, class.prototypes, class.photographs));
            }
        }
    }
    let failed = |error: &dyn std::fmt::Display| Error::input(format!("cannot write the judgement as CSV: {error}"));
    let mut table = csv::Writer::from_writer(Vec::new());
    for row in rows {
        table.write_record(row).map_err(|error| failed(&error))?;
    }
    table.into_inner().map_err(|error| failed(&error))
}

/// The rows of prototypes and photographs, as far as there are any.
fn of_class(
    judge: &JudgeRow,
    group: &GroupRow,
    class: &[String; 2],
    prototypes: Option<Recognition>,
    photographs: Option<Recognition>,
) -> Vec<Vec<String>> {
    let kinds = [("prototypes", prototypes), ("photographs", photographs)];
    kinds
        .into_iter()
        .filter(|(_, found)| found.is_some())
        .map(|(kind, found)| row(judge, group, class, kind, found))
        .collect()
}

/// One row; without images it has no numbers.
fn row(
    judge: &JudgeRow,
    group: &GroupRow,
    class: &[String; 2],
    kind: &str,
    recognition: Option<Recognition>,
) -> Vec<String> {
    let unmapped: usize = group.unmapped.iter().map(|class| class.prototypes).sum();
    let mut row = vec![judge.weights.clone(), judge.sha256.clone(), group.folder.clone()];
    row.extend([group.made.to_string(), unmapped.to_string()]);
    row.extend(class.iter().cloned());
    row.extend([kind.to_owned(), recognition.map_or(0, |found| found.images).to_string()]);
    match recognition {
        Some(Recognition { images: _, top1, top5, probability, rank }) => {
            let numbers = [top1.value, top1.low, top1.high, top5.value, top5.low, top5.high, probability, rank];
            row.extend(numbers.map(|x| x.to_string()));
        }
        None => row.resize(HEADER.len(), String::new()),
    }
    row
}
