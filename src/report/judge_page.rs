//! `report.html` of a judgement: the context of the template.

use minijinja::context;
use minijinja::value::{Serde, Value as Shown};

use super::page;
use super::pictures::PrototypePicture;
use crate::analysis::judge::{JudgeRow, Judgement};
use crate::error::Result;

/// The whole page. `left_out` prototypes have no picture.
pub(super) fn render(judgement: &Judgement, pictures: &[PrototypePicture], left_out: usize) -> Result<String> {
    let pictures = pictures.iter().map(|picture| prototype(judgement, picture)).collect::<Result<Vec<_>>>()?;
    page::render(
        "judge.html",
        context! {
            judges => Serde(&judgement.judges),
            has_controls => judgement.judges.iter().flat_map(|judge| &judge.groups).any(|group| !group.controls.is_empty()),
            has_varieties => judgement.judges.iter().flat_map(|judge| &judge.groups).any(|group| group.variety.is_some()),
            pictures,
            left_out,
            format => judgement.format.as_str(),
            version => env!("CARGO_PKG_VERSION"),
            settings => page::settings_lines(&judgement.settings),
            skipped => Serde(&judgement.skipped),
            notes => Serde(&judgement.notes),
        },
    )
}

/// A prototype with what each judge says.
fn prototype(judgement: &Judgement, picture: &PrototypePicture) -> Result<Shown> {
    let said = |judge: &JudgeRow| {
        let found = judge.groups.iter().flat_map(|group| &group.each).find(|one| one.folder == picture.folder)?;
        Some(context! { judge => judge.weights.as_str(), top => Serde(&found.top) })
    };
    let said: Vec<Shown> = judgement.judges.iter().filter_map(said).collect();
    Ok(context! {
        picture => page::data_uri(&picture.file)?,
        name => picture.class.as_str(),
        folder => picture.folder.as_str(),
        said,
    })
}
