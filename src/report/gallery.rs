//! `index.html` and `contact.png`: all prototypes of a folder.

use std::borrow::Cow;

use image::RgbImage;
use minijinja::context;
use minijinja::value::Serde;
use serde::Serialize;

use super::contact_sheet::ContactSheet;
use super::files::Files;
use super::page;
use crate::error::Result;

/// A finished prototype.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Shown {
    /// Its folder's name.
    pub(crate) folder: String,
    /// The class's index; `None` for another objective.
    pub(crate) class: Option<usize>,
    /// The class's name, or the objective.
    pub(crate) name: String,
    /// The seed.
    pub(crate) seed: u64,
    /// The likeliest classes, with their probabilities: index, name, probability.
    pub(crate) top: Vec<(usize, String, f64)>,
    /// Whether there is an animation.
    pub(crate) animated: bool,
}

/// A prototype that could not be made or read.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct NotShown {
    /// Its folder's name.
    pub(crate) folder: String,
    /// The reason.
    pub(crate) why: String,
}

/// The prototypes of a folder, in the order of the page.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Gallery {
    /// The file names in the prototypes' folders: image, animation, pixels, record.
    pub(crate) files: [String; 4],
    /// The prototypes; those of a class are together.
    pub(crate) shown: Vec<Shown>,
    /// The prototypes that failed.
    pub(crate) failed: Vec<NotShown>,
}

/// `contact.png` and `index.html`, which links to the files in the folders. If a class has several prototypes, the page shows each class under
/// a heading of its own. `picture` reads a prototype's image; if it cannot, the sheet
/// has a gap.
///
/// # Errors
/// If the sheet or the page cannot be made.
pub(crate) fn gallery_files<'a>(
    gallery: &Gallery,
    mut picture: impl FnMut(&Shown) -> Option<Cow<'a, RgbImage>>,
) -> Result<Files> {
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
    let of_one = |a: &Shown, b: &Shown| (a.class, &a.name) == (b.class, &b.name);
    let mut groups: Vec<&[Shown]> = gallery.shown.chunk_by(of_one).collect();
    let is_grouped = groups.len() > 1 && groups.iter().any(|group| group.len() > 1);
    if !is_grouped {
        groups = vec![&gallery.shown];
    }
    let page = page::render(
        "gallery.html",
        context! {
            files => gallery.files.clone(), shown => Serde(&gallery.shown), groups => Serde(groups), is_grouped, failed => Serde(&gallery.failed), left_out,
            version => env!("CARGO_PKG_VERSION"),
        },
    )?;
    Ok(vec![("contact.png".into(), sheet.png()?), ("index.html".into(), page.into_bytes())])
}
