//! `report.html` of a study: the context of the template.

use minijinja::context;
use minijinja::value::{Serde, Value as Shown};

use super::pictures::PartPictures;
use super::plot::Scene;
use super::{page, study_figures};
use crate::analysis::study::{Part, Study};
use crate::error::Result;

/// The whole page.
pub(super) fn render(study: &Study, pictures: &[PartPictures], figures: &[(String, Scene)]) -> Result<String> {
    let figure = |name: &str| -> Result<Option<Shown>> {
        let found = figures.iter().find(|(known, _)| known == name).map(|(_, scene)| scene.svg());
        Ok(found.transpose()?.map(Shown::from_safe_string))
    };
    let parts = study.parts.iter().zip(pictures).enumerate();
    let parts = parts.map(|(at, (part, shown))| part_page(at, part, shown, figure)).collect::<Result<Vec<_>>>()?;
    page::render(
        "study.html",
        context! {
            network => page::network(&study.settings),
            format => study.format.as_str(),
            version => env!("CARGO_PKG_VERSION"),
            demo => study.settings.contains_key("demo"),
            overall => figure("overall")?,
            parts,
            settings => page::settings_lines(&study.settings),
            skipped => Serde(&study.skipped),
            notes => Serde(&study.notes),
        },
    )
}

fn part_page(
    at: usize,
    part: &Part,
    pictures: &PartPictures,
    figure: impl Fn(&str) -> Result<Option<Shown>>,
) -> Result<Shown> {
    let uris = |files: &[Vec<u8>]| files.iter().map(|bytes| page::data_uri(bytes)).collect::<Result<Vec<_>>>();
    let shown = uris(&pictures.prototypes)?;
    let prototypes: Vec<Shown> = (part.prototypes.iter().enumerate())
        .map(|(index, prototype)| context! { prototype => Serde(prototype), picture => shown.get(index) })
        .collect();
    let group = |(index, row)| -> Result<Shown> {
        let pictures = pictures.groups.get(index).map_or(&[][..], Vec::as_slice);
        Ok(context! { row => Serde(row), pictures => uris(pictures)? })
    };
    let classes = 0..part.groups.first().map_or(0, |group| group.classes.len());
    let figures = classes.map(|class| figure(&study_figures::name(at, class))).collect::<Result<Vec<_>>>()?;
    Ok(context! {
        number => at + 1,
        part => Serde(part),
        prototypes,
        groups => part.groups.iter().enumerate().map(group).collect::<Result<Vec<_>>>()?,
        figures => figures.into_iter().flatten().collect::<Vec<_>>(),
    })
}
