//! Named settings, each a JSON file: those beside this file are built in, the others are the user's.

use std::fmt;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::choices::Preset;
use super::settings::Settings;
use crate::{Error, Result};

impl Preset {
    /// Those that are built in.
    pub const BUILTIN: [Self; 6] =
        [Self::Paper, Self::PaperStrict, Self::Natural, Self::DeepInversion, Self::Maco, Self::Lucent];

    /// One line that describes it.
    pub fn summary(&self) -> &'static str {
        match self {
            Self::Paper => "Prototype Generation: pixels, a random affine warp in half of the steps, total variation",
            Self::PaperStrict => {
                "the paper to the letter: a warp in every step, constant learning rate and penalty, the logit alone"
            }
            Self::Natural => {
                "activations close to those of photographs, by the statistics of batch norms; large shapes first"
            }
            Self::DeepInversion => {
                "DeepInversion's loss for each image: cross-entropy, the statistics of batch norms, shifts and flips"
            }
            Self::Maco => "MACO: only the phases of a spectrum change, with crops and noise in eight views a step",
            Self::Lucent => {
                "Lucent's defaults: a Fourier spectrum with decorrelated colours, five transforms, no penalty"
            }
            Self::File(_) => "settings of a file",
        }
    }

    /// The JSON text of a built-in preset; none of a file, which the library does not read.
    pub fn text(&self) -> Option<&'static str> {
        match self {
            Self::Paper => Some(include_str!("presets/paper.json")),
            Self::PaperStrict => Some(include_str!("presets/paper-strict.json")),
            Self::Natural => Some(include_str!("presets/natural.json")),
            Self::DeepInversion => Some(include_str!("presets/deepinversion.json")),
            Self::Maco => Some(include_str!("presets/maco.json")),
            Self::Lucent => Some(include_str!("presets/lucent.json")),
            Self::File(_) => None,
        }
    }

    /// The settings of a built-in preset; none of a file.
    pub fn settings(&self) -> Option<Settings> {
        let settings = |text| serde_json::from_str(text).expect("a test reads every preset that is built in");
        self.text().map(settings)
    }
}

impl Default for Settings {
    fn default() -> Self {
        Preset::Paper.settings().expect("it is built in")
    }
}

/// A file of settings: the built-in preset that it starts from, and the settings that it changes.
pub(crate) struct SettingsFile {
    path: PathBuf,
    base: Preset,
    keys: Map<String, Value>,
}

impl SettingsFile {
    /// Parses the text of a file; `path` is for errors and for [`Settings::preset`].
    ///
    /// # Errors
    /// If the text is not a JSON object of settings, or names another file to start from.
    pub(crate) fn parse(path: &Path, text: &str) -> Result<Self> {
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
        Ok(Self { path: path.to_owned(), base, keys })
    }

    /// The built-in preset that the file starts from.
    pub(crate) fn base(&self) -> &Preset {
        &self.base
    }

    /// The settings of the preset, with those of the file in place of its own. They are not validated.
    ///
    /// # Errors
    /// If a key is unknown, or a value does not suit its key.
    pub(crate) fn settings(&self) -> Result<Settings> {
        let base = self.base.settings().expect("a file starts from a built-in preset");
        let wrong = |why| Error::input(format!("{}: {why}", self.path.display()));
        Ok(Settings { preset: Preset::File(self.path.clone()), ..base.overlay(&self.keys).map_err(wrong)? })
    }
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
            // Beside them, only options of regularisers that differ from the default.
            let found: Map<String, Value> = serde_json::from_str(text).unwrap();
            assert_eq!(found.len(), settings.to_map().len());
            assert_eq!(preset.to_string().parse::<Preset>().unwrap(), preset);
        }
    }

    #[test]
    fn a_file_starts_from_what_it_names() {
        let file = |text: &str| SettingsFile::parse(Path::new("mine.json"), text)?.settings();
        let settings = file(r#"{"preset": "lucent", "lr": 0.1}"#).unwrap();
        let mine = Preset::File("mine.json".into());
        assert_eq!(settings, Settings { preset: mine, lr: 0.1, ..Preset::Lucent.settings().unwrap() });
        assert_eq!(file("{}").unwrap().steps, 512);
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
        let mut natural = Settings {
            preset: Preset::Natural,
            logsumexp_weight: 0.5,
            tv_weight: 0.006,
            transforms: "unwarped roll 16,unwarped flip,affine".parse().unwrap(),
            coarse_fraction: 0.5,
            warp_probability: 0.3,
            ..Settings::default()
        };
        natural.regularizers.set_json("natural_weight", &1.0.into()).unwrap();
        assert_eq!(Preset::Natural.settings().unwrap(), natural);
        for (text, expected) in [
            ("[]", "not a JSON object of settings: invalid type"),
            (
                r#"{"preset": "mine.json"}"#,
                "its `preset` is \"mine.json\", but a file starts from paper or paper-strict or natural or deepinversion or maco or lucent",
            ),
            (r#"{"preset": 3}"#, "its `preset` is 3, but"),
            (r#"{"learning_rate": 3}"#, "unknown setting `learning_rate`"),
        ] {
            let error = file(text).unwrap_err();
            assert!(error.is_input() && error.to_string().starts_with(&format!("mine.json: {expected}")), "{error}");
        }
        assert_eq!("none.json".parse::<Preset>().unwrap().settings(), None);
        assert!("poster".parse::<Preset>().is_err());
    }
}
