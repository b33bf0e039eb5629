//! Named settings, each a file to read: those beside this one, and those of the user.

use std::fmt;
use std::path::Path;

use serde_json::{Map, Value};

use super::choices::Preset;
use super::settings::Settings;
use crate::bounded::read_text_at_most;
use crate::{Error, Result};

/// A longer file is no preset.
const MAX_BYTES: u64 = 1 << 20;

impl Preset {
    /// Those that are built in.
    pub const BUILTIN: [Self; 3] = [Self::Paper, Self::PaperStrict, Self::Lucent];

    /// What it is, in a line.
    pub fn summary(&self) -> &'static str {
        match self {
            Self::Paper => "Prototype Generation: pixels, a random affine warp in half of the steps, total variation",
            Self::PaperStrict => {
                "the paper to the letter: a warp in every step, constant learning rate and penalty, the logit alone"
            }
            Self::Lucent => {
                "Lucent's defaults: a Fourier spectrum with decorrelated colours, five transforms, no penalty"
            }
            Self::File(_) => "settings of a file",
        }
    }

    /// The file's text.
    ///
    /// # Errors
    /// If it is a file that cannot be read, or longer than settings are.
    pub fn text(&self) -> Result<String> {
        match self {
            Self::Paper => Ok(include_str!("presets/paper.json").to_owned()),
            Self::PaperStrict => Ok(include_str!("presets/paper-strict.json").to_owned()),
            Self::Lucent => Ok(include_str!("presets/lucent.json").to_owned()),
            Self::File(path) => read_text_at_most(path, MAX_BYTES, "settings file"),
        }
    }

    /// The settings.
    ///
    /// # Errors
    /// If a file cannot be read, is no JSON object of settings, or names another file to start from.
    pub fn settings(&self) -> Result<Settings> {
        let text = self.text()?;
        let Self::File(path) = self else {
            return serde_json::from_str(&text).map_err(|e| Error::input(format!("preset {self}: {e}")));
        };
        let (base, keys) = parse(path, &text)?;
        let wrong = |why| Error::input(format!("{}: {why}", path.display()));
        let settings = base.settings()?.overlay(&keys).map_err(wrong)?;
        Ok(Settings { preset: self.clone(), ..settings })
    }

    /// Itself, or of a file the one that it starts from.
    ///
    /// # Errors
    /// As [`Preset::settings`].
    pub fn base(&self) -> Result<Self> {
        match self {
            Self::File(path) => Ok(parse(path, &self.text()?)?.0),
            builtin => Ok(builtin.clone()),
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Preset::Paper.settings().expect("a test reads every preset that is built in")
    }
}

/// What a file starts from, and what it changes.
fn parse(path: &Path, text: &str) -> Result<(Preset, Map<String, Value>)> {
    let wrong = |why: &dyn fmt::Display| Error::input(format!("{}: {why}", path.display()));
    let keys: Map<String, Value> =
        serde_json::from_str(text).map_err(|e| wrong(&format_args!("not a JSON object of settings: {e}")))?;
    let base = match keys.get("preset").map(|name| (name, name.as_str().map(str::parse))) {
        None => Preset::Paper,
        Some((_, Some(Ok(base)))) if Preset::BUILTIN.contains(&base) => base,
        Some((name, _)) => {
            let builtin = Preset::BUILTIN.map(|preset| preset.to_string()).join(" or ");
            return Err(wrong(&format_args!("its `preset` is {name}, but a file starts from {builtin}")));
        }
    };
    Ok((base, keys))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn builtin_presets_are_complete_and_valid() {
        let Value::Object(keys) = serde_json::to_value(Settings::default()).unwrap() else { panic!() };
        for preset in Preset::BUILTIN {
            let settings = preset.settings().unwrap();
            settings.validate().unwrap();
            assert_eq!(settings.preset, preset);
            // Every setting stands there, in the order of the struct, so that the file is the whole truth.
            let text = preset.text().unwrap();
            let places: Vec<_> = keys.keys().map(|key| text.find(&format!("\n  \"{key}\": "))).collect();
            assert!(places.iter().all(Option::is_some), "{preset}: {places:?} of {keys:?}");
            let found: Map<String, Value> = serde_json::from_str(&text).unwrap();
            assert_eq!(found.len(), keys.len());
            assert_eq!(preset.to_string().parse::<Preset>().unwrap(), preset);
        }
    }

    #[test]
    fn a_file_starts_from_what_it_names() {
        let folder = tempfile::tempdir().unwrap();
        let file = |text: &str| {
            let path = folder.path().join("mine.json");
            std::fs::write(&path, text).unwrap();
            path.to_str().unwrap().parse::<Preset>().unwrap()
        };
        let mine = file(r#"{"preset": "lucent", "lr": 0.1}"#);
        let settings = mine.settings().unwrap();
        assert_eq!(settings, Settings { preset: mine, lr: 0.1, ..Preset::Lucent.settings().unwrap() });
        assert_eq!(file("{}").settings().unwrap().steps, 512);
        // What `paper` changed of the paper's letter, as docs/defaults.md has it.
        let strict = Settings {
            lr_decay_fraction: 0.0,
            logsumexp_weight: 0.0,
            tv_weight: 0.05,
            tv_start: 1.0,
            fill: "mean".parse().unwrap(),
            warp_probability: 1.0,
            preset: Preset::PaperStrict,
            ..Settings::default()
        };
        assert_eq!(Preset::PaperStrict.settings().unwrap(), strict);
        for (text, expected) in [
            ("[]", "not a JSON object of settings: invalid type"),
            (
                r#"{"preset": "mine.json"}"#,
                "its `preset` is \"mine.json\", but a file starts from paper or paper-strict or lucent",
            ),
            (r#"{"preset": 3}"#, "its `preset` is 3, but"),
            (r#"{"learning_rate": 3}"#, "unknown setting `learning_rate`"),
        ] {
            let error = file(text).settings().unwrap_err();
            assert!(error.is_input() && error.to_string().contains(&format!("mine.json: {expected}")), "{error}");
        }
        assert!("none.json".parse::<Preset>().unwrap().settings().unwrap_err().to_string().contains("none.json"));
        assert!("poster".parse::<Preset>().is_err());
    }
}
