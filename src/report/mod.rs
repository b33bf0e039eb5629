//! Reports of measurements: JSON, CSV, plots, and one self-contained page.
//!
//! The same measurement gives the same bytes. Each file is either complete or absent. The JSON file, which is the measurement itself,
//! comes last: if it exists, the report is complete.

mod contact_sheet;
mod gallery;
mod page;
pub mod plot;
mod similarity_csv;
mod similarity_figures;
mod similarity_page;
mod study_csv;
mod study_figures;
mod study_page;
pub mod sweep;

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use plot::Scene;
use serde::Serialize;

use crate::analysis::similarity::Similarity;
use crate::analysis::study::{Group, Study};
use crate::atomic::write_atomically;
use crate::error::{Error, Result};
use crate::labels::Labels;

pub use contact_sheet::ContactSheet;
pub use gallery::{Gallery, NotShown, Shown, write_gallery};

/// The images of a report, as the bytes of PNG or JPEG files.
#[derive(Clone, Debug, Default)]
pub struct Pictures {
    /// In the order of [`Similarity::classes`].
    pub classes: Vec<ClassPictures>,
}

/// The images of one class.
#[derive(Clone, Debug, Default)]
pub struct ClassPictures {
    /// The prototypes, in the order of the class; fewer or none if there are no images to show.
    pub prototypes: Vec<Vec<u8>>,
    /// The names and images of the controls.
    pub controls: Vec<(String, Vec<u8>)>,
    /// A few natural images of the class.
    pub natural: Vec<Vec<u8>>,
}

/// Writes `similarity.csv`, `plots/`, `report.html` and, last, `similarity.json` into a folder, which is created if necessary. Returns
/// the files in this order.
///
/// # Errors
/// If the folder or a file cannot be written, if the images are for another number of classes, or if an image is neither
/// PNG nor JPEG.
pub fn write_similarity(out: &Path, similarity: &Similarity, pictures: &Pictures) -> Result<Vec<PathBuf>> {
    let (given, classes) = (pictures.classes.len(), similarity.classes.len());
    if given != classes {
        return Err(Error::input(format!(
            "the report has {classes} classes, but pictures of {given}: give one set for each"
        )));
    }
    // Everything is made before the first file is written, so an error leaves no incomplete report.
    let figures = similarity_figures::all(similarity);
    let page = similarity_page::render(similarity, pictures, &figures)?;
    let mut files = vec![("similarity.csv".to_string(), similarity_csv::similarity(similarity)?)];
    files.extend(plots(&figures)?);
    files.push(("report.html".to_string(), page.into_bytes()));
    files.push(("similarity.json".to_string(), json(similarity, "similarity")?));

    write_files(out, files)
}

/// The images of a part of a study, as the bytes of PNG or JPEG files.
#[derive(Clone, Debug, Default)]
pub struct PartPictures {
    /// The prototypes, in the order of the part.
    pub prototypes: Vec<Vec<u8>>,
    /// A few of each group.
    pub groups: Vec<Vec<Vec<u8>>>,
}

/// The input of a study's report.
pub struct StudyReport<'a> {
    /// The tables.
    pub study: &'a Study,
    /// For each part, its groups with the answer for every image.
    pub groups: &'a [Vec<Group>],
    /// For each part, its images.
    pub pictures: &'a [PartPictures],
    /// The names of the classes.
    pub labels: &'a Labels,
}

/// Writes `study.csv`, `comparisons.csv`, `pictures.csv`, `plots/`, `report.html` and, last, `study.json` into a
/// folder, which is created if necessary. Returns the files in this order.
///
/// # Errors
/// If the folder or a file cannot be written, if the groups or images are for another number of parts, or if an image is
/// neither PNG nor JPEG.
pub fn write_study(out: &Path, report: &StudyReport<'_>) -> Result<Vec<PathBuf>> {
    let StudyReport { study, groups, pictures, labels } = report;
    if [groups.len(), pictures.len()] != [study.parts.len(); 2] {
        let (parts, groups, pictures) = (study.parts.len(), groups.len(), pictures.len());
        return Err(Error::input(format!(
            "the report has {parts} parts, but groups of {groups} and pictures of {pictures}: give one set for each"
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
    write_files(out, files)
}

/// The SVG and PNG files of each plot.
fn plots(figures: &[(String, Scene)]) -> Result<Vec<(String, Vec<u8>)>> {
    let mut files = Vec::with_capacity(2 * figures.len());
    for (name, scene) in figures {
        files.push((format!("plots/{name}.svg"), scene.svg()?.into_bytes()));
        files.push((format!("plots/{name}.png"), scene.png()?));
    }
    Ok(files)
}

/// Creates `plots/` and writes the files in order.
fn write_files(out: &Path, files: Vec<(String, Vec<u8>)>) -> Result<Vec<PathBuf>> {
    let plots = out.join("plots");
    fs::create_dir_all(&plots).map_err(Error::io("create", &plots))?;
    let mut written = Vec::with_capacity(files.len());
    for (name, bytes) in files {
        let path = out.join(name);
        write_atomically(&path, |file| file.write_all(&bytes))?;
        written.push(path);
    }
    Ok(written)
}

fn json(value: &impl Serialize, what: &str) -> Result<Vec<u8>> {
    let failed = |error| Error::input(format!("cannot write the {what} as JSON: {error}"));
    let mut text = serde_json::to_vec_pretty(value).map_err(failed)?;
    text.push(b'\n');
    Ok(text)
}
