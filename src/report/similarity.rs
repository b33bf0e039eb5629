//! The files of a measurement of path similarity.

use super::files::{Files, json, plots};
use super::pictures::Pictures;
use super::{judge_csv, similarity_csv, similarity_figures, similarity_page};
use crate::analysis::judge::JudgeRow;
use crate::analysis::similarity::Similarity;
use crate::error::{Error, Result};
use serde::Serialize;

/// A measurement, and what judges say about the prototypes.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct SimilarityReport {
    #[serde(flatten)]
    pub(crate) similarity: Similarity,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) judges: Vec<JudgeRow>,
}

/// `similarity.csv`, with judges `judge.csv`, `plots/`, `report.html` and, last, `similarity.json`, in this order.
///
/// # Errors
/// If the images are for another number of classes, or if an image is neither PNG nor JPEG.
pub(crate) fn similarity_files(report: &SimilarityReport, pictures: &Pictures) -> Result<Files> {
    let SimilarityReport { similarity, judges } = report;
    let (given, classes) = (pictures.classes.len(), similarity.classes.len());
    if given != classes {
        return Err(Error::input(format!(
            "the report has {classes} classes, but images of {given}: give one set for each"
        )));
    }
    let figures = similarity_figures::all(similarity);
    let page = similarity_page::render(similarity, judges, pictures, &figures)?;
    let mut files = vec![("similarity.csv".to_string(), similarity_csv::similarity(similarity)?)];
    if !judges.is_empty() {
        files.push(("judge.csv".to_string(), judge_csv::judges(judges)?));
    }
    files.extend(plots(&figures)?);
    files.push(("report.html".to_string(), page.into_bytes()));
    files.push(("similarity.json".to_string(), json(report, "similarity")?));
    Ok(files)
}
