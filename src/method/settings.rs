//! All settings of the method in one plain struct.
//!
//! The fields have the names of the command line's options, with underscores, and of the keys in a settings file. Numbers are `f64`, so
//! `run.json` has them as they were typed; each is rounded to `f32` once, when it is used.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::choices::{BaselineForm, Fill, Init, Interpolation, Parameterization, Preset, TvForm};
use super::former_names::{current, to_current, to_former};
use super::losses::{self, OptionValue, Regularizers};
use super::objective::Objective;
use super::transform::SCALE_LIMITS;
use super::transforms::Transforms;
use crate::digest::sha256_hex;
use crate::error::SettingsError;
use crate::networks::Network;
use crate::ops::MAX_FFT_SIDE;
use crate::shape::ImageSpec;
use crate::{Error, Result};

/// The most steps of a run. This limits the memory for its losses.
pub const MAX_STEPS: u32 = 1_000_000;

/// The most views of a step. This limits the commands of a step.
const MAX_VIEWS: u32 = 64;

/// The settings of a prototype. The default is [`Preset::Paper`], which suits every network; presets/paper.json has its values. For classes
/// of a network that learned from photographs and has batch norms, `protogpu run` takes [`Preset::Natural`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// The preset that the other values started from.
    pub preset: Preset,
    /// Steps of the prototype stage.
    pub steps: u32,
    /// Adam's learning rate, in the unit of pixels in `[0,1]` or of the spectrum.
    pub lr: f64,
    /// The last part of the prototype stage, as a fraction, over which the learning rate falls linearly towards 0. With 0 it is
    /// constant, as in the paper.
    #[serde(default, alias = "anneal")]
    pub lr_decay_fraction: f64,
    /// Adam's decay rate of the first moment.
    pub beta1: f64,
    /// Adam's decay rate of the second moment.
    pub beta2: f64,
    /// Adam's epsilon, which is added to the root of the second moment.
    pub eps: f64,
    /// Adam's decoupled weight decay. It pulls pixels towards the network's mean colour, and a spectrum towards 0.
    #[serde(default)]
    pub weight_decay: f64,
    /// The objective to maximise. Files without it mean the class.
    #[serde(default)]
    pub objective: Objective,
    /// What Adam changes: pixels or a spectrum.
    #[serde(default = "pixels")]
    pub parameterization: Parameterization,
    /// The longer side of the image in pixels, see [`Settings::image`]. The network gets the image resized.
    #[serde(default = "network_side")]
    pub image_side: u32,
    /// The transforms of the image in each step, before it reaches the network.
    #[serde(default)]
    pub transforms: Transforms,
    /// The number of times that each step transforms an image and shows it to the network, each time with draws of its own. The loss and its
    /// gradient are means over these views. Files leave it out if it is 1.
    #[serde(default = "one_view", skip_serializing_if = "is_one_view")]
    pub views: u32,
    /// The first part of the prototype stage, as a fraction, in which the network sees the image at half its height and width. Files leave
    /// it out if it is 0.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub coarse_fraction: f64,
    /// The largest rotation by the warp in either direction, in degrees.
    pub rotation: f64,
    /// The largest shift by the warp in either direction, as a fraction of the width and of the height.
    pub translate: f64,
    /// The smallest and the largest scale of the warp.
    pub scale: [f64; 2],
    /// The probability that a step warps the image.
    #[serde(default = "one")]
    pub warp_probability: f64,
    /// How the warp samples the image.
    pub interpolation: Interpolation,
    /// What the warp shows outside the image.
    pub fill: Fill,
    /// The weight w in the class's loss `−logit + w · log Σ exp(logits)`. 0 maximises the logit, as in the paper, and 1 the
    /// log-probability. It has no effect on other objectives.
    #[serde(default, alias = "rivals")]
    pub logsumexp_weight: f64,
    /// The form of the total variation, a penalty on differences between adjacent pixels.
    #[serde(alias = "hf_form")]
    pub tv_form: TvForm,
    /// The weight of the total variation in the last step.
    #[serde(alias = "hf_weight")]
    pub tv_weight: f64,
    /// The fraction of that weight in the first step, from which the weight rises linearly. With 1 it is constant.
    #[serde(default = "one", alias = "hf_start")]
    pub tv_start: f64,
    /// The form of the baseline stage's loss.
    #[serde(alias = "pv_form")]
    pub baseline_form: BaselineForm,
    /// The weight of the baseline stage's loss.
    #[serde(alias = "pv_weight")]
    pub baseline_weight: f64,
    /// Steps of the baseline stage, before the prototype stage.
    pub baseline_steps: u32,
    /// Whether Adam's moments and step count are reset after the baseline stage.
    pub baseline_reset: bool,
    /// Whether each step clamps the pixels to `[0,1]`.
    pub clamp: bool,
    /// Where the optimisation starts.
    pub init: Init,
    /// The seed of every random draw.
    pub seed: u64,
    /// The options of regularisers without a field here. Keys of files that are neither are unknown.
    #[serde(flatten)]
    pub regularizers: Regularizers,
}

