//! Options that several subcommands share.

use std::path::{Path, PathBuf};

use crate::method::choices::numbers;
use crate::networks::{Architecture, Preprocessing, Semantics, embedded};
use crate::{Error, Result};
use clap::ValueEnum;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};

use crate::lab::cache::PUBLISHED;
use crate::lab::kernels::TuneFor;
use crate::lab::run::folder::Existing;

/// Which network.
#[derive(clap::Args, Clone, Debug, Default)]
#[command(next_help_heading = "Network")]
pub(crate) struct NetworkArgs {
    /// A safetensors or PyTorch file with torchvision's tensor names, or an ONNX model; or `imagenet`, the weights of --model that
    /// `protogpu weights pull` downloaded [default: a built-in network]
    #[arg(long, value_name = "FILE|imagenet")]
    pub(crate) weights: Option<PathBuf>,
    #[arg(long, value_name = "NAME", help = model_help())]
    pub(crate) model: Option<String>,
    /// Names of the classes: one per line, also with index or WordNet id before it; or JSON, such as a `config.json` with `id2label`
    #[arg(long, value_name = "FILE")]
    pub(crate) labels: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) taken: TakenArgs,
}

impl NetworkArgs {
    /// Records and reports are UTF-8 text and contain these paths.
    pub(crate) fn check_paths(&self, out: &Path) -> Result<()> {
        let paths = [Some(out), self.weights.as_deref(), self.labels.as_deref()];
        match paths.into_iter().flatten().find(|path| path.to_str().is_none()) {
            Some(path) => {
                let path = path.display();
                Err(Error::input(format!(
                    "{path}: the path is not UTF-8, so run.json cannot name it: rename the file or folder"
                )))
            }
            None => Ok(()),
        }
    }
}

/// The sides of images that a network may be given.
const INPUT_SIDES: std::ops::RangeInclusive<usize> = 8..=1024;

/// One number a channel. By this name clap takes it for a single value.
type PerChannel = Vec<f32>;

/// Height and width. By this name clap takes it for a single value.
type PairOfSides = [usize; 2];

/// Overrides how a weights file is interpreted.
#[derive(clap::Args, Clone, Debug, Default, PartialEq)]
#[command(next_help_heading = "Network")]
pub(crate) struct TakenArgs {
    /// Read the file as this architecture [default: recognised by tensor names and shapes]
    #[arg(long, value_name = "NAME", value_parser = architecture())]
    pub(crate) architecture: Option<Architecture>,
    /// The network among several in a checkpoint: the key of its tensors, or the beginning of their names [default: `state_dict`, `model`
    /// and similar]
    #[arg(long, value_name = "KEY")]
    pub(crate) key: Option<String>,
    /// Height and width of the network's images, in pixels; one number for both [default: from the file's metadata, else 224, or 32 for
    /// a network with the stem for CIFAR]
    #[arg(long, value_name = "H,W", value_parser = size)]
    pub(crate) input_size: Option<PairOfSides>,
    /// The value of a full pixel that the network expects: 1 in torchvision, 255 in Caffe [default: from the file's metadata,
    /// else the architecture's]
    #[arg(long, value_name = "1|255|X", allow_negative_numbers = true, value_parser = range)]
    pub(crate) input_range: Option<f32>,
    /// The mean to subtract from each channel, in units of that range; one number per channel [default: see --input-range]
    #[arg(long, value_name = "R,G,B", allow_hyphen_values = true, value_parser = mean)]
    pub(crate) input_mean: Option<PerChannel>,
    /// The standard deviation to divide each channel by after that; one number per channel [default: see --input-range]
    #[arg(long, value_name = "R,G,B", allow_hyphen_values = true, value_parser = std)]
    pub(crate) input_std: Option<PerChannel>,
    /// Apply torchvision's `transform_input` afterwards, which replaces ImageNet's mean and standard deviation by 0.5 and 0.5 [default: see
    /// --input-range]
    #[arg(long, value_name = "BOOL")]
    pub(crate) transform_input: Option<bool>,
}

impl TakenArgs {
    /// `input`, with the given options in place of its values.
    pub(crate) fn over(&self, input: Preprocessing) -> Preprocessing {
        Preprocessing {
            range: self.input_range.unwrap_or(input.range),
            mean: self.input_mean.clone().unwrap_or(input.mean),
            std: self.input_std.clone().unwrap_or(input.std),
            transform_input: self.transform_input.unwrap_or(input.transform_input),
        }
    }

    /// The given options, completed by `input`.
    pub(crate) fn or_input(self, input: Preprocessing) -> Self {
        let Preprocessing { range, mean, std, transform_input } = self.over(input);
        Self {
            input_range: Some(range),
            input_mean: Some(mean),
            input_std: Some(std),
            transform_input: Some(transform_input),
            ..self
        }
    }
}

/// What is printed.
#[derive(clap::Args, Clone, Copy, Debug)]
pub(crate) struct PrintArgs {
    /// Print nothing but errors
    #[arg(long)]
    pub(crate) quiet: bool,
    /// Print the results as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// What happens to prototypes of an earlier run.
#[derive(clap::Args, Clone, Copy, Debug)]
pub(crate) struct ExistingArgs {
    /// Continue from the checkpoints of an interrupted run; with more --steps only if neither learning rate nor penalty depends
    /// on them
    #[arg(long)]
    resume: bool,
    /// Start again and replace the files of an earlier run
    #[arg(long, conflicts_with = "resume")]
    force: bool,
}

impl ExistingArgs {
    pub(crate) fn wanted(self) -> Existing {
        Existing::of(self.resume, self.force)
    }
}

/// What computes: a network on an adapter.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct EngineArgs {
    #[command(flatten)]
    pub(crate) network: NetworkArgs,
    #[command(flatten)]
    pub(crate) adapter: AdapterArgs,
}

