//! The templates, and the formatting of numbers and text in them.
//!
//! A page is a file beside this one that extends `base.html`; see there which blocks it fills.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Serde, Value};
use minijinja::{AutoEscape, Environment, UndefinedBehavior};
use serde_json::{Map, Value as Json};

use crate::analysis::study;
use crate::error::{Error, Result};

/// All templates. A new page needs a line here.
const TEMPLATES: &[(&str, &str)] = &[
    ("base.html", include_str!("base.html")),
    ("compare.html", include_str!("compare.html")),
    ("entangle.html", include_str!("entangle.html")),
    ("gallery.html", include_str!("gallery.html")),
    ("isolation.html", include_str!("isolation.html")),
    ("judge.html", include_str!("judge.html")),
    ("judges.html", include_str!("judges.html")),
    ("similarity.html", include_str!("similarity.html")),
    ("study.html", include_str!("study.html")),
    ("sweep.html", include_str!("sweep/sweep.html")),
    ("plot.svg", include_str!("plot/scene.svg")),
];

/// Fills in a template. All text is escaped, except plots and image data, which are marked as safe.
///
/// # Errors
/// If template and context do not fit, which is a bug; the message names the line.
pub(super) fn render(template: &str, context: Value) -> Result<String> {
    let filled = environment().and_then(|environment| environment.get_template(template)?.render(context));
    filled.map_err(|error| Error::input(format!("cannot fill in {template}: {error:#}")))
}

fn environment() -> Result<Environment<'static>, minijinja::Error> {
    let mut environment = Environment::new();
    // A misspelt name is an error, not a blank.
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    environment.set_syntax(SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build()?);
    environment.add_filter("number", |value: Option<f64>, digits: usize| number(value, digits));
    environment.add_filter("signed", |value: Option<f64>, digits: usize| signed(value, digits));
    environment.add_filter("percent", |share: f64| percent(share));
    environment.add_filter("points", |difference: f64| signed(Some(difference * 100.0), 1));
    environment.add_filter("p_value", study::p_value);
    environment.add_filter("printable", |text: &str| printable(text));
    environment.add_filter("address", |name: &str| address(name));
    environment.add_filter("place", place);
    environment.add_filter("places", |points: Serde<Vec<(f64, f64)>>| places(&points));
    for &(name, text) in TEMPLATES {
        environment.add_template(name, text)?;
    }
    Ok(environment)
}

/// An image as a data URI.
///
/// # Errors
/// If it is neither PNG nor JPEG.
pub(super) fn data_uri(bytes: &[u8]) -> Result<Value> {
    let kind = match image::guess_format(bytes) {
        Ok(image::ImageFormat::Png) => "png",
        Ok(image::ImageFormat::Jpeg) => "jpeg",
        _ => return Err(Error::input("an image of the report is neither PNG nor JPEG: give it as one of these")),
    };
    // It needs no escaping, which would double its slashes.
    Ok(Value::from_safe_string(format!("data:image/{kind};base64,{}", STANDARD.encode(bytes))))
}

/// All settings, one per line.
pub(super) fn settings_lines(settings: &Map<String, Json>) -> Vec<(String, String)> {
    let mut lines = Vec::new();
    flatten("", &Json::Object(settings.clone()), &mut lines);
    lines
}

/// The network's name in the settings.
pub(super) fn network(settings: &Map<String, Json>) -> String {
    let whole = ["network", "weights", "model"].iter().find_map(|key| settings.get(*key));
    let parts = ["name", "model", "path", "architecture"];
    let text =
        whole.and_then(|value| value.as_str().or_else(|| parts.iter().find_map(|part| value.get(part)?.as_str())));
    text.unwrap_or("a network without a name").to_string()
}

/// Settings within settings as lines of a table: `network.input.size`.
fn flatten(path: &str, value: &Json, lines: &mut Vec<(String, String)>) {
    match value {
        Json::Object(parts) if !parts.is_empty() => {
            for (name, part) in parts {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                flatten(&path, part, lines);
            }
        }
        Json::Array(items) if items.iter().any(|item| item.is_object() || item.is_array()) => {
            for (index, item) in items.iter().enumerate() {
                flatten(&format!("{path}[{index}]"), item, lines);
            }
        }
        Json::Array(items) => lines.push((path.to_string(), items.iter().map(plain).collect::<Vec<_>>().join(", "))),
        Json::Object(_) => {}
        other => lines.push((path.to_string(), plain(other))),
    }
}

fn plain(value: &Json) -> String {
    match value {
        Json::Null => "–".to_string(),
        Json::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn number(value: Option<f64>, digits: usize) -> String {
    let Some(value) = value.filter(|value| value.is_finite()) else { return "–".to_string() };
    let text = format!("{value:.digits$}").replace('-', "\u{2212}");
    // No minus sign for zero.
    match text.strip_prefix('\u{2212}') {
        Some(zero) if zero.chars().all(|c| matches!(c, '0' | '.')) => zero.to_string(),
        _ => text,
    }
}

fn signed(value: Option<f64>, digits: usize) -> String {
    let text = number(value, digits);
    let positive = value.is_some_and(|value| value > 0.0) && text.chars().any(|c| matches!(c, '1'..='9'));
    if positive { format!("+{text}") } else { text }
}

fn percent(share: f64) -> String {
    match share {
        small if small > 0.0 && small < 0.0005 => "< 0.1 %".to_string(),
        _ => format!("{:.1} %", share * 100.0),
    }
}

/// Removes characters that XML forbids.
fn printable(text: &str) -> String {
    text.replace(|c: char| c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}'), "\u{fffd}")
}

/// A file name as part of a URL.
fn address(name: &str) -> String {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(byte);
    name.bytes().map(|byte| if plain(&byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

/// Rounds to a hundredth of a pixel, which is precise enough.
fn place(value: f64) -> String {
    let text = format!("{value:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_string()
}

fn places(points: &[(f64, f64)]) -> String {
    points.iter().map(|&(x, y)| format!("{},{}", place(x), place(y))).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!(number(Some(-0.12345), 3), "\u{2212}0.123");
        assert_eq!([number(Some(-0.0001), 3), number(None, 3), number(Some(f64::NAN), 3)], ["0.000", "–", "–"]);
        assert_eq!(
            [signed(Some(0.5), 2), signed(Some(0.001), 2), signed(Some(-0.5), 2)],
            ["+0.50", "0.00", "\u{2212}0.50"]
        );
        assert_eq!([percent(0.0001), percent(0.0), percent(0.98765)], ["< 0.1 %", "0.0 %", "98.8 %"]);
        assert_eq!([place(1.0), place(-0.5), place(10.126)], ["1", "-0.5", "10.13"]);
        assert_eq!(address("a_1-2.png \"é"), "a_1-2.png%20%22%C3%A9");
        assert_eq!(printable("a\u{1}b\nc"), "a\u{fffd}b\u{fffd}c");
    }
}
