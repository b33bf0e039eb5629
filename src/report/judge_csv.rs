//! What judges say as a table: for each judge and folder the rows for all classes, then those for each, of prototypes, of photographs and
//! of each control. A judge that knows no class has a row for all classes, too. KID is in the rows for all classes: that of prototypes, and
//! that of halves of the photographs.

use crate::analysis::judge::{GroupRow, JudgeRow, Recognition, kinds};
use crate::analysis::pairwise::Variety;
use crate::error::{Error, Result};

const HEADER: [&str; 21] = [
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
    "distance",
    "kid",
    "kid_low",
    "kid_high",
];

/// The table: numbers have all their digits, and the class is empty in the rows for all classes.
pub(super) fn judges(judges: &[JudgeRow]) -> Result<Vec<u8>> {
    let mut rows = vec![HEADER.map(str::to_owned).to_vec()];
    for judge in judges {
        for group in &judge.groups {
            let all = [String::new(), String::new()];
            if group.prototypes.is_none() {
                rows.push(row(judge, group, &all, "prototypes", None, None));
            }
            let mut add = |class: &[String; 2], variety, (kind, found)| {
                rows.push(row(judge, group, class, kind, Some(found), variety));
            };
            kinds(group.prototypes, group.photographs, &group.controls).for_each(|kind| add(&all, group.variety, kind));
            for class in &group.classes {
                let name = [class.index.to_string(), class.name.clone()];
                kinds(class.prototypes, class.photographs, &class.controls)
                    .for_each(|kind| add(&name, class.variety, kind));
            }
        }
    }
    let failed = |error: &dyn std::fmt::Display| Error::input(format!("cannot write what judges say as CSV: {error}"));
    let mut table = csv::Writer::from_writer(Vec::new());
    for row in rows {
        table.write_record(row).map_err(|error| failed(&error))?;
    }
    table.into_inner().map_err(|error| failed(&error))
}

/// One row; without images it has no numbers.
fn row(
    judge: &JudgeRow,
    group: &GroupRow,
    class: &[String; 2],
    kind: &str,
    recognition: Option<Recognition>,
    variety: Option<Variety>,
) -> Vec<String> {
    let unmapped: usize = group.unmapped.iter().map(|class| class.prototypes).sum();
    let mut row = vec![judge.weights.clone(), judge.sha256.clone(), group.folder.clone()];
    row.extend([group.made.to_string(), unmapped.to_string()]);
    row.extend(class.iter().cloned());
    row.extend([kind.to_owned(), recognition.map_or(0, |found| found.images).to_string()]);
    if let Some(Recognition { images: _, top1, top5, probability, rank }) = recognition {
        let numbers = [top1.value, top1.low, top1.high, top5.value, top5.low, top5.high, probability, rank];
        row.extend(numbers.map(|x| x.to_string()));
        let distance = variety.and_then(|variety| match kind {
            "prototypes" => Some(variety.prototypes),
            "photographs" => variety.photographs,
            _ => None,
        });
        row.push(distance.map_or_else(String::new, |x| x.to_string()));
    }
    let kid = group.kid.as_ref().filter(|_| recognition.is_some() && class[0].is_empty()).and_then(|kid| match kind {
        "prototypes" => kid.kid,
        "photographs" => kid.halves,
        _ => None,
    });
    row.extend(kid.iter().flat_map(|kid| [kid.value, kid.low, kid.high]).map(|x| x.to_string()));
    row.resize(HEADER.len(), String::new());
    row
}
