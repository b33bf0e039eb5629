//! Every setting of the method as an option.

use crate::method::choices::numbers;
use crate::method::{
    Fill, HfForm, Init, Interpolation, Objective, Parameterization, Preset, PvForm, Settings, Transform, Transforms,
};
use crate::{Error, Result};

use crate::lab::run::record::Config;

/// The settings that were given; what was not stays as the configuration file or the preset has it.
#[derive(clap::Args, Clone, Debug, Default)]
#[command(next_help_heading = "Method (in brackets: the value of --preset paper)")]
pub(crate) struct MethodArgs {
    /// Settings to start from: paper, letter, lucent, or a JSON file of settings; `protogpu presets` shows them
    #[arg(long, value_name = "NAME|FILE.json")]
    pub(crate) preset: Option<Preset>,
    /// Steps of the prototype stage `[512]`
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub(crate) steps: Option<u32>,
    /// Adam's learning rate [0.05]
    #[arg(long, value_name = "X", allow_negative_numbers = true)]
    lr: Option<f64>,
    /// The share of the steps, at their end, over which the learning rate falls towards 0 `[1]`
    #[arg(long, value_name = "SHARE", allow_negative_numbers = true)]
    anneal: Option<f64>,
    /// Adam's decay of the first moment [0.9]
    #[arg(long, value_name = "X", allow_negative_numbers = true)]
    beta1: Option<f64>,
    /// Adam's decay of the second moment [0.999]
    #[arg(long, value_name = "X", allow_negative_numbers = true)]
    beta2: Option<f64>,
    /// Adam's epsilon [1e-8]
    #[arg(long, value_name = "X", allow_negative_numbers = true)]
    eps: Option<f64>,
    /// Adam's decoupled weight decay, towards the network's mean colour [0]
    #[arg(long, value_name = "X", allow_negative_numbers = true)]
    weight_decay: Option<f64>,
    /// What is maximised, in place of a class: a weighted sum of terms, as told below; repeat it for several
    /// prototypes [class]
    #[arg(long = "objective", id = "objective", value_name = "OBJECTIVE", allow_hyphen_values = true)]
    pub(crate) objectives: Vec<Objective>,
    /// What Adam moves: the pixels, or fourier: a spectrum of decorrelated colours, with a sigmoid behind [pixels]
    #[arg(long, value_name = "WHAT")]
    parameterization: Option<Parameterization>,
    /// Width and height of the image, even; the network gets it resized to its own `[224]`
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    image_side: Option<u32>,
    /// What the image goes through in each step, separated by commas, or none: `affine` (by --rotation, --translate, --scale,
    /// --interpolation, --fill), `pad PIXELS VALUE`, `jitter PIXELS`, `scale FACTOR...`, `rotate DEGREES...` [affine]
    #[arg(long, value_name = "LIST")]
    transforms: Option<Transforms>,
    /// Rotate by up to this many degrees in each step `[180]`
    #[arg(long, value_name = "DEGREES", allow_negative_numbers = true)]
    rotation: Option<f64>,
    /// Shift by up to this share of the width and height in each step [0.5]
    #[arg(long, value_name = "SHARE", allow_negative_numbers = true)]
    translate: Option<f64>,
    /// Scale by a factor between these two in each step [0.7,1.3]
    #[arg(long, value_name = "MIN,MAX", allow_hyphen_values = true, value_parser = scale)]
    scale: Option<[f64; 2]>,
    /// The probability of a step that it warps; otherwise the network sees the image as it is [0.5]
    #[arg(long, value_name = "P", allow_negative_numbers = true)]
    warp_probability: Option<f64>,
    /// How the warp samples: bilinear or nearest [bilinear]
    #[arg(long, value_name = "HOW")]
    interpolation: Option<Interpolation>,
    /// What the warp shows beyond the picture: black, mean, or a colour R,G,B with each from 0 to 1 [black]
    #[arg(long, value_name = "COLOUR", allow_hyphen_values = true)]
    fill: Option<Fill>,
    /// How much of the other classes' rise is subtracted: 0 maximises the class's logit, 1 its log-probability; an
    /// --objective has none [0.9]
    #[arg(long, value_name = "R", allow_negative_numbers = true)]
    pub(crate) rivals: Option<f64>,
    /// Penalty on differences between adjacent pixels: l1, l2, l1-sum or isotropic [l1-sum]
    #[arg(long, value_name = "FORM")]
    hf_form: Option<HfForm>,
    /// Weight of that penalty [0.04]
    #[arg(long, value_name = "W", allow_negative_numbers = true)]
    hf_weight: Option<f64>,
    /// The share of that weight at the first step, from where it rises to the whole at the last `[0]`
    #[arg(long, value_name = "SHARE", allow_negative_numbers = true)]
    hf_start: Option<f64>,
    /// What the baseline stage takes the variance of: softmax or logits [softmax]
    #[arg(long, value_name = "FORM")]
    pv_form: Option<PvForm>,
    /// Weight of the baseline stage's loss `[1]`
    #[arg(long, value_name = "W", allow_negative_numbers = true)]
    pv_weight: Option<f64>,
    /// Steps of the baseline stage, before the prototype stage `[0]`
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    baseline_steps: Option<u32>,
    /// Start Adam anew after the baseline stage [true]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    baseline_reset: Option<bool>,
    /// Clamp the pixels to `[0,1]` after each step [false]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    clamp: Option<bool>,
    /// Start from uniform noise or from a picture: uniform, or an image file [uniform]
    #[arg(long, value_name = "uniform|IMAGE")]
    init: Option<Init>,
    /// Seed of every random draw `[0]`
    #[arg(long, value_name = "S", allow_negative_numbers = true)]
    seed: Option<u64>,
}

