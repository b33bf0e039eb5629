//! The files of a study.

use super::files::{Files, json, plots};
use super::pictures::PartPictures;
use super::{study_csv, study_figures, study_page};
use crate::analysis::study::{Group, Study};
use crate::error::{Error, Result};
use crate::labels::Labels;

/// The input of a study's report.
pub(crate) struct StudyReport<'a> {
    /// The tables.
    pub(crate) study: &'a Study,
    /// For each part, its groups with the answer for every image.
    pub(crate) groups: &'a [Vec<Group>],
    /// For each part, its images.
    pub(crate) pictures: &'a [PartPictures],
    /// The names of the classes.
    pub(crate) labels: &'a Labels,
}

/// `study.csv`, `comparisons.csv`, `pictures.csv`, `plots/`, `report.html` and, last, `study.json`, in this order.
///
/// # Errors
/// If the groups or images are for another number of parts, or if an image is neither PNG nor JPEG.
pub(crate) fn study_files(report: &StudyReport<'_>) -> Result<Files> {
    let StudyReport { study, groups, pictures, labels } = report;
    if [groups.len(), pictures.len()] != [study.parts.len(); 2] {
        let (parts, groups, pictures) = (study.parts.len(), groups.len(), pictures.len());
        return Err(Error::input(format!(
            "the report has {parts} parts, but groups of {groups} and images of {pictures}: give one set for each"
        )));
    }
    let figures = study_figures::all(study);
    let page = study_page::render(study, pictures, &figures)?;
    let mut files = vec![
        ("study.csv".to_string(), study_csv::groups(study)?),
        ("comparisons.csv".to_string(), study_csv::comparisons(study)?),
        ("pictures.csv".to_string(), study_csv::pictures(study, groups, labels)?),
    ];
    files.extend(plots(&figures)?);
    files.push(("report.html".to_string(), page.into_bytes()));
    files.push(("study.json".to_string(), json(study, "study")?));
    Ok(files)
}
