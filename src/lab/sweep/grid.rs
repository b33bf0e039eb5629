//! The grid: settings with lists of values, and its points, each with a name.

use std::io::ErrorKind;

use crate::bounded::read_text_at_most;
use crate::digest::sha256_hex;
use crate::method::Settings;
use crate::method::former_names::{current, to_current, to_former};
use crate::report::sweep::{SweepAxis, shown};
use crate::{Error, Result};
use serde_json::{Map, Value};

/// The built-in grids.
const NAMED: [(&str, &str); 1] = [("table3", include_str!("table3.json"))];
/// The longest grid file that is read.
const MAX_BYTES: u64 = 1 << 20;
/// The most points of a grid.
const MAX_POINTS: usize = 100_000;
/// The longest name of a point.
const MAX_NAME: usize = 120;
/// The setting that the others start from.
pub(crate) const PRESET: &str = "preset";

/// One point of a grid.
#[derive(Clone, Debug)]
pub(crate) struct Point {
    pub(crate) name: String,
    pub(crate) values: Map<String, Value>,
    pub(crate) settings: Settings,
}

/// Whether a built-in grid has this name.
pub(crate) fn is_named(name: &str) -> bool {
    NAMED.iter().any(|(known, _)| *known == name)
}

/// The axes of a built-in grid, or of a file: `{"tv_weight": [0.01, 0.05]}`.
pub(crate) fn read(name: &str) -> Result<Vec<SweepAxis>> {
    if let Some((_, text)) = NAMED.iter().find(|(known, _)| *known == name) {
        return parse(text, name);
    }
    let text = read_text_at_most(name, MAX_BYTES, "grid").map_err(|error| match error {
        Error::Io { source, .. } if source.kind() == ErrorKind::NotFound => {
            let known: Vec<&str> = NAMED.iter().map(|(known, _)| *known).collect();
            Error::input(format!("cannot read {name}: {source}; built-in grids: {}", known.join(", ")))
        }
        other => other,
    })?;
    parse(&text, name)
}

fn parse(text: &str, name: &str) -> Result<Vec<SweepAxis>> {
    let wrong = |what: String| Error::input(format!("{name}: {what}"));
    let value: Value = serde_json::from_str(text).map_err(|source| wrong(format!("not JSON: {source}")))?;
    let Value::Object(keys) = value else {
        return Err(wrong("not a JSON object of settings with lists, such as {\"tv_weight\": [0.01, 0.05]}".into()));
    };
    let axis = |(setting, values): (String, Value)| match values {
        Value::Array(values) if !values.is_empty() => Ok(SweepAxis { setting, values }),
        _ => Err(wrong(format!("setting `{setting}` has no list of values: write \"{setting}\": [..]"))),
    };
    to_current(keys).map_err(|error| wrong(error.to_string()))?.into_iter().map(axis).collect()
}

/// The axis in `SETTING=VALUES`. Commas separate the values, or semicolons if the values contain commas.
pub(crate) fn set(text: &str, base: &Settings) -> Result<SweepAxis> {
    let wrong = |what: &str| Error::input(format!("{text}: {what}")).field("set");
    let example = "write SETTING=VALUE,VALUE,.. such as tv_weight=0.01,0.05, or scale=0.7,1.3;1,1";
    let (key, values) = text.split_once('=').ok_or_else(|| wrong(example))?;
    let setting = current(&key.trim().trim_start_matches("--").replace('-', "_")).to_owned();
    let like = base.value(&setting).unwrap_or(Value::Null);
    let pieces: Vec<&str> = match (values.contains(';'), &like) {
        (true, _) => values.strip_suffix(';').unwrap_or(values).split(';').collect(),
        (false, Value::Array(_)) => vec![values],
        (false, _) => values.split(',').collect(),
    };
    if pieces.iter().any(|piece| piece.trim().is_empty()) {
        return Err(wrong(&format!("a value is empty: {example}")));
    }
    Ok(SweepAxis { setting, values: pieces.iter().map(|piece| typed(piece.trim(), &like)).collect() })
}