impl Settings {
    /// Steps of both stages together.
    pub fn total_steps(&self) -> u32 {
        self.baseline_steps.saturating_add(self.steps)
    }

    /// Checks every value by itself.
    ///
    /// # Errors
    /// [`Error::Setting`] with the field, its value and what it must be.
    pub fn validate(&self) -> Result<()> {
        check((1..=MAX_STEPS).contains(&self.steps), "steps", self.steps, "from 1 to 1000000")?;
        check(self.baseline_steps <= MAX_STEPS, "baseline_steps", self.baseline_steps, "from 0 to 1000000")?;
        check(positive(self.lr), "lr", self.lr, "a finite number above 0, such as 0.05")?;
        check(
            (0.0..=1.0).contains(&self.lr_decay_fraction),
            "lr_decay_fraction",
            self.lr_decay_fraction,
            "from 0 to 1 (a fraction of the steps)",
        )?;
        for (option, beta) in [("beta1", self.beta1), ("beta2", self.beta2)] {
            check((0.0..1.0).contains(&beta) && (beta as f32) < 1.0, option, beta, "at least 0 and below 1")?;
        }
        check(positive(self.eps), "eps", self.eps, "a finite number above 0, such as 1e-8")?;
        let even_side = self.image_side.is_multiple_of(2) && (2..=MAX_FFT_SIDE as u32).contains(&self.image_side);
        check(even_side, "image_side", self.image_side, &format!("even, from 2 to {MAX_FFT_SIDE}"))?;
        let clamps_pixels = !self.clamp || self.parameterization == Parameterization::Pixels;
        check(
            clamps_pixels,
            "clamp",
            self.clamp,
            "false with {parameterization} fourier or phase, whose pixels never leave [0,1]",
        )?;
        self.transforms.check([self.image_side as usize; 2])?;
        check((1..=MAX_VIEWS).contains(&self.views), "views", self.views, &format!("from 1 to {MAX_VIEWS}"))?;
        check(
            (0.0..=1.0).contains(&self.coarse_fraction),
            "coarse_fraction",
            self.coarse_fraction,
            "from 0 to 1 (a fraction of the steps)",
        )?;
        check(
            (0.0..=1.0).contains(&(self.weight_decay * self.lr)),
            "weight_decay",
            self.weight_decay,
            "at least 0, and at most 1 when multiplied by {lr}",
        )?;
        check((0.0..=180.0).contains(&self.rotation), "rotation", self.rotation, "from 0 to 180 degrees")?;
        check(
            (0.0..=1.0).contains(&self.translate),
            "translate",
            self.translate,
            "from 0 to 1 (a fraction of the size)",
        )?;
        let [low, high] = self.scale;
        let [least, most] = SCALE_LIMITS;
        let ordered = low >= least && low <= high && high <= most;
        check(
            ordered,
            "scale",
            format_args!("{low},{high}"),
            &format!("MIN,MAX with {least} <= MIN <= MAX <= {most}, such as 0.7,1.3"),
        )?;
        check(
            (0.0..=1.0).contains(&self.warp_probability),
            "warp_probability",
            self.warp_probability,
            "from 0 (no warps) to 1 (in every step)",
        )?;
        check(
            (0.0..=1.0).contains(&self.logsumexp_weight),
            "logsumexp_weight",
            self.logsumexp_weight,
            "from 0 (the logit) to 1 (the log-probability)",
        )?;
        for (option, weight) in
            [("tv_weight", self.tv_weight), ("tv_start", self.tv_start), ("baseline_weight", self.baseline_weight)]
        {
            check(weight >= 0.0 && (weight as f32).is_finite(), option, weight, "a finite number, at least 0")?;
        }
        for option in losses::options() {
            if let Some(OptionValue::Number(x)) = self.regularizers.value(option.name) {
                check(x >= 0.0 && (x as f32).is_finite(), option.name, x, "a finite number, at least 0")?;
            }
        }
        self.fill.validate()
    }

