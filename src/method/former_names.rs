//! The names that settings and presets had in early versions. Older files and command lines still use them; new files do not.

use serde_json::{Map, Value};

use crate::{Error, Result};

/// Each renamed setting: its name, and its former name. The fields of `Settings` and the options of the command line have the
/// former names as aliases.
pub(crate) const SETTINGS: [(&str, &str); 7] = [
    ("lr_decay_fraction", "anneal"),
    ("logsumexp_weight", "rivals"),
    ("tv_form", "hf_form"),
    ("tv_weight", "hf_weight"),
    ("tv_start", "hf_start"),
    ("baseline_form", "pv_form"),
    ("baseline_weight", "pv_weight"),
];

/// The renamed preset: its name, and its former name.
pub(super) const PRESET: (&str, &str) = ("paper-strict", "letter");

/// A setting's name, given its name or its former name.
pub(crate) fn current(name: &str) -> &str {
    SETTINGS.iter().find(|(_, former)| *former == name).map_or(name, |(current, _)| current)
}

/// A setting's former name; its name if it was never renamed.
fn former(name: &str) -> &str {
    SETTINGS.iter().find(|(current, _)| *current == name).map_or(name, |(_, former)| former)
}

/// The value of a setting, with a preset's name in place of its former name.
pub(crate) fn current_value(setting: &str, value: Value) -> Value {
    if setting == "preset" && value == PRESET.1 { PRESET.0.into() } else { value }
}

/// Settings with names in place of former names.
///
/// # Errors
/// If a setting occurs under both.
pub(crate) fn to_current(settings: Map<String, Value>) -> Result<Map<String, Value>> {
    let mut renamed = Map::new();
    for (key, value) in settings {
        let name = current(&key);
        if renamed.insert(name.to_owned(), current_value(name, value)).is_some() {
            let former = former(name);
            return Err(Error::input(format!("`{former}` is the former name of `{name}`: give one of them")));
        }
    }
    Ok(renamed)
}

/// Settings with former names in place of names, in the same order.
pub(crate) fn to_former(settings: Map<String, Value>) -> Map<String, Value> {
    let value = |name: &str, value| if name == "preset" && value == PRESET.0 { PRESET.1.into() } else { value };
    settings.into_iter().map(|(name, old)| (former(&name).to_owned(), value(&name, old))).collect()
}
