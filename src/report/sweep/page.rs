//! `sweep.html`: the context of the template.

use minijinja::context;
use minijinja::value::{Serde, Value as Shown};

use super::figures::Figure;
use super::table::{Sweep, SweepPoint, shown};
use crate::error::Result;
use crate::report::page;

/// The most rows of the table; the CSV file has all.
const ROWS: usize = 500;
/// The most images shown per point.
const PICTURES: usize = 40;

/// The whole page.
pub(super) fn render(
    sweep: &Sweep,
    figures: &[Figure],
    picture: &dyn Fn(&str) -> Result<Option<Vec<u8>>>,
) -> Result<String> {
    let row = |(at, point): (usize, &SweepPoint)| {
        let values: Vec<String> =
            sweep.grid.iter().map(|axis| point.values.get(&axis.setting).map(shown).unwrap_or_default()).collect();
        context! { rank => at + 1, values, point => Serde(point) }
    };
    let rows: Vec<Shown> = sweep.points.iter().take(ROWS).enumerate().map(row).collect();
    let best = sweep.points.first();
    let whole = sweep.best_of_top1();
    let mut shown_points = Vec::new();
    if let Some(best) = best {
        shown_points.push(pictures("The first of the ranking", best, picture)?);
    }
    if let Some(whole) = whole.filter(|whole| best.is_none_or(|best| best.name != whole.name)) {
        shown_points.push(pictures("The most similar with every prototype top 1", whole, picture)?);
    }
    let mut settings = page::settings_lines(&sweep.about);
    settings.extend(sweep.adapters.iter().map(|adapter| ("adapter".into(), adapter.clone())));
    let mut base = page::settings_lines(&sweep.base);
    base.retain(|(name, _)| sweep.grid.iter().all(|axis| axis.setting != *name));
    let figure = |figure: &Figure| {
        Ok(context! { svg => Shown::from_safe_string(figure.scene.svg()?), caption => figure.caption.as_str() })
    };
    page::render(
        "sweep.html",
        context! {
            format => sweep.format.as_str(),
            version => env!("CARGO_PKG_VERSION"),
            rank => sweep.rank.as_str(),
            settings_varied => sweep.grid.iter().map(|axis| axis.setting.clone()).collect::<Vec<_>>(),
            made => sweep.points.len(),
            rows,
            best => best.map(|point| context! { point => Serde(point) }),
            whole => whole.map(|point| context! { point => Serde(point) }),
            shown_points,
            figures => figures.iter().map(figure).collect::<Result<Vec<_>>>()?,
            failed => Serde(&sweep.failed),
            settings,
            base_settings => base,
        },
    )
}

fn pictures(title: &str, point: &SweepPoint, picture: &dyn Fn(&str) -> Result<Option<Vec<u8>>>) -> Result<Shown> {
    let all = point.classes.iter().flat_map(|class| class.prototypes.iter().map(move |one| (class, one)));
    let mut pictures = Vec::new();
    for (class, one) in all.take(PICTURES) {
        let Some(bytes) = picture(&one.picture)? else { continue };
        pictures.push(context! {
            uri => page::data_uri(&bytes)?,
            class => class.name.as_str(),
            index => class.index,
            is_top => one.top.index == class.index,
            one => Serde(one),
        });
    }
    Ok(context! { title, point => Serde(point), pictures })
}