    /// These settings with the values of a settings file in place of its own. [`Settings::validate`] checks the values.
    ///
    /// # Errors
    /// If a key is unknown, a value has the wrong type, or a setting occurs twice, under its name and its former name. The message
    /// names them.
    pub fn overlay(&self, keys: &Map<String, Value>) -> Result<Self> {
        to_current(keys.clone())?;
        let mut merged = self.all();
        let mut settings = self.clone();
        for (key, value) in keys {
            let name = current(key);
            if !merged.contains_key(name) && losses::option(name).is_none() {
                let options = losses::options().map(|option| option.name);
                let known: Vec<&str> = merged.keys().map(String::as_str).chain(options).collect();
                return Err(Error::input(format!("unknown setting `{key}`; the settings are {}", known.join(", "))));
            }
            merged.insert(name.to_owned(), value.clone());
            settings = Self::deserialize(&Value::Object(merged.clone()))
                .map_err(|source| Error::input(format!("setting `{key}` is {value}: {source}")))?;
        }
        Ok(settings)
    }

    /// All settings by name, as in files. Those that older versions do not have, and options of regularisers, are left out if they have their
    /// default.
    pub fn to_map(&self) -> Map<String, Value> {
        match serde_json::to_value(self) {
            Ok(Value::Object(map)) => map,
            other => unreachable!("settings are a JSON object, not {other:?}"),
        }
    }

    /// All settings by name but options of regularisers.
    fn all(&self) -> Map<String, Value> {
        let mut map = self.to_map();
        map.entry("views").or_insert_with(|| self.views.into());
        map.entry("coarse_fraction").or_insert_with(|| self.coarse_fraction.into());
        map
    }

    /// The value of the setting with this name, including options that [`Settings::to_map`] leaves out because they have their
    /// default.
    pub fn value(&self, name: &str) -> Option<Value> {
        let json = |value| serde_json::to_value(value).expect("a number or a name");
        self.all().get(name).cloned().or_else(|| self.regularizers.value(name).map(json))
    }

    /// SHA-256 of the settings as JSON, in lower-case hexadecimal. The JSON has the settings' former names, so that equal settings
    /// have the same digest in files of every version.
    pub fn digest(&self) -> String {
        sha256_hex(Value::Object(to_former(self.to_map())).to_string().as_bytes())
    }

    /// The differences between `self` and `other`, each as `lr is 0.1 here but 0.05 there`.
    pub fn differences(&self, other: &Self, here: &str, there: &str) -> Vec<String> {
        let mut names: Vec<String> = self.all().into_iter().map(|(name, _)| name).collect();
        let more: Vec<String> =
            losses::options().map(|option| option.name.to_owned()).filter(|name| !names.contains(name)).collect();
        names.extend(more);
        let both = names.iter().filter_map(|name| Some((name, self.value(name)?, other.value(name)?)));
        both.filter(|(_, left, right)| left != right)
            .map(|(name, left, right)| format!("{name} is {left} {here} but {right} {there}"))
            .collect()
    }

    /// The image to optimise for a network with the images `network`. It has the same channels and aspect ratio. Its longer side is
    /// `image_side`; the other is rounded to an even number.
    pub fn image(&self, network: ImageSpec) -> ImageSpec {
        let (side, longest) = (self.image_side as usize, network.height.max(network.width).max(1));
        let extent = |of: usize| 2 * ((side * of + longest) / (2 * longest)).max(1);
        ImageSpec { channels: network.channels, height: extent(network.height), width: extent(network.width) }
    }

    /// Checks that these settings suit a network with the images `network`.
    ///
    /// # Errors
    /// If the images are less than two pixels high or wide, the transforms may make an image too small or too large, or the fill has
    /// values for another number of channels.
    pub fn check_image(&self, network: ImageSpec) -> Result<()> {
        if network.height.min(network.width) < 2 {
            return Err(Error::input(format!("the network's images are {network}, but must be at least 2x2 pixels")));
        }
        self.fill.channels(&vec![0.0; network.channels])?;
        let ImageSpec { height, width, .. } = self.image(network);
        self.transforms.check([height, width])
    }

