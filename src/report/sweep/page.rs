//! `sweep.html`: the context of the template.

use minijinja::context;
use minijinja::value::{Serde, Value as Shown};

use super::figures::Figure;
use super::table::{PointJudge, Sweep, SweepPoint, shown};
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
        let judges: Vec<Shown> = sweep.judges.iter().map(|judge| said(point, &judge.name)).collect();
        context! { rank => at + 1, values, judges, front => point.front, point => Serde(point) }
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
            judges => Serde(&sweep.judges),
            has_seeds => sweep.has_seeds(),
            has_fronts => sweep.points.iter().any(|point| point.front.is_some()),
            unmapped => unmapped(sweep),
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

/// What a judge says about a point; without numbers if it was not asked.
fn said(point: &SweepPoint, judge: &str) -> Shown {
    let said = point.judge(judge);
    let prototypes = said.and_then(|said| said.prototypes);
    context! { prototypes => Serde(prototypes), distance => said.and_then(|said| said.distance) }
}

/// A judge's view of a prototype.
fn seen(judge: &PointJudge, picture: &str) -> Option<Shown> {
    let row = judge.each.iter().find(|row| row.folder == picture)?;
    Some(context! { judge => judge.judge.as_str(), row => Serde(row) })
}

/// The classes that judges do not know. They are the same for all points.
fn unmapped(sweep: &Sweep) -> Vec<Shown> {
    let judges = sweep.points.first().into_iter().flat_map(|point| &point.judges);
    let all = judges.flat_map(|judge| judge.unmapped.iter().map(move |class| (judge, class)));
    all.map(|(judge, class)| context! { judge => judge.judge.as_str(), class => Serde(class) }).collect()
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
            judges => point.judges.iter().filter_map(|judge| seen(judge, &one.picture)).collect::<Vec<_>>(),
        });
    }
    Ok(context! { title, point => Serde(point), pictures })
}
