//! `run.json`: the settings, the circumstances and the results of a prototype. It is also a configuration that repeats the run.
//!
//! Two identical runs write the same bytes, except for `timings`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::bounded::read_text_at_most;
use crate::method::{History, Preset, Settings};
use crate::networks::{Architecture, Preprocessing};
use crate::ops::ConvAlgorithm;
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::lab::statistics::StatisticsRecord;
use crate::lab::top::Top;

/// The layout's name and version.
pub(crate) const FORMAT: &str = "protogpu run 1";

/// The longest configuration or record that is read; that of the longest run is shorter.
pub(crate) const MAX_RECORD_BYTES: u64 = 256 << 20;

/// A class in a record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ClassRecord {
    pub(crate) index: usize,
    pub(crate) name: String,
}

/// The weights of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct WeightsRecord {
    /// The name of an embedded or published network; `None` for a file.
    pub(crate) model: Option<String>,
    /// The file as given, or `imagenet` for published weights; `None` for an embedded network.
    pub(crate) path: Option<PathBuf>,
    pub(crate) sha256: String,
    pub(crate) architecture: Architecture,
    /// The input that the network got; older records lack it.
    #[serde(default)]
    pub(crate) input: Option<Preprocessing>,
    /// The key that chose the network among others in the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) key: Option<String>,
    /// Height and width of the network's images, if an option gave them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) image_size: Option<[usize; 2]>,
    /// The label file, if one was given.
    #[serde(default)]
    pub(crate) labels: Option<PathBuf>,
    /// What was left out of the file, translated or assumed, a sentence each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) notes: Vec<String>,
}

/// The adapter of a run, as the driver describes it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct AdapterRecord {
    pub(crate) description: String,
    pub(crate) name: String,
    pub(crate) device_type: String,
    pub(crate) backend: String,
    pub(crate) driver: String,
    pub(crate) driver_info: String,
}

/// The one part that differs between two identical runs.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Timings {
    /// From the launch to the beginning of the first step.
    pub(crate) startup_ms: f64,
    /// The median step of the whole batch in this process.
    pub(crate) step_ms: f64,
    /// All steps of this process, including the files written in between.
    pub(crate) total_ms: f64,
    /// Steps that this process made; fewer than all in a resumed run.
    pub(crate) steps: u32,
    /// The size of the batch.
    pub(crate) batch: usize,
}

/// The record of a finished run.
#[derive(Serialize)]
pub(crate) struct RunRecord<'a> {
    /// `None` for an objective other than a class.
    pub(crate) class: Option<ClassRecord>,
    pub(crate) settings: &'a Settings,
    pub(crate) init_sha256: Option<&'a str>,
    /// The file of natural statistics, if one was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) natural_statistics: Option<&'a StatisticsRecord>,
    pub(crate) weights: &'a WeightsRecord,
    pub(crate) adapter: &'a AdapterRecord,
    /// The algorithm of each direction of each convolution.
    pub(crate) kernels: &'a BTreeMap<String, ConvAlgorithm>,
    #[serde(flatten)]
    pub(crate) history: &'a History,
    pub(crate) top: Vec<Top>,
    /// Why the image may not be what was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) warning: Option<&'a str>,
    pub(crate) timings: Timings,
}

impl RunRecord<'_> {
    /// The file's text.
    pub(crate) fn to_json(&self) -> String {
        let layout = Layout {
            format: FORMAT,
            version: env!("CARGO_PKG_VERSION"),
            seed: self.settings.seed,
            settings_digest: self.settings.digest(),
            steps: self.history.len(),
            record: self,
        };
        serde_json::to_string_pretty(&layout).expect("a record is plain data") + "\n"
    }
}

/// The fields before the record itself.
#[derive(Serialize)]
struct Layout<'a> {
    format: &'a str,
    version: &'a str,
    seed: u64,
    settings_digest: String,
    steps: usize,
    #[serde(flatten)]
    record: &'a RunRecord<'a>,
}

/// The content of `--config FILE`: settings only, or a record.
#[derive(Debug)]
pub(crate) struct Config {
    path: PathBuf,
    /// The settings that the file has.
    pub(crate) settings: Map<String, Value>,
    /// The rest of a record.
    pub(crate) recorded: Option<Recorded>,
}

/// The fields of a `run.json` besides its settings.
#[derive(Debug, Deserialize)]
pub(crate) struct Recorded {
    /// `None` for an objective other than a class.
    #[serde(deserialize_with = "Option::deserialize")]
    pub(crate) class: Option<ClassRecord>,
    settings: Map<String, Value>,
    pub(crate) init_sha256: Option<String>,
    #[serde(default)]
    pub(crate) natural_statistics: Option<StatisticsRecord>,
    pub(crate) weights: WeightsRecord,
    pub(crate) adapter: RecordedAdapter,
    #[serde(default)]
    pub(crate) kernels: BTreeMap<String, ConvAlgorithm>,
}

