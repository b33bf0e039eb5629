//! Every setting of the method as an option.

use std::path::PathBuf;

use crate::method::choices::numbers;
use crate::method::losses::{self, OptionKind, OptionValue, TermOption};
use crate::method::{
    BaselineForm, Fill, Init, Interpolation, Objective, Parameterization, Preset, Settings, Transform, Transforms,
    TvForm,
};
use crate::networks::Network;
use crate::{Error, Result};

use crate::lab::presets;
use crate::lab::run::record::Config;
use crate::lab::statistics::{StatisticsRecord, with_statistics};

/// The setting without which natural statistics have no effect.
const NATURAL_WEIGHT: &str = "natural_weight";

/// The settings given as options. The others come from the configuration file or the preset.
#[derive(clap::Args, Clone, Debug, Default)]
#[command(next_help_heading = "Method (in brackets: the value of --preset paper)")]
pub(crate) struct MethodArgs {
    /// Settings to start from: paper, paper-strict, natural, deepinversion, maco, lucent, or a JSON file of settings;
    /// `protogpu presets` shows them [default: natural for classes of --weights with batch norms, else paper]
    #[arg(long, value_name = "NAME|FILE.json")]
    pub(crate) preset: Option<Preset>,
    /// Steps of the prototype stage [512]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub(crate) steps: Option<u32>,
    /// Adam's learning rate [0.05]
    #[arg(long, value_name = "X", allow_negative_numbers = true)]
    lr: Option<f64>,
    /// The fraction of the steps, at the end, over which the learning rate falls linearly towards 0; 0 keeps it constant [1]
    #[arg(long, alias = "anneal", value_name = "SHARE", allow_negative_numbers = true)]
    lr_decay_fraction: Option<f64>,
    /// Adam's decay rate of the first moment [0.9]
    #[arg(long, value_name = "X", allow_negative_numbers = true)]
    beta1: Option<f64>,
    /// Adam's decay rate of the second moment [0.999]
    #[arg(long, value_name = "X", allow_negative_numbers = true)]
    beta2: Option<f64>,
    /// Adam's epsilon [1e-8]
    #[arg(long, value_name = "X", allow_negative_numbers = true)]
    eps: Option<f64>,
    /// Adam's decoupled weight decay, towards the network's mean colour [0]
    #[arg(long, value_name = "X", allow_negative_numbers = true)]
    weight_decay: Option<f64>,
    /// Maximise a weighted sum of terms instead of a class, see below; repeat it for several prototypes [class]
    #[arg(long = "objective", id = "objective", value_name = "OBJECTIVE", allow_hyphen_values = true)]
    pub(crate) objectives: Vec<Objective>,
    /// What Adam changes: pixels; fourier, a spectrum of decorrelated colours followed by a sigmoid; or phase, the phases of such a
    /// spectrum, whose magnitudes are 1/f [pixels]
    #[arg(long, value_name = "WHAT")]
    parameterization: Option<Parameterization>,
    /// Longer side of the image, an even number; the image keeps the aspect ratio of the network's input and is resized to it `[224]`
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    image_side: Option<u32>,
    /// Transforms of the image in each step, in order and separated by commas, or none: affine (see --rotation, --translate, --scale,
    /// --interpolation, --fill), pad PIXELS VALUE, jitter PIXELS, scale FACTOR..., rotate DEGREES..., roll PIXELS (a jitter around the
    /// edges), flip or flip P (mirrors with probability 0.5 or P), crop MIN MAX (a random part, fractions of the sides), noise SD (in units of pixels in 0..1); `unwarped flip`, and likewise
    /// jitter, rotate and roll: only in steps in which affine does not warp [affine]
    #[arg(long, value_name = "LIST")]
    transforms: Option<Transforms>,
    /// Transform the image this many times in each step, with different draws, and use the mean loss [1]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    views: Option<u32>,
    /// The fraction of the steps, at the beginning, in which the network sees the image at half its size: large shapes come first,
    /// and such a step takes a quarter of the time [0]
    #[arg(long, value_name = "SHARE", allow_negative_numbers = true)]
    coarse_fraction: Option<f64>,
    /// Rotate by up to this many degrees, in either direction [180]
    #[arg(long, value_name = "DEGREES", allow_negative_numbers = true)]
    rotation: Option<f64>,
    /// Shift by up to this fraction of the width and height [0.5]
    #[arg(long, value_name = "SHARE", allow_negative_numbers = true)]
    translate: Option<f64>,
    /// Scale by a factor between these two [0.7,1.3]
    #[arg(long, value_name = "MIN,MAX", allow_hyphen_values = true, value_parser = scale)]
    scale: Option<[f64; 2]>,
    /// The probability that a step warps the image; otherwise the network sees it as it is [0.5]
    #[arg(long, value_name = "P", allow_negative_numbers = true)]
    warp_probability: Option<f64>,
    /// How the warp samples the image: bilinear or nearest [bilinear]
    #[arg(long, value_name = "HOW")]
    interpolation: Option<Interpolation>,
    /// What the warp shows outside the image: black, mean (the network's mean colour), or R,G,B, a number from 0 to 1 for each
    /// channel [black]
    #[arg(long, value_name = "COLOUR", allow_hyphen_values = true)]
    fill: Option<Fill>,
    /// The weight w in the loss -logit + w * logsumexp(logits): 0 maximises the class's logit, 1 its log-probability; for --class
    /// only [0.9]
    #[arg(long, alias = "rivals", value_name = "W", allow_negative_numbers = true)]
    pub(crate) logsumexp_weight: Option<f64>,
    /// The total variation, a penalty on differences between adjacent pixels: l1, l2, l1-sum or isotropic [l1-sum]
    #[arg(long, alias = "hf-form", value_name = "FORM")]
    tv_form: Option<TvForm>,
    /// Weight of the total variation [0.04]
    #[arg(long, alias = "hf-weight", value_name = "W", allow_negative_numbers = true)]
    tv_weight: Option<f64>,
    /// The fraction of that weight in the first step; it rises linearly to all of it in the last [0]
    #[arg(long, alias = "hf-start", value_name = "SHARE", allow_negative_numbers = true)]
    tv_start: Option<f64>,
    /// Minimise the variance of the probabilities (softmax) or of the logits in the baseline stage [softmax]
    #[arg(long, alias = "pv-form", value_name = "FORM")]
    baseline_form: Option<BaselineForm>,
    /// Weight of the baseline stage's loss [1]
    #[arg(long, alias = "pv-weight", value_name = "W", allow_negative_numbers = true)]
    baseline_weight: Option<f64>,
    /// Steps of the baseline stage, before the prototype stage [0]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    baseline_steps: Option<u32>,
    /// Whether Adam's moments start at zero again after the baseline stage [true]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    baseline_reset: Option<bool>,
    /// Whether to clamp the pixels to 0..1 after each step [false]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    clamp: Option<bool>,
    /// Start from uniform noise or from an image: uniform, an image file, or a folder of prototypes (--out of another run), each from
    /// the one of its class and seed [uniform]
    #[arg(long, value_name = "uniform|IMAGE|DIR")]
    init: Option<Init>,
    /// Seed of every random draw [0]
    #[arg(long, value_name = "S", allow_negative_numbers = true)]
    seed: Option<u64>,
    #[command(flatten)]
    regularizers: RegularizerArgs,
    /// What activations are like on photographs, for --natural-weight: a file of `protogpu statistics` [the network's batch norms]
    #[arg(long, value_name = "FILE")]
    pub(crate) natural_statistics: Option<PathBuf>,
}

