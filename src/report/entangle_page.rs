//! `report.html` of entangled classes: the context of the template.

use minijinja::context;
use minijinja::value::{Serde, Value as Shown};

use super::page;
use super::pictures::PrototypePicture;
use super::plot::Scene;
use crate::analysis::entangle::Entanglement;
use crate::error::Result;

/// The candidates of a class on the page.
const LISTED: usize = 5;

/// The whole page. `pictures` are the prototypes of the first classes.
pub(super) fn render(
    table: &Entanglement,
    pictures: &[PrototypePicture],
    figures: &[(String, Scene)],
) -> Result<String> {
    let classes = table.classes.iter().enumerate().map(|(at, class)| {
        let picture = pictures.get(at).map(|picture| page::data_uri(&picture.file)).transpose()?;
        let listed = &class.candidates[..class.candidates.len().min(LISTED)];
        let confused = class.confusions.iter().flat_map(|found| &found.classes).take(LISTED).collect::<Vec<_>>();
        let place =
            class.confusions.as_ref().and_then(|found| found.most()).map(|most| {
                class.candidates.iter().position(|candidate| candidate.index == most.index).map(|at| at + 1)
            });
        Ok(context! {
            index => class.index,
            name => class.name.as_str(),
            prototypes => class.prototypes,
            probability => class.probability,
            candidates => Serde(listed),
            photographs => class.confusions.as_ref().map(|found| found.photographs),
            wrong => class.confusions.as_ref().map(|found| found.wrong),
            confused => Serde(confused),
            place => place.flatten(),
            picture,
            folder => pictures.get(at).map(|picture| picture.folder.as_str()),
        })
    });
    let classes = classes.collect::<Result<Vec<_>>>()?;
    let figures = figures.iter().map(|(_, scene)| Ok(Shown::from_safe_string(scene.svg()?)));
    page::render(
        "entangle.html",
        context! {
            classes,
            figures => figures.collect::<Result<Vec<_>>>()?,
            left_out => table.classes.len() - pictures.len(),
            check => Serde(&table.check),
            without_class => table.without_class,
            network => page::network(&table.settings),
            format => table.format.as_str(),
            version => env!("CARGO_PKG_VERSION"),
            settings => page::settings_lines(&table.settings),
            skipped => Serde(&table.skipped),
            notes => Serde(&table.notes),
        },
    )
}