/// The relevant part of the recorded adapter.
#[derive(Debug, Deserialize)]
pub(crate) struct RecordedAdapter {
    pub(crate) description: String,
}

impl Config {
    /// Reads a settings file or a `run.json`.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let text = read_text_at_most(path, MAX_RECORD_BYTES, "settings file or record")?;
        Self::parse(path, &text)
    }

    fn parse(path: &Path, text: &str) -> Result<Self> {
        let wrong = |why: String| Error::input(format!("{}: {why}", path.display()));
        let value: Value = serde_json::from_str(text).map_err(|source| wrong(format!("not JSON: {source}")))?;
        let Value::Object(object) = value else {
            return Err(wrong("not a JSON object of settings".into()));
        };
        let path = path.to_path_buf();
        match object.get("format").cloned() {
            None => Ok(Self { path, settings: object, recorded: None }),
            Some(format) if format == FORMAT => {
                let mut recorded: Recorded = serde_json::from_value(Value::Object(object))
                    .map_err(|source| wrong(format!("not a complete run.json: {source}")))?;
                recorded
                    .weights
                    .input
                    .as_ref()
                    .map_or(Ok(()), Preprocessing::check)
                    .map_err(|e| wrong(e.to_string()))?;
                let settings = std::mem::take(&mut recorded.settings);
                Ok(Self { path, settings, recorded: Some(recorded) })
            }
            Some(format) => Err(wrong(format!("its format is {format}, but this program reads \"{FORMAT}\""))),
        }
    }

    /// The preset that the file names, if it does.
    pub(crate) fn preset(&self) -> Result<Option<Preset>> {
        let Some(name) = self.settings.get("preset") else { return Ok(None) };
        let text = name.as_str().ok_or_else(|| self.wrong(Error::input("setting `preset` is not a name")))?;
        let preset = text.parse().map_err(|error| self.wrong(error))?;
        // A record has all settings, and the preset's file may be gone.
        let superseded = self.recorded.is_some() && matches!(preset, Preset::File(_));
        Ok(Some(if superseded { Preset::Paper } else { preset }))
    }

    /// The file.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// `base`, with the file's settings in place of its own.
    pub(crate) fn apply(&self, base: &Settings) -> Result<Settings> {
        base.overlay(&self.settings).map_err(|error| self.wrong(error))
    }

    /// Checks that the weights are those of the record, if there is one.
    pub(crate) fn check_weights(&self, sha256: &str, source: &str) -> Result<()> {
        match &self.recorded {
            Some(recorded) if recorded.weights.sha256 != sha256 => {
                let there = &recorded.weights.sha256;
                let other = format!("it was made with weights of sha256 {there}, but {source} has {sha256}");
                Err(self.wrong(Error::input(other)).advised(
                    "; pass the recorded weights with {weights}, or use a file with only the `settings` of this one",
                ))
            }
            _ => Ok(()),
        }
    }

    /// Checks that the initial image is that of the record, if there is one.
    pub(crate) fn check_init(&self, sha256: &str, source: &Path) -> Result<()> {
        match self.recorded.as_ref().and_then(|recorded| recorded.init_sha256.as_deref()) {
            Some(wanted) if wanted != sha256 => {
                let source = source.display();
                Err(self.wrong(Error::input(format!(
                    "it started from another image, of sha256 {wanted}: {source} has changed"
                ))))
            }
            _ => Ok(()),
        }
    }

    /// Checks that the natural statistics are those of the record, if it names any.
    pub(crate) fn check_statistics(&self, given: &StatisticsRecord) -> Result<()> {
        let recorded = self.recorded.as_ref().and_then(|recorded| recorded.natural_statistics.as_ref());
        match recorded.filter(|recorded| recorded.sha256 != given.sha256) {
            Some(StatisticsRecord { path, sha256 }) => {
                let (path, given, now) = (path.display(), given.path.display(), &given.sha256);
                let what = format!("it used natural statistics of sha256 {sha256} ({path}), but {given} has {now}");
                Err(self.wrong(Error::input(what)).advised(
                    "; pass the recorded file with {natural_statistics}, or use a file with only the `settings` of this one",
                ))
            }
            None => Ok(()),
        }
    }

    fn wrong(&self, error: Error) -> Error {
        error.within(format!("{}: ", self.path.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weights() -> WeightsRecord {
        WeightsRecord {
            model: None,
            path: Some("w.safetensors".into()),
            sha256: "ab".into(),
            architecture: Architecture::ResNet18,
            input: Some(Preprocessing::imagenet()),
            key: None,
            image_size: None,
            labels: None,
            notes: Vec::new(),
        }
    }

    fn record() -> String {
        let adapter = AdapterRecord {
            description: "soft (Cpu)".into(),
            name: "soft".into(),
            device_type: "Cpu".into(),
            backend: "vulkan".into(),
            driver: "d".into(),
            driver_info: "1".into(),
        };
        let column = || vec![0.1_f32, 1e-10, -16_777_216.0];
        let history =
            History::from_columns(["loss", "loss_hf", "logit", "probability"].map(|name| (name, column())).into());
        RunRecord {
            class: Some(ClassRecord { index: 1, name: "goldfish".into() }),
            settings: &Settings { lr: 0.1, seed: u64::MAX, init: "a.png".parse().unwrap(), ..Settings::default() },
            init_sha256: Some("cd"),
            natural_statistics: Some(&StatisticsRecord { path: "s.safetensors".into(), sha256: "ef".into() }),
            weights: &weights(),
            adapter: &adapter,
            kernels: &[("3x3".to_owned(), ConvAlgorithm::Workgroup { slices: 1 })].into(),
            history: &history,
            top: vec![],
            warning: None,
            timings: Timings::default(),
        }
        .to_json()
    }

    #[test]
    fn a_record_is_a_configuration() {
        let text = record();
        assert!(text.contains("0.1,\n    1e-10,\n    -16777216.0\n"), "{text}");
        let config = Config::parse(Path::new("run.json"), &text).unwrap();
        let settings = config.apply(&Settings::default()).unwrap();
        assert_eq!((settings.lr, settings.seed), (0.1, u64::MAX));
        let recorded = config.recorded.as_ref().unwrap();
        assert_eq!(recorded.class.as_ref().unwrap().index, 1);
        assert_eq!(recorded.kernels["3x3"], ConvAlgorithm::Workgroup { slices: 1 });
        assert_eq!(recorded.weights, weights());
        config.check_weights("ab", "w").unwrap();
        config.check_init("cd", Path::new("a.png")).unwrap();
        let statistics = StatisticsRecord { path: "t.safetensors".into(), sha256: "ef".into() };
        config.check_statistics(&statistics).unwrap();
        let error = config.check_statistics(&StatisticsRecord { sha256: "gh".into(), ..statistics }).unwrap_err();
        let expected =
            "run.json: it used natural statistics of sha256 ef (s.safetensors), but t.safetensors has gh; pass the";
        assert!(error.to_string().starts_with(expected), "{error}");
        // One of before settings were renamed.
        let former = text.replace("logsumexp_weight", "rivals").replace("tv_weight", "hf_weight");
        let former = Config::parse(Path::new("run.json"), &former).unwrap().apply(&Settings::default()).unwrap();
        assert_eq!(former, settings);
        // One of before inputs were recorded.
        let start = text.find("    \"input\": {").unwrap();
        let end = start + text[start..].find("    },\n").unwrap() + "    },\n".len();
        let older = Config::parse(Path::new("run.json"), &(text[..start].to_owned() + &text[end..])).unwrap();
        assert_eq!(older.recorded.unwrap().weights, WeightsRecord { input: None, ..weights() });
        let odd = text.replace("\"range\": 1.0", "\"range\": -1.0");
        let error = Config::parse(Path::new("run.json"), &odd).unwrap_err().to_string();
        assert!(
            error.starts_with("run.json: the input's range and standard deviations must be positive numbers, not -1"),
            "{error}"
        );
        let error = config.check_weights("xx", "w").unwrap_err().to_string();
        assert!(error.starts_with("run.json: it was made with weights of sha256 ab, but w has xx;"), "{error}");
        assert!(config.check_init("xx", Path::new("a.png")).is_err());
    }

    #[test]
    fn what_is_no_configuration_is_named() {
        for (text, expected) in [
            ("", "c.json: not JSON: EOF"),
            ("[1]", "c.json: not a JSON object"),
            (r#"{"format": "protogpu run 2"}"#, "c.json: its format is \"protogpu run 2\", but"),
            (r#"{"format": "protogpu run 1"}"#, "c.json: not a complete run.json: missing field `class`"),
            (r#"{"lr": "fast"}"#, "c.json: setting `lr` is \"fast\": invalid type"),
            (r#"{"preset": "poster"}"#, "c.json: `poster` is not paper"),
        ] {
            let made = Config::parse(Path::new("c.json"), text);
            let made = made.and_then(|config| config.preset().and(config.apply(&Settings::default())));
            let error = made.unwrap_err();
            assert!(error.is_input() && error.to_string().starts_with(expected), "{text}: {error}");
        }
    }
}