/// The options of the table of regularisers.
#[derive(Clone, Debug, Default)]
struct RegularizerArgs(Vec<(&'static str, OptionValue)>);

impl clap::FromArgMatches for RegularizerArgs {
    fn from_arg_matches(matches: &clap::ArgMatches) -> Result<Self, clap::Error> {
        let given = |option: &'static TermOption| {
            let value = match option.kind {
                OptionKind::Number(_) => matches.get_one(option.name).copied().map(OptionValue::Number),
                OptionKind::Name(names) => {
                    let given = matches.get_one::<String>(option.name);
                    given
                        .and_then(|given| names.iter().find(|name| *given == **name))
                        .map(|name| OptionValue::Name(name))
                }
            };
            value.map(|value| (option.name, value))
        };
        Ok(Self(losses::options().filter_map(given).collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &clap::ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl clap::Args for RegularizerArgs {
    fn augment_args(command: clap::Command) -> clap::Command {
        losses::options().fold(command, |command, option| {
            let TermOption { name, kind, about } = option;
            // Kept for as long as the program runs, as clap asks.
            let long: &'static str = name.replace('_', "-").leak();
            let arg = clap::Arg::new(*name).long(long);
            command.arg(match kind {
                OptionKind::Number(default) => arg
                    .help(format!("{about} [{default}]"))
                    .value_name("X")
                    .allow_negative_numbers(true)
                    .value_parser(clap::value_parser!(f64)),
                OptionKind::Name(names) => arg
                    .help(format!("{about} [{}]", names[0]))
                    .value_name("NAME")
                    .hide_possible_values(true)
                    .value_parser(clap::builder::PossibleValuesParser::new(*names)),
            })
        })
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        Self::augment_args(command)
    }
}

impl MethodArgs {
    /// The settings: options override the file, which overrides the preset. The preset is `preset`, else the option's, else the file's;
    /// else `paper` if there is a file, and `default` if there is none. The values are not validated.
    pub(crate) fn settings(
        &self,
        preset: Option<Preset>,
        config: Option<&Config>,
        default: &Preset,
    ) -> Result<Settings> {
        let preset = match (preset.or_else(|| self.preset.clone()), config) {
            (None, Some(config)) => config.preset()?,
            (preset, _) => preset,
        };
        let default = if config.is_some() { &Preset::Paper } else { default };
        let mut settings = presets::settings(preset.as_ref().unwrap_or(default))?;
        if let Some(config) = config {
            settings = config.apply(&settings)?;
        }
        self.apply(&mut settings);
        Ok(settings)
    }

    /// The same, validated. If a file holds the invalid value, the error names the file.
    pub(crate) fn valid_settings(&self, config: Option<&Config>, default: &Preset) -> Result<Settings> {
        let settings = self.settings(None, config, default)?;
        let Err(error) = settings.validate() else { return Ok(settings) };
        // A file is at fault if it gives the same error without the options.
        let of = |config: Option<&Config>| match Self::default()
            .settings(self.preset.clone(), config, default)
            .map(|s| s.validate())
        {
            Ok(Err(same)) => same.to_string() == error.to_string(),
            _ => false,
        };
        let preset = match &self.preset {
            Some(Preset::File(path)) if of(None) => Some(path.as_path()),
            _ => None,
        };
        match preset.or(config.filter(|_| of(config)).map(Config::path)) {
            Some(file) => Err(error.within(format!("{}: ", file.display()))),
            None => Err(error),
        }
    }

    /// The network with the natural statistics of the option's file, or else of the file that the record names.
    pub(crate) fn with_statistics(
        &self,
        network: Network,
        config: Option<&Config>,
    ) -> Result<(Network, Option<StatisticsRecord>)> {
        let recorded = config.and_then(|config| config.recorded.as_ref()?.natural_statistics.as_ref());
        let Some(path) = self.natural_statistics.as_deref().or(recorded.map(|recorded| recorded.path.as_path())) else {
            return Ok((network, None));
        };
        if path.to_str().is_none() {
            let path = path.display();
            return Err(Error::input(format!(
                "{path}: the path is not UTF-8, so run.json cannot name it: rename the file"
            )));
        }
        let (network, record) = with_statistics(network, path)?;
        config.map_or(Ok(()), |config| config.check_statistics(&record))?;
        Ok((network, Some(record)))
    }

    /// Refuses a log-sum-exp weight together with an objective that is not a class.
    pub(crate) fn check_logsumexp_weight(&self) -> Result<()> {
        match self.logsumexp_weight {
            Some(weight) if weight != 0.0 && !self.objectives.is_empty() => Err(Error::input(format!(
                "--logsumexp-weight is {weight}, but it applies to --class only: leave it out, or use terms such as logprob:CLASS"
            ))),
            _ => Ok(()),
        }
    }

    /// The given options that have no effect, with the reason.
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
                "--transforms does not contain affine",
            ),
            (
                settings.baseline_steps > 0,
                &given!(baseline_form baseline_weight baseline_reset),
                "there is no baseline stage",
            ),
            (settings.tv_weight > 0.0, &given!(tv_form tv_start), "the weight of the total variation is 0"),
        ];
        let mut told = Vec::new();
        if self.natural_statistics.is_some() && settings.regularizers.weights().all(|(name, _)| name != NATURAL_WEIGHT)
        {
            told.push("--natural-statistics: no effect, because --natural-weight is 0".to_owned());
        }
        for [weight, option] in settings.regularizers.idle() {
            if self.regularizers.0.iter().any(|(given, _)| *given == option) {
                let [weight, option] = [weight, option].map(|name| name.replace('_', "-"));
                told.push(format!("--{option}: no effect, because --{weight} is 0"));
            }
        }
        for (_, options, why) in cases.into_iter().filter(|(used, ..)| !used) {
            let options: Vec<&str> = options.iter().flatten().map(String::as_str).collect();
            if !options.is_empty() {
                told.push(format!("{}: no effect, because {why}", options.join(", ")));
            }
        }
        (!told.is_empty()).then(|| told.join("; "))
    }

    /// Overrides settings with the given options.
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
        lay_over!(preset steps lr lr_decay_fraction beta1 beta2 eps weight_decay parameterization image_side transforms views coarse_fraction rotation translate scale warp_probability
            interpolation fill logsumexp_weight tv_form tv_weight tv_start
            baseline_form baseline_weight baseline_steps baseline_reset clamp init seed);
        for (name, value) in &self.regularizers.0 {
            settings.regularizers.set(name, *value);
        }
    }
}

fn scale(text: &str) -> Result<[f64; 2], String> {
    numbers(text)
        .and_then(|parts| parts.try_into().ok())
        .ok_or_else(|| format!("`{text}` is not MIN,MAX (such as 0.7,1.3)"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::method::former_names;
    use crate::method::losses::Regularizers;
    use clap::{CommandFactory, Parser};
    use serde_json::Value;

    #[derive(Debug, Parser)]
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
            lr_decay_fraction: 0.75,
            beta1: 0.3,
            beta2: 0.4,
            eps: 0.5,
            weight_decay: 0.125,
            objective: "2*logit:1 - layer:x".parse().unwrap(),
            parameterization: Parameterization::Fourier,
            image_side: 15,
            transforms: "jitter 8,scale 1 1.5,affine".parse().unwrap(),
            views: 7,
            coarse_fraction: 0.375,
            rotation: 6.0,
            translate: 0.7,
            scale: [0.8, 0.9],
            warp_probability: 0.6,
            interpolation: Interpolation::Nearest,
            fill: Fill::Colour(vec![0.25, 0.5, 1.0]),
            logsumexp_weight: 0.25,
            tv_form: TvForm::L2,
            tv_weight: 12.0,
            tv_start: 0.25,
            baseline_form: BaselineForm::Logits,
            baseline_weight: 13.0,
            baseline_steps: 14,
            baseline_reset: false,
            clamp: true,
            init: Init::Image("x.png".into()),
            seed: u64::MAX,
            regularizers: losses::options().fold(Regularizers::default(), |mut all, option| {
                let other = match option.kind {
                    OptionKind::Number(default) => OptionValue::Number(default + 0.5),
                    OptionKind::Name(names) => OptionValue::Name(names[1]),
                };
                all.set(option.name, other);
                all
            }),
        };
        let Value::Object(map) = serde_json::to_value(&changed).unwrap() else { panic!() };
        let options = map.iter().map(|(key, value)| format!("--{}={}", key.replace('_', "-"), typed(value)));
        let parsed = Wrapper::try_parse_from(std::iter::once("x".to_owned()).chain(options)).unwrap();
        let mut settings = Settings::default();
        parsed.method.apply(&mut settings);
        assert_eq!(settings, changed);
    }

    #[test]
    fn former_options_are_understood() {
        let settings = Settings::default().to_map();
        for (name, former) in former_names::SETTINGS {
            let [now, then] = [name, former].map(|option| {
                let option = format!("--{}={}", option.replace('_', "-"), typed(&settings[name]));
                format!("{:?}", Wrapper::try_parse_from(["x", &option]).unwrap().method)
            });
            assert_eq!(now, then);
        }
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
            method.without_effect(&method.settings(None, None, &Preset::Paper).unwrap())
        };
        assert_eq!(told("x --rotation 10 --tv-start 1 --fill mean"), None);
        let lucent = told("x --preset lucent --rotation 10 --tv-start 1").unwrap();
        assert!(
            lucent.starts_with("--rotation: no effect, because --transforms does not contain affine; "),
            "{lucent}"
        );
        let why = "--tv-start: no effect, because the weight of the total variation is 0";
        assert!(lucent.ends_with(why), "{lucent}");
        assert_eq!(
            told("x --baseline-weight 2").unwrap(),
            "--baseline-weight: no effect, because there is no baseline stage"
        );
        assert_eq!(told("x --baseline-weight 2 --baseline-steps 3"), None);
        assert_eq!(
            told("x --natural-form relative").unwrap(),
            "--natural-form: no effect, because --natural-weight is 0"
        );
        assert_eq!(told("x --natural-form relative --natural-weight 2"), None);
    }
}
