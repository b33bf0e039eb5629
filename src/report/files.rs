//! The files of a report before they are written: names, with `/` between folders, and bytes.

use serde::Serialize;

use super::plot::Scene;
use crate::error::{Error, Result};

/// Files by name, in the order in which they are to be written.
pub(crate) type Files = Vec<(String, Vec<u8>)>;

/// The SVG and PNG files of each plot.
pub(super) fn plots(figures: &[(String, Scene)]) -> Result<Files> {
    let mut files = Vec::with_capacity(2 * figures.len());
    for (name, scene) in figures {
        files.push((format!("plots/{name}.svg"), scene.svg()?.into_bytes()));
        files.push((format!("plots/{name}.png"), scene.png()?));
    }
    Ok(files)
}

/// A table as JSON.
pub(super) fn json(value: &impl Serialize, what: &str) -> Result<Vec<u8>> {
    let failed = |error| Error::input(format!("cannot write the {what} as JSON: {error}"));
    let mut text = serde_json::to_vec_pretty(value).map_err(failed)?;
    text.push(b'\n');
    Ok(text)
}