    /// The network as a run with these settings shows images to it: in full steps, and in coarse ones if there are some.
    ///
    /// # Errors
    /// If its images are too small for coarse steps.
    pub fn networks(&self, network: &Network) -> Result<Vec<Network>> {
        let coarse = (self.coarse_fraction > 0.0).then(|| network.halved());
        std::iter::once(Ok(network.clone())).chain(coarse).collect()
    }

    /// The image file to start from, if there is one.
    pub fn init_image(&self) -> Option<&PathBuf> {
        match &self.init {
            Init::Uniform => None,
            Init::Image(path) => Some(path),
        }
    }
}

/// The parameterization of older files, which do not name one.
fn pixels() -> Parameterization {
    Parameterization::Pixels
}

/// The side of older files, which do not name one.
fn network_side() -> u32 {
    224
}

/// The views of files that do not name them.
fn one_view() -> u32 {
    1
}

/// Whether files leave out the views.
fn is_one_view(views: &u32) -> bool {
    *views == one_view()
}

/// Whether files leave out the fraction of coarse steps.
fn is_zero(fraction: &f64) -> bool {
    *fraction == 0.0
}

/// The value of a fraction or probability that older files do not name.
fn one() -> f64 {
    1.0
}

/// Longer numbers are written with an exponent.
const LONGEST_NUMBER: usize = 20;

/// Whether the number is positive and finite, also as `f32`.
fn positive(x: f64) -> bool {
    x as f32 > 0.0 && (x as f32).is_finite()
}

fn check(ok: bool, field: &'static str, value: impl std::fmt::Display, must: &str) -> Result<()> {
    if ok {
        return Ok(());
    }
    let text = value.to_string();
    // Such as 1e300, which has 301 digits.
    let value = match text.parse::<f64>() {
        Ok(number) if text.len() > LONGEST_NUMBER => format!("{number:e}"),
        _ => text,
    };
    Err(Error::Setting(SettingsError { field, value, expected: must.to_owned() }))
}

#[cfg(test)]
mod tests {
    use super::super::former_names;
    use super::*;

