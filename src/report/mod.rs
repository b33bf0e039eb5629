//! Reports: what a measurement found, as JSON, CSV, plots, and one page that needs nothing beside itself.
//!
//! The same measurement makes the same bytes. Each file is whole or absent, and the JSON, which is the measurement itself,
//! comes last: where it is, everything is.

mod contact_sheet;
mod csv_table;
mod gallery;
mod page;
pub mod plot;
mod similarity_figures;
mod similarity_page;

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use crate::analysis::similarity::Similarity;
use crate::atomic::write_atomically;
use crate::error::{Error, Result};

pub use contact_sheet::ContactSheet;
pub use gallery::{Gallery, NotShown, Shown, write_gallery};

/// Pictures that a report shows, as PNG or JPEG files are.
#[derive(Clone, Debug, Default)]
pub struct Pictures {
    /// In the order of [`Similarity::classes`].
    pub classes: Vec<ClassPictures>,
}

/// One class's pictures.
#[derive(Clone, Debug, Default)]
pub struct ClassPictures {
    /// In the order of the class's prototypes; fewer, or none, if there are no pictures to show.
    pub prototypes: Vec<Vec<u8>>,
    /// Names and pictures.
    pub controls: Vec<(String, Vec<u8>)>,
    /// A few natural pictures of the class.
    pub natural: Vec<Vec<u8>>,
}

/// Writes `similarity.csv`, `plots/`, `report.html` and, last, `similarity.json` into a folder, which is made if need be. Returns
/// the files in this order.
///
/// # Errors
/// If the folder or a file cannot be written, if there are pictures for another number of classes, or if a picture is neither
/// PNG nor JPEG.
pub fn write_similarity(out: &Path, similarity: &Similarity, pictures: &Pictures) -> Result<Vec<PathBuf>> {
    let (given, classes) = (pictures.classes.len(), similarity.classes.len());
    if given != classes {
        return Err(Error::input(format!(
            "the report has {classes} classes, but pictures of {given}: give one set for each"
        )));
    }
    // Everything is made before the first file is written, so that what cannot be shown leaves no half of a report.
    let figures = similarity_figures::all(similarity);
    let page = similarity_page::render(similarity, pictures, &figures)?;
    let mut files = vec![("similarity.csv".to_string(), csv_table::similarity(similarity)?)];
    for (name, scene) in &figures {
        files.push((format!("plots/{name}.svg"), scene.svg()?.into_bytes()));
        files.push((format!("plots/{name}.png"), scene.png()?));
    }
    files.push(("report.html".to_string(), page.into_bytes()));
    files.push(("similarity.json".to_string(), json(similarity)?));

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

fn json(similarity: &Similarity) -> Result<Vec<u8>> {
    let failed = |error| Error::input(format!("cannot write the similarity as JSON: {error}"));
    let mut text = serde_json::to_vec_pretty(similarity).map_err(failed)?;
    text.push(b'\n');
    Ok(text)
}