impl MethodArgs {
    /// Options over a file's settings over those of a preset: the one named here, else the options', the file's, the paper's. Whether
    /// they make sense is not asked here.
    pub(crate) fn settings(&self, preset: Option<Preset>, config: Option<&Config>) -> Result<Settings> {
        let preset = match (preset.or_else(|| self.preset.clone()), config) {
            (None, Some(config)) => config.preset()?,
            (preset, _) => preset,
        };
        let mut settings = preset.unwrap_or(Preset::Paper).settings()?;
        if let Some(config) = config {
            settings = config.apply(&settings)?;
        }
        self.apply(&mut settings);
        Ok(settings)
    }

    /// The same, which must make sense; where a file is at fault, the error names it.
    pub(crate) fn valid_settings(&self, config: Option<&Config>) -> Result<Settings> {
        let settings = self.settings(None, config)?;
        let Err(error) = settings.validate() else { return Ok(settings) };
        // Without the options, and without the configuration.
        let of =
            |config: Option<&Config>| match Self::default().settings(self.preset.clone(), config).map(|s| s.validate())
            {
                Ok(Err(same)) => same.to_string() == error.to_string(),
                _ => false,
            };
        let preset = match &self.preset {
            Some(Preset::File(path)) if of(None) => Some(path.as_path()),
            _ => None,
        };
        match preset.or(config.filter(|_| of(config)).map(Config::path)) {
            Some(file) => Err(Error::input(format!("{}: {error}", file.display()))),
            None => Err(error),
        }
    }

    /// Rivals belong to the loss of a class.
    pub(crate) fn check_rivals(&self) -> Result<()> {
        match self.rivals {
            Some(rivals) if rivals != 0.0 && !self.objectives.is_empty() => Err(Error::input(format!(
                "--rivals is {rivals}, which changes the loss of --class alone: drop it, or give terms such as logprob:CLASS"
            ))),
            _ => Ok(()),
        }
    }

    /// The options that were given and change nothing, with the reason.
    pub(crate) fn without_effect(&self, settings: &Settings) -> Option<String> {
        macro_rules! given {
            ($($field:ident)+) => {
                [$(self.$field.is_some().then(|| format!("--{}", stringify!($field).replace('_', "-")))),+]
            };
        }
        let affine = settings.transforms.0.contains(&Transform::Affine);
        let cases: [(bool, &[Option<String>], &str); 3] = [
            (
                affine,
                &given!(rotation translate scale interpolation fill warp_probability),
                "affine is not among the transforms",
            ),
            (settings.baseline_steps > 0, &given!(pv_form pv_weight baseline_reset), "there is no baseline stage"),
            (settings.hf_weight > 0.0, &given!(hf_form hf_start), "the weight of the penalty is 0"),
        ];
        let mut told = Vec::new();
        for (_, options, why) in cases.into_iter().filter(|(used, ..)| !used) {
            let options: Vec<&str> = options.iter().flatten().map(String::as_str).collect();
            if !options.is_empty() {
                told.push(format!("{} without effect: {why}", options.join(", ")));
            }
        }
        (!told.is_empty()).then(|| told.join("; "))
    }

    /// Lays the given options over settings.
    fn apply(&self, settings: &mut Settings) {
        macro_rules! lay_over {
            ($($field:ident)+) => {
                $(if let Some(value) = &self.$field {
                    settings.$field = value.clone();
                })+
            };
        }
        if let Some(objective) = self.objectives.first() {
            settings.objective = objective.clone();
        }
        lay_over!(preset steps lr anneal beta1 beta2 eps weight_decay parameterization image_side transforms rotation translate scale warp_probability
            interpolation fill rivals hf_form hf_weight hf_start
            pv_form pv_weight baseline_steps baseline_reset clamp init seed);
    }
}

