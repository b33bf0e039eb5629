//! A page and a contact sheet of all prototypes in a folder.

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::disk::write_files;
use super::run::folder::{ANIMATION, FAILED, PICTURE, PIXELS, RECORD};
use super::run::record::{ClassRecord, FORMAT, MAX_RECORD_BYTES};
use super::top::Top;
use crate::bounded::read_text_at_most;
use crate::picture::read;
use crate::report::{Gallery, NotShown, Shown, gallery_files};
use crate::{Error, Result};
use image::RgbImage;
use serde::Deserialize;

/// The page, in the folder of prototypes.
const PAGE: &str = "index.html";
/// The most characters of a reason for a failure, and the longest file with such a reason that is read.
const MAX_REASON: usize = 1000;
const MAX_REASON_BYTES: u64 = 1 << 20;

/// Images that are already in memory, by the name of their prototype's folder.
pub(crate) type Pictures = HashMap<String, RgbImage>;

/// After a run: writes page and sheet if the folder has more than one prototype. Returns the path of the page.
pub(crate) fn rebuild(out: &Path, known: &Pictures) -> Result<Option<PathBuf>> {
    let gallery = gallery(out)?;
    if gallery.shown.len() + gallery.failed.len() < 2 {
        return Ok(None);
    }
    write(out, &gallery, known).map(Some)
}

/// Writes page and sheet, and returns the gallery and the path of the page.
///
/// # Errors
/// If there is no prototype to show, or a file cannot be written.
pub(crate) fn index(out: &Path) -> Result<(Gallery, PathBuf)> {
    let gallery = gallery(out)?;
    if gallery.shown.is_empty() {
        let folder = out.display();
        if let Some(NotShown { folder: name, why }) = gallery.failed.first() {
            return Err(Error::input(format!("{folder} has no prototype that can be shown; {name}: {why}")));
        }
        return Err(Error::input(format!("{folder} has no finished prototypes (no {RECORD} in its folders)"))
            .advised("; `protogpu run` with this folder as {out} makes some"));
    }
    let page = write(out, &gallery, &Pictures::new())?;
    Ok((gallery, page))
}

fn write(out: &Path, gallery: &Gallery, known: &Pictures) -> Result<PathBuf> {
    let files = gallery_files(gallery, |shown| match known.get(&shown.folder) {
        Some(picture) => Some(Cow::Borrowed(picture)),
        None => read(out.join(&shown.folder).join(PICTURE)).ok().map(Cow::Owned),
    })?;
    write_files(out, &files)?;
    Ok(out.join(PAGE))
}

/// The prototypes in a folder, of all runs, by class and seed.
fn gallery(out: &Path) -> Result<Gallery> {
    let files = [PICTURE, ANIMATION, PIXELS, RECORD].map(str::to_owned);
    let mut gallery = Gallery { files, ..Gallery::default() };
    for entry in std::fs::read_dir(out).map_err(Error::io("read", out))? {
        let path = entry.map_err(Error::io("read", out))?.path();
        // A page cannot link to other names.
        let Some(folder) = path.file_name().and_then(|name| name.to_str()).map(str::to_owned) else { continue };
        if path.join(RECORD).is_file() {
            match shown(&path, &folder) {
                Ok(shown) => gallery.shown.push(shown),
                Err(why) => gallery.failed.push(NotShown { folder, why }),
            }
        } else if path.join(FAILED).is_file() {
            let why = read_text_at_most(path.join(FAILED), MAX_REASON_BYTES, "failure");
            let why = why.unwrap_or_else(|error| error.to_string());
            gallery.failed.push(NotShown { folder, why: why.trim().chars().take(MAX_REASON).collect() });
        }
    }
    gallery.shown.sort_by(|a, b| (a.class, &a.name, a.seed, &a.folder).cmp(&(b.class, &b.name, b.seed, &b.folder)));
    gallery.failed.sort_by(|a, b| a.folder.cmp(&b.folder));
    Ok(gallery)
}

/// The objective, for records without a class. Older records lack it.
#[derive(Deserialize)]
struct RecordedSettings {
    #[serde(default)]
    objective: String,
}

/// The parts of a record that the gallery shows.
#[derive(Deserialize)]
struct Recorded {
    format: String,
    class: Option<ClassRecord>,
    settings: RecordedSettings,
    seed: u64,
    top: Vec<Top>,
}

fn shown(path: &Path, folder: &str) -> Result<Shown, String> {
    let record = path.join(RECORD);
    let told = |error: &dyn std::fmt::Display| format!("{RECORD} cannot be read: {error}");
    let text = read_text_at_most(&record, MAX_RECORD_BYTES, "record").map_err(|error| error.to_string())?;
    let found: Recorded = serde_json::from_str(&text).map_err(|error| told(&error))?;
    if found.format != FORMAT {
        return Err(told(&format!("its format is `{}`, but this program reads `{FORMAT}`", found.format)));
    }
    Ok(Shown {
        folder: folder.to_owned(),
        class: found.class.as_ref().map(|class| class.index),
        name: found.class.map_or(found.settings.objective, |class| class.name),
        seed: found.seed,
        top: found.top.into_iter().map(|top| (top.index, top.name, f64::from(top.probability))).collect(),
        animated: path.join(ANIMATION).is_file(),
    })
}
