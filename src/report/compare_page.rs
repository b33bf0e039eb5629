//! `report.html` of a comparison of runs: the context of the template.

use minijinja::context;
use minijinja::value::{Serde, Value as Shown};

use super::page;
use crate::analysis::compare::{Cell, Comparison};
use crate::error::Result;

/// The whole page. `pictures` are those of the first rows, by run.
pub(super) fn render(comparison: &Comparison, pictures: &[Vec<Option<Vec<u8>>>], figure: String) -> Result<String> {
    let cell = |run: usize, (cell, picture): (&Option<Cell>, &Option<Vec<u8>>)| -> Result<Option<Shown>> {
        let Some((cell, picture)) = cell.as_ref().zip(picture.as_ref()) else { return Ok(None) };
        Ok(Some(context! {
            picture => page::data_uri(picture)?,
            folder => cell.folder.as_str(),
            own => Serde(&cell.seen[comparison.runs[run].network]),
            distance => Serde(cell.distance),
        }))
    };
    let rows = comparison.rows.iter().zip(pictures).map(|(row, pictures)| {
        let cells = row.cells.iter().zip(pictures).enumerate().map(|(run, both)| cell(run, both));
        Ok(context! {
            index => row.index,
            name => row.name.as_str(),
            seed => row.seed,
            cells => cells.collect::<Result<Vec<_>>>()?,
        })
    });
    page::render(
        "compare.html",
        context! {
            runs => Serde(&comparison.runs),
            networks => Serde(&comparison.networks),
            differing => Serde(&comparison.differing),
            recognised => Serde(&comparison.recognised),
            changes => Serde(&comparison.changes),
            rows => rows.collect::<Result<Vec<_>>>()?,
            left_out => comparison.rows.len() - pictures.len(),
            figure => Shown::from_safe_string(figure),
            format => comparison.format.as_str(),
            version => env!("CARGO_PKG_VERSION"),
            settings => page::settings_lines(&comparison.settings),
            skipped => Serde(&comparison.skipped),
            notes => Serde(&comparison.notes),
        },
    )
}
