//! The files of a measurement of path similarity.

use super::files::{Files, json, plots};
use super::pictures::Pictures;
use super::{similarity_csv, similarity_figures, similarity_page};
use crate::analysis::similarity::Similarity;
use crate::error::{Error, Result};

/// `similarity.csv`, `plots/`, `report.html` and, last, `similarity.json`, in this order.
///
/// # Errors
/// If the images are for another number of classes, or if an image is neither PNG nor JPEG.
pub(crate) fn similarity_files(similarity: &Similarity, pictures: &Pictures) -> Result<Files> {
    let (given, classes) = (pictures.classes.len(), similarity.classes.len());
    if given != classes {
        return Err(Error::input(format!(
            "the report has {classes} classes, but images of {given}: give one set for each"
        )));
    }
    let figures = similarity_figures::all(similarity);
    let page = similarity_page::render(similarity, pictures, &figures)?;
    let mut files = vec![("similarity.csv".to_string(), similarity_csv::similarity(similarity)?)];
    files.extend(plots(&figures)?);
    files.push(("report.html".to_string(), page.into_bytes()));
    files.push(("similarity.json".to_string(), json(similarity, "similarity")?));
    Ok(files)
}
