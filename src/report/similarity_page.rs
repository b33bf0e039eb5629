//! `report.html` of a similarity: the context of the template.

use minijinja::context;
use minijinja::value::{Serde, Value as Shown};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::page;
use super::pictures::{ClassPictures, Pictures};
use super::plot::Scene;
use crate::analysis::judge::JudgeRow;
use crate::analysis::similarity::{ClassSimilarity, Compared, LayerSimilarity, Similarity, Spread};
use crate::analysis::study::Interval;
use crate::error::Result;

/// A control's row.
pub(super) struct Control {
    pub(super) name: String,
    pub(super) mean: Option<f64>,
    pub(super) std: Option<f64>,
    /// Prototypes minus control, over several classes.
    pub(super) difference: Option<Interval>,
    pub(super) p: Option<f64>,
}

/// The controls of a map, whose values are numbers or [`Compared`].
pub(super) fn controls_of(controls: &Map<String, Value>) -> Vec<Control> {
    let of = |(name, value): (&String, &Value)| {
        let Compared { spread, difference, p } = Compared::deserialize(value).unwrap_or_default();
        Control { name: name.clone(), mean: value.as_f64().or(spread.mean), std: spread.std, difference, p }
    };
    controls.iter().map(of).collect()
}

/// The names of the controls of all parts, in the order of their first occurrence.
pub(super) fn control_names(similarity: &Similarity) -> Vec<String> {
    let layers = similarity.classes.iter().flat_map(|class| &class.layers).chain(&similarity.overall.layers);
    let classes = similarity.classes.iter().map(|class| &class.controls);
    let mut names: Vec<String> = Vec::new();
    for map in [&similarity.overall.controls].into_iter().chain(classes).chain(layers.map(|layer| &layer.controls)) {
        for name in map.keys() {
            if !names.contains(name) {
                names.push(name.clone());
            }
        }
    }
    names
}

/// A row of Table 4.
#[derive(Serialize)]
struct Row {
    name: String,
    /// For the style: `prototype`, `same`, `different`, `control`.
    kind: &'static str,
    mean: Option<f64>,
    std: Option<f64>,
    to_same: Option<f64>,
    normalised: Option<f64>,
    above: bool,
    /// Prototypes minus control.
    difference: Option<Interval>,
    p: Option<f64>,
}

fn rows(prototype: Spread, same: Spread, different: Spread, controls: &Map<String, Value>) -> Vec<Row> {
    let row = |name: &str, kind, mean: Option<f64>, std| {
        let (to_same, to_different) = (minus(mean, same.mean), minus(mean, different.mean));
        let whole = minus(same.mean, different.mean).filter(|&whole| whole != 0.0);
        let normalised = to_different.zip(whole).map(|(part, whole)| part / whole);
        let above = kind == "control" && minus(mean, prototype.mean).is_some_and(|more| more > 0.0);
        Row { name: name.to_string(), kind, mean, std, to_same, normalised, above, difference: None, p: None }
    };
    let mut rows = vec![
        row("Prototype", "prototype", prototype.mean, prototype.std),
        row("Same class", "same", same.mean, same.std),
        row("Different class", "different", different.mean, different.std),
    ];
    rows.extend(controls_of(controls).iter().map(|control| {
        let row = row(&control.name, "control", control.mean, control.std);
        Row { difference: control.difference, p: control.p, ..row }
    }));
    rows
}

fn minus(value: Option<f64>, other: Option<f64>) -> Option<f64> {
    Some(value? - other?)
}

/// A layer's row; controls in the order of the table's columns.
fn layer_rows(layers: &[LayerSimilarity], controls: &[String]) -> Vec<Shown> {
    let row = |(index, layer): (usize, &LayerSimilarity)| {
        let values: Vec<Option<f64>> =
            controls.iter().map(|name| layer.controls.get(name).and_then(Value::as_f64)).collect();
        context! { number => index + 1, layer => Serde(layer), controls => values }
    };
    layers.iter().enumerate().map(row).collect()
}

/// One class: numbers, images and plots.
fn class_page(
    class: &ClassSimilarity,
    pictures: &ClassPictures,
    controls: &[String],
    figure: impl Fn(&str) -> Result<Shown>,
) -> Result<Shown> {
    let spread = |mean, std| Spread { mean, std };
    let table = rows(
        spread(class.measured.prototype, class.measured.prototype_std),
        spread(class.measured.same, class.measured.same_std),
        spread(class.measured.different, class.measured.different_std),
        &class.controls,
    );
    let uris = |files: &[Vec<u8>]| files.iter().map(|bytes| page::data_uri(bytes)).collect::<Result<Vec<_>>>();
    let shown = uris(&pictures.prototypes)?;
    let prototypes: Vec<Shown> = (class.prototypes.iter().enumerate())
        .map(|(index, prototype)| context! { prototype => Serde(prototype), picture => shown.get(index) })
        .collect();
    let named = |(name, bytes): &(String, Vec<u8>)| Ok(context! { name, picture => page::data_uri(bytes)? });
    Ok(context! {
        class => Serde(class),
        rows => Serde(table),
        prototypes,
        controls => pictures.controls.iter().map(named).collect::<Result<Vec<_>>>()?,
        natural => uris(&pictures.natural)?,
        layers => layer_rows(&class.layers, controls),
        raw => figure(&format!("class-{}-raw", class.index))?,
        normalised => figure(&format!("class-{}-normalised", class.index))?,
    })
}

/// The whole page.
pub(super) fn render(
    similarity: &Similarity,
    judges: &[JudgeRow],
    pictures: &Pictures,
    figures: &[(String, Scene)],
) -> Result<String> {
    let figure = |name: &str| -> Result<Shown> {
        let found = figures.iter().find(|(known, _)| known == name).map(|(_, scene)| scene.svg());
        Ok(Shown::from_safe_string(found.transpose()?.unwrap_or_default()))
    };
    let controls = control_names(similarity);
    let overall = &similarity.overall;
    let classes = similarity.classes.iter().zip(&pictures.classes);
    let classes =
        classes.map(|(class, shown)| class_page(class, shown, &controls, figure)).collect::<Result<Vec<_>>>()?;
    page::render(
        "similarity.html",
        context! {
            network => page::network(&similarity.settings),
            format => similarity.format.as_str(),
            version => env!("CARGO_PKG_VERSION"),
            warnings => Serde(&similarity.warnings),
            rows => Serde(rows(overall.prototype, overall.same, overall.different, &overall.controls)),
            compared => similarity.classes.len() > 1,
            holds => Serde(overall.holds),
            ways => Serde(&similarity.ways),
            control_names => Serde(&controls),
            layers => layer_rows(&overall.layers, &controls),
            dots => figure("overall-rows")?,
            raw => figure("overall-raw")?,
            normalised => figure("overall-normalised")?,
            classes,
            judges => Serde(judges),
            has_varieties => judges.iter().flat_map(|judge| &judge.groups).any(|group| group.variety.is_some()),
            settings => page::settings_lines(&similarity.settings),
            skipped => Serde(&similarity.skipped),
            notes => Serde(&similarity.notes),
        },
    )
}