/// Text as a value of a settings file, of the same type as `like`. Text that does not fit stays text, and the setting refuses it later
/// with a reason.
fn typed(text: &str, like: &Value) -> Value {
    let number = || text.parse::<f64>().ok().filter(|x| x.is_finite()).map(Value::from);
    let plain = || serde_json::from_str(text).ok().or_else(number);
    match like {
        Value::String(_) => Value::from(text),
        Value::Array(items) => {
            let like = items.first().unwrap_or(&Value::Null);
            text.split(',').map(|piece| typed(piece.trim(), like)).collect()
        }
        _ => plain().unwrap_or_else(|| Value::from(text)),
    }
}

/// The axes of the file, with those of `set` in place of axes of the same setting, or after them. Values are normalised, so 180 and
/// 180.0 are the same.
///
/// # Errors
/// If there is no axis, a setting occurs twice, or a value is not valid or occurs twice.
pub(crate) fn axes(
    file: Vec<SweepAxis>,
    set: Vec<SweepAxis>,
    base: &dyn Fn(Option<&Value>) -> Result<Settings>,
) -> Result<Vec<SweepAxis>> {
    if let Some(at) = (1..set.len()).find(|&at| set[..at].iter().any(|axis| axis.setting == set[at].setting)) {
        let setting = &set[at].setting;
        return Err(
            Error::input(format!("has {setting} twice: give all its values in one, {setting}=A,B")).field("set")
        );
    }
    let mut axes = file;
    for axis in set {
        match axes.iter_mut().find(|known| known.setting == axis.setting) {
            Some(known) => *known = axis,
            None => axes.push(axis),
        }
    }
    if axes.is_empty() {
        return Err(Error::input("there is no grid")
            .advised(": give one with {set} SETTING=VALUE,VALUE,.. or {grid} table3|FILE"));
    }
    let plain = base(None)?;
    for axis in &mut axes {
        for value in &mut axis.values {
            let one = Map::from_iter([(axis.setting.clone(), value.clone())]);
            *value = plain.overlay(&one)?.value(&axis.setting).unwrap_or(Value::Null);
        }
        for (at, value) in axis.values.iter().enumerate() {
            if axis.values[..at].contains(value) {
                return Err(Error::input(format!("the grid has {}={} twice", axis.setting, shown(value))));
            }
        }
    }
    Ok(axes)
}

/// Every combination of values. The last axis varies fastest.
pub(crate) fn combinations(axes: &[SweepAxis]) -> Result<Vec<Map<String, Value>>> {
    let count = axes.iter().try_fold(1usize, |count, axis| count.checked_mul(axis.values.len()));
    let Some(count) = count.filter(|&count| count <= MAX_POINTS) else {
        return Err(Error::input(format!("the grid has more than {MAX_POINTS} points")));
    };
    let combination = |index: usize| {
        let mut rest = index;
        let mut values: Vec<(String, Value)> = Vec::new();
        for axis in axes.iter().rev() {
            values.push((axis.setting.clone(), axis.values[rest % axis.values.len()].clone()));
            rest /= axis.values.len();
        }
        Map::from_iter(values.into_iter().rev())
    };
    Ok((0..count).map(combination).collect())
}

/// Every point. Does not validate the settings.
pub(crate) fn points(axes: &[SweepAxis], base: &dyn Fn(Option<&Value>) -> Result<Settings>) -> Result<Vec<Point>> {
    let point = |values: Map<String, Value>| {
        let settings = base(values.get(PRESET))?.overlay(&values)?;
        Ok(Point { name: name(&values), values, settings })
    };
    combinations(axes)?.into_iter().map(point).collect()
}

/// The name of a point, such as `tv_weight=0.05,scale=0.7..1.3`. If it would be no good file name, it is changed and ends in a digest.
pub(crate) fn name(values: &Map<String, Value>) -> String {
    let parts: Vec<String> = values.iter().map(|(key, value)| format!("{key}={}", shown(value))).collect();
    let whole = parts.join(",");
    let fit = |c: char| if c.is_ascii_alphanumeric() || "._+-=,".contains(c) { c } else { '_' };
    let mut slug: String = whole.chars().map(fit).collect();
    if slug != whole || slug.len() > MAX_NAME {
        slug.truncate(MAX_NAME - 9);
        slug = format!("{slug}-{}", &sha256_hex(&whole)[..8]);
    }
    slug
}