/// Which adapter.
#[derive(clap::Args, Clone, Debug, Default)]
#[command(next_help_heading = "Adapter")]
pub(crate) struct AdapterArgs {
    /// The adapter, by its index or a part of its name, which `protogpu adapters` lists [default: the fastest kind]
    #[arg(long, value_name = "INDEX|NAME")]
    pub(crate) adapter: Option<String>,
}

impl ValueEnum for TuneFor {
    fn value_variants<'a>() -> &'a [Self] {
        &[Self::Image, Self::Batch, Self::Off]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        let (name, help) = match self {
            Self::Image => {
                ("image", "For one image, whatever the batch: an image has the same bits alone and in any batch")
            }
            Self::Batch => ("batch", "For the run's batch: faster, but an image's bits depend on its batch size"),
            Self::Off => ("off", "A fixed choice of kernels"),
        };
        Some(PossibleValue::new(name).help(help))
    }
}

/// How kernels are chosen.
#[derive(clap::Args, Clone, Copy, Debug)]
pub(crate) struct TuneArgs {
    /// Time the kernels in the first run on this adapter and keep the fastest: for one image, for the run's batch, or off
    #[arg(
        long,
        value_name = "FOR",
        value_enum,
        env = "PROTOGPU_TUNE",
        default_value = "image",
        hide_env_values = true
    )]
    tune: TuneFor,
    /// Same as --tune off
    #[arg(long)]
    no_tune: bool,
}

impl TuneArgs {
    /// What the trials optimise for.
    pub(crate) fn wanted(self) -> TuneFor {
        if self.no_tune { TuneFor::Off } else { self.tune }
    }
}

/// What a hook keeps. The former names are understood too.
pub(crate) fn hook() -> impl TypedValueParser<Value = Semantics> {
    let names = [("copy", "snapshot"), ("reference", "torch-alias")];
    PossibleValuesParser::new(names.map(|(name, former)| PossibleValue::new(name).alias(former)))
        .map(|name| if name == "copy" || name == "snapshot" { Semantics::Snapshot } else { Semantics::TorchAlias })
}

/// Parses an architecture's name; help and errors list all names.
pub(crate) fn architecture() -> impl TypedValueParser<Value = Architecture> {
    PossibleValuesParser::new(Architecture::OF_TENSORS).try_map(|name| name.parse::<Architecture>())
}

fn model_help() -> String {
    let published: Vec<&str> = PUBLISHED.iter().map(|published| published.model).collect();
    let (embedded, first, published) = (embedded::NAMES.join(", "), embedded::NAMES[0], published.join(", "));
    format!(
        "A built-in network: {embedded}; or, with --weights imagenet, a published one: {published}; see `protogpu models` \
         [default: {first}]"
    )
}

fn size(text: &str) -> Result<PairOfSides, String> {
    let sides: Option<Vec<usize>> = text.split([',', 'x']).map(|side| side.trim().parse().ok()).collect();
    let sides = sides.filter(|sides| sides.iter().all(|side| INPUT_SIDES.contains(side)));
    match sides.as_deref() {
        Some(&[side]) => Ok([side; 2]),
        Some(&[height, width]) => Ok([height, width]),
        _ => {
            Err(format!("give height and width, such as 64,64, from {} to {}", INPUT_SIDES.start(), INPUT_SIDES.end()))
        }
    }
}

fn range(text: &str) -> Result<f32, String> {
    let value = text.trim().parse().ok().filter(|&value| is_divisor(value));
    value.ok_or_else(|| "give 1, 255 or another positive number".into())
}

fn mean(text: &str) -> Result<PerChannel, String> {
    let values = numbers(text).filter(|values: &PerChannel| values.iter().all(|value| value.is_finite()));
    values.ok_or_else(|| "give a number for each channel, red first, such as 0.485,0.456,0.406".into())
}

fn std(text: &str) -> Result<PerChannel, String> {
    let values = numbers(text).filter(|values: &PerChannel| values.iter().all(|&value| is_divisor(value)));
    values.ok_or_else(|| "give a positive number for each channel, red first, such as 0.229,0.224,0.225".into())
}

fn is_divisor(value: f32) -> bool {
    value.is_normal() && value > 0.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_option_overrides_its_part() {
        let own = Preprocessing::caffe();
        assert_eq!(TakenArgs::default().over(own.clone()), own);
        let range = TakenArgs { input_range: Some(2.0), ..TakenArgs::default() };
        assert_eq!(range.over(own.clone()), Preprocessing { range: 2.0, ..own.clone() });
        let mean = TakenArgs { input_mean: Some(vec![1.0; 3]), ..TakenArgs::default() };
        assert_eq!(mean.over(own.clone()), Preprocessing { mean: vec![1.0; 3], ..own.clone() });
        let std = TakenArgs { input_std: Some(vec![4.0; 3]), ..TakenArgs::default() };
        assert_eq!(std.over(own.clone()), Preprocessing { std: vec![4.0; 3], ..own.clone() });
        let transformed = TakenArgs { transform_input: Some(true), ..TakenArgs::default() };
        assert_eq!(transformed.over(own.clone()), Preprocessing { transform_input: true, ..own.clone() });
        // Options override a record's input, which overrides the file's metadata.
        let recorded = range.or_input(own.clone());
        assert_eq!(recorded.over(Preprocessing::imagenet()), Preprocessing { range: 2.0, ..own });
    }
}
