//! `index.html` and `contact.png`: all prototypes of a folder.

use std::borrow::Cow;
use std::fs;
use std::io::Write as _;
use std::path::Path;

use image::RgbImage;
use minijinja::context;
use minijinja::value::Serde;
use serde::Serialize;

use super::{ContactSheet, page};
use crate::atomic::write_atomically;
use crate::error::{Error, Result};

/// A finished prototype.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Shown {
    /// Its folder's name.
    pub folder: String,
    /// The class's index; `None` for another objective.
    pub class: Option<usize>,
    /// The class's name, or the objective.
    pub name: String,
    /// The seed.
    pub seed: u64,
    /// The likeliest classes, with their probabilities: index, name, probability.
    pub top: Vec<(usize, String, f64)>,
    /// Whether there is an animation.
    pub animated: bool,
}

/// A prototype that could not be made or read.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NotShown {
    /// Its folder's name.
    pub folder: String,
    /// The reason.
    pub why: String,
}

/// The prototypes of a folder, in the order of the page.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Gallery {
    /// The file names in the prototypes' folders: image, animation, pixels, record.
    pub files: [String; 4],
    /// The prototypes.
    pub shown: Vec<Shown>,
    /// The prototypes that failed.
    pub failed: Vec<NotShown>,
}

/// Writes `contact.png` and `index.html`, which links to the files in the folders. `picture` reads a prototype's image; if it cannot,
/// the sheet has a gap.
///
/// # Errors
/// If a file cannot be written.
pub fn write_gallery<'a>(
    out: &Path,
    gallery: &Gallery,
    mut picture: impl FnMut(&Shown) -> Option<Cow<'a, RgbImage>>,
) -> Result<()> {
    let mut sheet = ContactSheet::new(gallery.shown.len(), 2)?;
    for shown in gallery.shown.iter().take(sheet.room()) {
        let seen = match shown.top.first() {
            Some((index, name, probability)) if Some(*index) != shown.class => {
                format!("seen as {name} {probability:.2}")
            }
            Some((_, _, probability)) => format!("seed {}: {probability:.2}", shown.seed),
            None => format!("seed {}", shown.seed),
        };
        let title = shown.class.map_or(shown.name.clone(), |class| format!("{class} {}", shown.name));
        sheet.place(picture(shown).as_deref(), &[title, seen]);
    }
    let left_out = gallery.shown.len().saturating_sub(sheet.room());
    let page = page::render(
        "gallery.html",
        context! {
            files => gallery.files.clone(), shown => Serde(&gallery.shown), failed => Serde(&gallery.failed), left_out,
            version => env!("CARGO_PKG_VERSION"),
        },
    )?;
    let png = sheet.png()?;
    fs::create_dir_all(out).map_err(Error::io("create", out))?;
    write_atomically(out.join("contact.png"), |file| file.write_all(&png))?;
    write_atomically(out.join("index.html"), |file| file.write_all(page.as_bytes()))
}
