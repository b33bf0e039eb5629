//! The files of a table of regions.

use super::files::{Files, json, plots};
use super::pictures::IsolatedPictures;
use super::{isolation_csv, isolation_figures, isolation_page};
use crate::analysis::isolate::Isolations;
use crate::error::Result;

/// A folder of pictures for each image, `isolation.csv`, if methods are compared `plots/`, then `report.html` and, last, `isolation.json`.
/// `pictures` are those of each image.
///
/// # Errors
/// If a picture is neither PNG nor JPEG.
pub(crate) fn isolation_files(table: &Isolations, pictures: &[IsolatedPictures]) -> Result<Files> {
    let figures = isolation_figures::all(table);
    let mut files = Files::new();
    for (image, pictures) in table.images.iter().zip(pictures) {
        let IsolatedPictures { image: whole, mask, kept, without } = pictures;
        let named = [("image.png", whole), ("mask.png", mask), ("kept.png", kept), ("without.png", without)];
        files.extend(named.map(|(name, bytes)| (format!("{}/{name}", image.folder), bytes.clone())));
    }
    files.push(("isolation.csv".to_owned(), isolation_csv::images(table)?));
    files.extend(plots(&figures)?);
    files.push(("report.html".to_owned(), isolation_page::render(table, pictures, &figures)?.into_bytes()));
    files.push(("isolation.json".to_owned(), json(table, "table")?));
    Ok(files)
}