/// The name of the same point in sweeps of early versions.
pub(crate) fn former_name(values: &Map<String, Value>) -> String {
    name(&to_former(values.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn axis(text: &str) -> SweepAxis {
        set(text, &Settings::default()).unwrap()
    }

    fn base(_: Option<&Value>) -> Result<Settings> {
        Ok(Settings::default())
    }

    #[test]
    fn values_are_of_the_settings_kind() {
        for (text, expected) in [
            ("tv-weight=0.01, .05,1e-3", "[0.01,0.05,0.001]"),
            ("steps=64,128", "[64,128]"),
            ("clamp=true,false", "[true,false]"),
            ("fill=mean,black", r#"["mean","black"]"#),
            ("fill=mean;0.5,0.5,0.5", r#"["mean","0.5,0.5,0.5"]"#),
            ("fill=0.5,0.5,0.5;", r#"["0.5,0.5,0.5"]"#),
            ("scale=0.7,1.3", "[[0.7,1.3]]"),
            ("scale=0.7,1.3;1,1", "[[0.7,1.3],[1,1]]"),
            ("init=uniform,1.png", r#"["uniform","1.png"]"#),
        ] {
            assert_eq!(Value::from(axis(text).values).to_string(), expected, "{text}");
        }
        assert_eq!(axis("--tv-weight=1").setting, "tv_weight");
        assert_eq!(
            (axis("hf-weight=1").setting, axis("hf_weight=1").setting),
            ("tv_weight".into(), "tv_weight".into())
        );
    }

    #[test]
    fn points_have_names_that_tell_and_are_files_names() {
        let sets = vec![axis("rotation=180,30"), axis("fill=mean;0.5,0.5,0.5;")];
        let file = parse(r#"{"scale": [[1, 1], [0.7, 1.3]], "rotation": [1, 2, 3]}"#, "grid").unwrap();
        let axes = axes(file, sets, &base).unwrap();
        let points = points(&axes, &base).unwrap();
        let names: Vec<&str> = points.iter().map(|point| point.name.as_str()).collect();
        assert_eq!(names.len(), 8);
        assert_eq!(names[0], "scale=1..1,rotation=180,fill=mean");
        assert!(names[7].starts_with("scale=0.7..1.3,rotation=30,fill=0.5,0.5,0.5"), "{names:?}");
        assert_eq!((points[7].settings.rotation, points[7].settings.scale), (30.0, [0.7, 1.3]));
        // Characters with a meaning in paths are replaced, and the digest keeps names distinct.
        let one = |path: &str| name(&Map::from_iter([("init".to_owned(), Value::from(path))]));
        let odd = one("../a b/c.png");
        assert!(odd.starts_with("init=.._a_b_c.png-") && odd != one("../a_b/c.png"), "{odd}");
        let long = one(&"x".repeat(1000));
        assert!(long.len() <= MAX_NAME && long != one(&"x".repeat(1001)), "{long}");
    }

    #[test]
    fn former_names_of_settings_make_the_same_points() {
        let text = r#"{"hf_weight": [0.5], "preset": ["letter"]}"#;
        let points = points(&axes(parse(text, "grid").unwrap(), Vec::new(), &base).unwrap(), &base).unwrap();
        assert_eq!(points[0].name, "tv_weight=0.5,preset=paper-strict");
        assert_eq!(former_name(&points[0].values), "hf_weight=0.5,preset=letter");
        let error = parse(r#"{"hf_weight": [1], "tv_weight": [2]}"#, "grid").unwrap_err().to_string();
        assert_eq!(error, "grid: `hf_weight` is the former name of `tv_weight`: give one of them");
    }

    #[test]
    fn the_papers_grid_is_whole() {
        let axes = axes(read("table3").unwrap(), Vec::new(), &base).unwrap();
        let points = points(&axes, &base).unwrap();
        assert_eq!(points.len(), 125);
        assert!(points.iter().all(|point| point.settings.validate().is_ok()));
        assert!(points.iter().any(|point| point.name == "scale=0.7..1.3,rotation=180,translate=0.5"));
        let many = SweepAxis { setting: "steps".into(), values: (1..1000).map(Value::from).collect() };
        assert!(combinations(&[many.clone(), many]).is_err());
    }
}
