//! The plots of a similarity report: the rows of the table, and the layers, raw and normalised, for all classes together and for each.

use serde_json::Value;

use super::plot::{Axis, Bar, Curves, Dot, Dots, Level, Line, Role, Scene, stages};
use super::similarity_page::{Control, control_names, controls_of};
use crate::analysis::similarity::{LayerSimilarity, Similarity};

/// Every plot with its name, which is also its file name.
pub(super) fn all(similarity: &Similarity) -> Vec<(String, Scene)> {
    let controls = control_names(similarity);
    let overall = &similarity.overall;
    let mut figures = vec![("overall-rows".to_string(), rows(similarity))];
    let mut by_layer = |name: &str, of: &str, layers: &[LayerSimilarity]| {
        figures.push((format!("{name}-raw"), raw(of, layers, &controls)));
        figures.push((format!("{name}-normalised"), normalised(of, layers)));
    };
    by_layer("overall", "mean over the classes", &overall.layers);
    for class in &similarity.classes {
        by_layer(&format!("class-{}", class.index), &class.name, &class.layers);
    }
    figures
}

/// The rows of Table 4 and the controls.
fn rows(similarity: &Similarity) -> Scene {
    let overall = &similarity.overall;
    let dot = |name: &str, role, value, deviation: Option<f64>| {
        let bar = deviation.map(Bar::Deviation);
        Dot { name: name.to_string(), role, value, bar }
    };
    let mut rows = vec![
        dot("prototype", Role::Prototype, overall.prototype.mean, overall.prototype.std),
        dot("same class", Role::Same, overall.same.mean, overall.same.std),
        dot("different class", Role::Different, overall.different.mean, overall.different.std),
    ];
    for (index, Control { name, mean, std, .. }) in controls_of(&overall.controls).into_iter().enumerate() {
        rows.push(dot(&name, Role::Other(index), mean, std));
    }
    let title = "Path similarity: mean and deviation over the classes".to_string();
    let axis = "path similarity (Spearman's ρ, mean over the layers)".to_string();
    Dots { title, axis, range: None, rows }.scene()
}

/// The layers, from 1 on, with one value each.
fn points(layers: &[LayerSimilarity], value: impl Fn(&LayerSimilarity) -> Option<f64>) -> Vec<(f64, Option<f64>)> {
    layers.iter().enumerate().map(|(index, layer)| ((index + 1) as f64, value(layer))).collect()
}

fn layer_axis(layers: &[LayerSimilarity]) -> Axis {
    let title = format!("layer, in the network's order (1 to {})", layers.len());
    let range = Some((0.5, layers.len().max(1) as f64 + 0.5));
    Axis { title, range, names: stages(layers.iter().map(|layer| layer.module.as_str())) }
}

/// Figure 8.
fn raw(of: &str, layers: &[LayerSimilarity], controls: &[String]) -> Scene {
    let banded =
        |name: &str, role, value: fn(&LayerSimilarity) -> Option<f64>, std: fn(&LayerSimilarity) -> Option<f64>| {
            let deviations: Vec<Option<f64>> = layers.iter().map(std).collect();
            let deviations = if deviations.iter().any(Option::is_some) { deviations } else { Vec::new() };
            Line { deviations, ..Line::new(name, role, points(layers, value)) }
        };
    let mut lines = vec![
        Line::new("prototype", Role::Prototype, points(layers, |layer| layer.measured.prototype)),
        banded("same class", Role::Same, |layer| layer.measured.same, |layer| layer.measured.same_std),
        banded(
            "different class",
            Role::Different,
            |layer| layer.measured.different,
            |layer| layer.measured.different_std,
        ),
    ];
    for (index, name) in controls.iter().enumerate() {
        let value = |layer: &LayerSimilarity| layer.controls.get(name).and_then(Value::as_f64);
        lines.push(Line::new(name.clone(), Role::Other(index), points(layers, value)));
    }
    let y = Axis { title: "path similarity (Spearman's ρ)".to_string(), ..Axis::default() };
    let gaps = layers.iter().filter(|layer| layer.measured.prototype.is_none()).count();
    let notes = match gaps {
        0 => Vec::new(),
        gaps => vec![format!("Gaps: the prototype's similarity is undefined in {gaps} of {} layers.", layers.len())],
    };
    let title = format!("Similarity by layer: {of}");
    Curves { title, x: layer_axis(layers), y, lines, notes, ..Curves::default() }.scene()
}

/// If same and different class are closer than this, the normalised value means little.
const CLOSE: f64 = 0.02;
/// The limit of the axis.
const FURTHEST: (f64, f64) = (-1.0, 2.0);

/// Figures 4 and 7.
fn normalised(of: &str, layers: &[LayerSimilarity]) -> Scene {
    let values = || layers.iter().filter_map(|layer| layer.measured.normalised).filter(|value| value.is_finite());
    // In quarters, at least from a quarter below the lower level to a quarter above the upper one.
    let low = (4.0 * values().fold(-0.25, f64::min)).floor() / 4.0;
    let high = (4.0 * values().fold(1.25, f64::max)).ceil() / 4.0;
    let (low, high) = (low.max(FURTHEST.0), high.min(FURTHEST.1));

    let mut notes = Vec::new();
    let beyond = |layer: &&LayerSimilarity| layer.measured.normalised.is_some_and(|value| value < low || value > high);
    let cut: Vec<&LayerSimilarity> = layers.iter().filter(beyond).collect();
    if !cut.is_empty() {
        let of_them: Vec<String> = cut.iter().take(3).map(|layer| named(layer)).collect();
        let more = if cut.len() > 3 { ", …" } else { "" };
        let lie = count(cut.len(), "layer lies", "layers lie");
        notes.push(format!("Triangles: {lie} beyond the axis ({}{more}).", of_them.join(", ")));
    }
    let is_close = |layer: &&LayerSimilarity| matches!((layer.measured.same, layer.measured.different), (Some(s), Some(d)) if (s - d).abs() < CLOSE);
    let close = layers.iter().filter(is_close).count();
    if close > 0 {
        let layers = count(close, "layer", "layers");
        notes.push(format!(
            "In {layers} same and different class are less than {CLOSE} apart; the quotient means little there."
        ));
    }
    let level = |name: &str, role, y| Level { name: name.to_string(), role, y };
    Curves {
        title: format!("Normalised similarity by layer: {of}"),
        x: layer_axis(layers),
        y: Axis { title: "normalised similarity".to_string(), range: Some((low, high)), ..Axis::default() },
        lines: vec![Line::new("prototype", Role::Prototype, points(layers, |layer| layer.measured.normalised))],
        levels: vec![level("same class = 1", Role::Same, 1.0), level("different class = 0", Role::Different, 0.0)],
        notes,
    }
    .scene()
}

fn count(number: usize, one: &str, more: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { more })
}

fn named(layer: &LayerSimilarity) -> String {
    format!("{} {:.2}", layer.module, layer.measured.normalised.unwrap_or_default()).replace('-', "\u{2212}")
}
