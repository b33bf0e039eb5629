//! The files of a sweep.

use super::measures::Measure;
use super::table::Sweep;
use super::{csv_tables, figures, page};
use crate::error::Result;
use crate::report::files::{Files, json};

/// `sweep.csv`, `prototypes.csv`, `plots/`, `sweep.html` and, last, `sweep.json`. `pair` are the measures over
/// which a Pareto front is plotted, and whether it is of these alone. `picture` returns a prototype's image, PNG or JPEG, by
/// its path; if it returns `None`, the page shows none.
///
/// # Errors
/// If an image is neither PNG nor JPEG.
pub(crate) fn sweep_files(
    sweep: &Sweep,
    pair: Option<([&Measure; 2], bool)>,
    picture: impl Fn(&str) -> Result<Option<Vec<u8>>>,
) -> Result<Files> {
    let front = pair.map(|(pair, is_plane)| figures::front(sweep, pair, is_plane));
    let figures: Vec<_> = front.into_iter().chain(figures::all(sweep)).collect();
    let page = page::render(sweep, &figures, &picture)?;
    let mut files = vec![
        ("sweep.csv".to_string(), csv_tables::points(sweep)?),
        ("prototypes.csv".to_string(), csv_tables::prototypes(sweep)?),
    ];
    for figure in &figures {
        files.push((format!("plots/{}.svg", figure.name), figure.scene.svg()?.into_bytes()));
        files.push((format!("plots/{}.png", figure.name), figure.scene.png()?));
    }
    files.push(("sweep.html".to_string(), page.into_bytes()));
    files.push(("sweep.json".to_string(), json(sweep, "sweep")?));
    Ok(files)
}