    fn json(text: &str) -> Map<String, Value> {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn defaults_are_valid_and_survive_json() {
        let settings = Settings::default();
        settings.validate().unwrap();
        let text = serde_json::to_string(&settings).unwrap();
        assert_eq!(serde_json::from_str::<Settings>(&text).unwrap(), settings);
        assert!(
            text.contains(r#""fill":"black","logsumexp_weight":0.9,"tv_form":"l1-sum","tv_weight":0.04"#),
            "{text}"
        );
        assert!(text.contains(r#""scale":[0.7,1.3],"warp_probability":0.5,"interpolation":"bilinear""#), "{text}");
    }

    #[test]
    fn nonsense_is_refused_by_name() {
        type Change = fn(&mut Settings);
        let cases: [(&str, Change); 30] = [
            ("`lr_decay_fraction` is 1.5,", |s| s.lr_decay_fraction = 1.5),
            ("`steps` is 0,", |s| s.steps = 0),
            ("`steps` is 4294967295,", |s| s.steps = u32::MAX),
            ("`baseline_steps` is 1000001,", |s| s.baseline_steps = 1_000_001),
            ("`lr` is NaN,", |s| s.lr = f64::NAN),
            ("`lr` is -1,", |s| s.lr = -1.0),
            ("`lr` is inf,", |s| s.lr = f64::INFINITY),
            ("`lr` is 1e300, but", |s| s.lr = 1e300),
            ("`lr` is 1e-300,", |s| s.lr = 1e-300),
            ("`beta1` is 1,", |s| s.beta1 = 1.0),
            ("`beta2` is 0.99999", |s| s.beta2 = 1.0 - 1e-12),
            ("`eps` is 0,", |s| s.eps = 0.0),
            ("`rotation` is 181,", |s| s.rotation = 181.0),
            ("`rotation` is NaN,", |s| s.rotation = f64::NAN),
            ("`translate` is 1.5,", |s| s.translate = 1.5),
            ("`scale` is 0,0,", |s| s.scale = [0.0, 0.0]),
            ("`scale` is 1.3,0.7,", |s| s.scale = [1.3, 0.7]),
            ("`scale` is NaN,1,", |s| s.scale = [f64::NAN, 1.0]),
            ("`views` is 0,", |s| s.views = 0),
            ("`coarse_fraction` is 2,", |s| s.coarse_fraction = 2.0),
            ("`warp_probability` is 1.5,", |s| s.warp_probability = 1.5),
            ("`weight_decay` is 21,", |s| s.weight_decay = 21.0),
            ("`tv_start` is -1,", |s| s.tv_start = -1.0),
            ("`logsumexp_weight` is 1.5,", |s| s.logsumexp_weight = 1.5),
            ("`tv_weight` is -0.1,", |s| s.tv_weight = -0.1),
            ("`baseline_weight` is inf,", |s| s.baseline_weight = f64::INFINITY),
            ("`image_side` is 225,", |s| s.image_side = 225),
            ("`image_side` is 1026,", |s| s.image_side = 1026),
            ("`clamp` is true,", |s| (s.clamp, s.parameterization) = (true, Parameterization::Fourier)),
            ("`fill` is 0.5,2,0.5,", |s| s.fill = Fill::Colour(vec![0.5, 2.0, 0.5])),
        ];
        for (expected, change) in cases {
            let mut settings = Settings::default();
            change(&mut settings);
            let error = settings.validate().unwrap_err();
            assert!(error.is_input() && error.to_string().starts_with(expected), "{expected}: {error}");
        }
    }

    #[test]
    fn a_file_overlays_and_names_what_is_wrong() {
        let base = Settings::default();
        let changed = base.overlay(&json(r#"{"lr": 0.1, "fill": "0.1,0.2,0.3", "init": "a.png"}"#)).unwrap();
        assert_eq!(changed.lr, 0.1);
        assert_eq!(changed.fill, Fill::Colour(vec![0.1, 0.2, 0.3]));
        assert_eq!(changed.init, Init::Image("a.png".into()));
        assert_eq!(changed.steps, 512);
        for (text, expected) in [
            (r#"{"learning_rate": 1}"#, "unknown setting `learning_rate`; the settings are preset, steps, lr,"),
            (r#"{"steps": -1}"#, "setting `steps` is -1: invalid value"),
            (r#"{"steps": 1.5}"#, "setting `steps` is 1.5: invalid type"),
            (r#"{"lr": null}"#, "setting `lr` is null: invalid type"),
            (r#"{"tv_form": "l3"}"#, "setting `tv_form` is \"l3\": `l3` is none of l1, l2, l1-sum, isotropic"),
            (r#"{"transforms": ["blur"]}"#, "setting `transforms` is [\"blur\"]: `blur` is not a transform"),
            (
                r#"{"parameterization": "wavelets"}"#,
                "setting `parameterization` is \"wavelets\": `wavelets` is none of",
            ),
            (r#"{"scale": [1]}"#, "setting `scale` is [1]: invalid length"),
        ] {
            let error = base.overlay(&json(text)).unwrap_err().to_string();
            assert!(error.starts_with(expected), "{text}: {error}");
        }
    }

    /// The digest is one that protogpu 0.1.0 wrote to a run.json when settings still had their former names.
    #[test]
    fn former_names_mean_the_same_settings_and_the_same_digest() {
        let settings = Settings { steps: 3, ..Preset::PaperStrict.settings().unwrap() };
        let former = to_former(settings.to_map());
        for (name, former_name) in former_names::SETTINGS {
            let mut both = former.clone();
            both.insert(name.to_owned(), former[former_name].clone());
            let error = Settings::deserialize(Value::Object(both.clone())).unwrap_err().to_string();
            assert!(error.contains(&format!("duplicate field `{name}`")), "{error}");
            let error = Settings::default().overlay(&both).unwrap_err().to_string();
            assert_eq!(error, format!("`{former_name}` is the former name of `{name}`: give one of them"));
        }
        assert_eq!(former["preset"], "letter");
        assert_eq!(Settings::deserialize(Value::Object(former.clone())).unwrap(), settings);
        assert_eq!(Settings::default().overlay(&former).unwrap(), settings);
        assert_eq!(settings.digest(), "5615c1030c1e63585ec7c0cf059467a452cf12c0016c7e21f47280ca7054cb9f");
    }

    #[test]
    fn differences_are_named_and_change_the_digest() {
        let (a, mut b) = (Settings::default(), Settings::default());
        assert!(a.differences(&b, "here", "there").is_empty());
        assert_eq!(a.digest(), b.digest());
        b.lr = 0.1;
        assert_eq!(a.differences(&b, "here", "there"), ["lr is 0.05 here but 0.1 there"]);
        assert_ne!(a.digest(), b.digest());
        assert_eq!(a.digest().len(), 64);
    }
}
