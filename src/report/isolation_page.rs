//! `report.html` of regions: the context of the template.

use minijinja::context;
use minijinja::value::{Serde, Value as Shown};

use super::page;
use super::pictures::IsolatedPictures;
use super::plot::Scene;
use crate::analysis::isolate::Isolations;
use crate::error::Result;

/// The most images on the page.
const SHOWN: usize = 200;

/// The whole page. `pictures` are those of each image.
pub(super) fn render(table: &Isolations, pictures: &[IsolatedPictures], figures: &[(String, Scene)]) -> Result<String> {
    let images = table.images.iter().zip(pictures).take(SHOWN).map(|(one, pictures)| {
        let IsolatedPictures { image, mask, kept, without } = pictures;
        let [image, mask, kept, without] = [image, mask, kept, without].map(|file| page::data_uri(file));
        Ok(context! {
            image => image?,
            mask => mask?,
            kept => kept?,
            without => without?,
            row => Serde(one),
        })
    });
    let images = images.collect::<Result<Vec<_>>>()?;
    let figures = figures.iter().map(|(_, scene)| Ok(Shown::from_safe_string(scene.svg()?)));
    page::render(
        "isolation.html",
        context! {
            left_out => table.images.len() - images.len(),
            images,
            figures => figures.collect::<Result<Vec<_>>>()?,
            comparison => Serde(&table.comparison),
            network => page::network(&table.settings),
            format => table.format.as_str(),
            version => env!("CARGO_PKG_VERSION"),
            settings => page::settings_lines(&table.settings),
            skipped => Serde(&table.skipped),
            notes => Serde(&table.notes),
        },
    )
}
