//! Regions as CSV. Numbers have all their digits.

use crate::analysis::isolate::{Isolations, Method};
use crate::error::{Error, Result};

/// A row for each image and class.
pub(super) fn images(table: &Isolations) -> Result<Vec<u8>> {
    let header = [
        "source",
        "folder",
        "class_index",
        "class",
        "top1_index",
        "top1",
        "probability",
        "area",
        "keeps",
        "region_probability",
        "rest_probability",
        "background_probability",
    ];
    let mut header = header.map(str::to_owned).to_vec();
    if table.comparison.is_some() {
        for method in Method::ALL {
            header.extend(["insertion", "deletion"].map(|game| format!("{} {game}", method.name())));
        }
    }
    let failed = |error: &dyn std::fmt::Display| Error::input(format!("cannot write the table as CSV: {error}"));
    let mut rows = csv::Writer::from_writer(Vec::new());
    rows.write_record(&header).map_err(|error| failed(&error))?;
    for one in &table.images {
        let mut row = vec![one.source.clone(), one.folder.clone(), one.class_index.to_string(), one.class.clone()];
        row.extend([one.top1_index.to_string(), one.top1.clone(), one.probability.to_string()]);
        row.extend([one.area.to_string(), one.keeps.to_string()]);
        let probabilities = [one.region_probability, one.rest_probability, one.background_probability];
        row.extend(probabilities.map(|x| x.to_string()));
        row.extend(one.methods.iter().flat_map(|one| [one.insertion_area, one.deletion_area]).map(|x| x.to_string()));
        rows.write_record(&row).map_err(|error| failed(&error))?;
    }
    rows.into_inner().map_err(|error| failed(&error))
}