fn scale(text: &str) -> Result<[f64; 2], String> {
    numbers(text).ok_or_else(|| format!("`{text}` is not MIN,MAX (such as 0.7,1.3)"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{CommandFactory, Parser};
    use serde_json::Value;

    #[derive(Parser)]
    struct Wrapper {
        #[command(flatten)]
        method: MethodArgs,
    }

    /// The option's text for a value of the settings' JSON.
    fn typed(value: &Value) -> String {
        match value {
            Value::String(text) => text.clone(),
            Value::Array(items) => items.iter().map(typed).collect::<Vec<_>>().join(","),
            // 180.0 is typed as 180.
            other => other.to_string().trim_end_matches(".0").to_owned(),
        }
    }

    #[test]
    fn every_setting_is_an_option_and_its_help_states_the_default() {
        let Value::Object(defaults) = serde_json::to_value(Settings::default()).unwrap() else { panic!() };
        let command = Wrapper::command();
        for (key, value) in &defaults {
            let option = key.replace('_', "-");
            let arg = command.get_arguments().find(|arg| arg.get_long() == Some(&option));
            let help = arg.unwrap_or_else(|| panic!("--{option} is missing")).get_help().unwrap().to_string();
            let wanted = if key == "preset" { typed(value) } else { format!("[{}]", typed(value)) };
            assert!(help.contains(&wanted), "--{option}: {help} does not state {wanted}");
        }
    }

    #[test]
    fn every_option_reaches_its_setting() {
        let changed = Settings {
            preset: Preset::File("mine.json".into()),
            steps: 1,
            lr: 2.0,
            anneal: 0.75,
            beta1: 0.3,
            beta2: 0.4,
            eps: 0.5,
            weight_decay: 0.125,
            objective: "2*logit:1 - layer:x".parse().unwrap(),
            parameterization: Parameterization::Fourier,
            image_side: 15,
            transforms: "jitter 8,scale 1 1.5,affine".parse().unwrap(),
            rotation: 6.0,
            translate: 0.7,
            scale: [0.8, 0.9],
            warp_probability: 0.6,
            interpolation: Interpolation::Nearest,
            fill: Fill::Rgb([0.25, 0.5, 1.0]),
            rivals: 0.25,
            hf_form: HfForm::L2,
            hf_weight: 12.0,
            hf_start: 0.25,
            pv_form: PvForm::Logits,
            pv_weight: 13.0,
            baseline_steps: 14,
            baseline_reset: false,
            clamp: true,
            init: Init::Image("x.png".into()),
            seed: u64::MAX,
        };
        let Value::Object(map) = serde_json::to_value(&changed).unwrap() else { panic!() };
        let options = map.iter().map(|(key, value)| format!("--{}={}", key.replace('_', "-"), typed(value)));
        let parsed = Wrapper::try_parse_from(std::iter::once("x".to_owned()).chain(options)).unwrap();
        let mut settings = Settings::default();
        parsed.method.apply(&mut settings);
        assert_eq!(settings, changed);
    }

    #[test]
    fn flags_stand_alone_or_with_a_value() {
        for (args, expected) in [(vec!["x", "--clamp"], true), (vec!["x", "--clamp=false"], false)] {
            let mut settings = Settings { clamp: !expected, ..Settings::default() };
            Wrapper::try_parse_from(args).unwrap().method.apply(&mut settings);
            assert_eq!(settings.clamp, expected);
        }
    }

    #[test]
    fn options_that_change_nothing_are_named() {
        let told = |args: &str| {
            let Wrapper { method } = Wrapper::try_parse_from(args.split(' ')).unwrap();
            method.without_effect(&method.settings(None, None).unwrap())
        };
        assert_eq!(told("x --rotation 10 --hf-start 1 --fill mean"), None);
        let lucent = told("x --preset lucent --rotation 10 --hf-start 1").unwrap();
        assert!(lucent.starts_with("--rotation without effect: affine is not among the transforms; "), "{lucent}");
        assert!(lucent.ends_with("--hf-start without effect: the weight of the penalty is 0"), "{lucent}");
        assert_eq!(told("x --pv-weight 2").unwrap(), "--pv-weight without effect: there is no baseline stage");
        assert_eq!(told("x --pv-weight 2 --baseline-steps 3"), None);
    }
}
