//! Options that several subcommands share.

use std::path::{Path, PathBuf};

use crate::method::choices::numbers;
use crate::networks::{Architecture, Preprocessing, embedded};
use crate::{Error, Result};
use clap::builder::{PossibleValuesParser, TypedValueParser};

use crate::lab::cache::PUBLISHED;

/// Which network.
#[derive(clap::Args, Clone, Debug, Default)]
#[command(next_help_heading = "Network")]
pub(crate) struct NetworkArgs {
    /// Weights with torchvision's names of a ResNet-18, a GoogLeNet or an InceptionV1, a safetensors file or one of PyTorch; or
    /// `imagenet`, those of --model that `protogpu weights pull` fetched [default: the embedded network's]
    #[arg(long, value_name = "FILE|imagenet")]
    pub(crate) weights: Option<PathBuf>,
    #[arg(long, value_name = "NAME", help = model_help())]
    pub(crate) model: Option<String>,
    /// Names of the classes: one a line, or index, WordNet id and name separated by tabs
    #[arg(long, value_name = "FILE")]
    pub(crate) labels: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) taken: TakenArgs,
}

impl NetworkArgs {
    /// Records and reports are text, and name these and the folder that they are in.
    pub(crate) fn check_paths(&self, out: &Path) -> Result<()> {
        let paths = [Some(out), self.weights.as_deref(), self.labels.as_deref()];
        match paths.into_iter().flatten().find(|path| path.to_str().is_none()) {
            Some(path) => {
                let path = path.display();
                Err(Error::input(format!("{path}: the path is not UTF-8, and run.json names it: rename it")))
            }
            None => Ok(()),
        }
    }
}

/// As what a network is taken, where that is not what its file says.
#[derive(clap::Args, Clone, Debug, Default, PartialEq)]
#[command(next_help_heading = "Network")]
pub(crate) struct TakenArgs {
    /// Take a file's tensors as this network's [default: recognised by the tensors]
    #[arg(long, value_name = "NAME", value_parser = architecture())]
    pub(crate) architecture: Option<Architecture>,
    /// The value of a full pixel in what the network expects: 1 as torchvision, 255 as Caffe [default: the file's or the
    /// architecture's]
    #[arg(long, value_name = "1|255|X", allow_negative_numbers = true, value_parser = range)]
    pub(crate) input_range: Option<f32>,
    /// What it expects to be subtracted from each channel, in units of that range [default: likewise]
    #[arg(long, value_name = "R,G,B", allow_hyphen_values = true, value_parser = mean)]
    pub(crate) input_mean: Option<[f32; 3]>,
    /// What it expects each channel to be divided by after that [default: likewise]
    #[arg(long, value_name = "R,G,B", allow_hyphen_values = true, value_parser = std)]
    pub(crate) input_std: Option<[f32; 3]>,
    /// Whether torchvision's `transform_input` follows, from ImageNet's mean and deviation to 0.5 and 0.5 [default: likewise]
    #[arg(long, value_name = "BOOL")]
    pub(crate) transform_input: Option<bool>,
}

impl TakenArgs {
    /// An input with the parts that were given laid over it.
    pub(crate) fn over(&self, input: Preprocessing) -> Preprocessing {
        Preprocessing {
            range: self.input_range.unwrap_or(input.range),
            mean: self.input_mean.unwrap_or(input.mean),
            std: self.input_std.unwrap_or(input.std),
            transform_input: self.transform_input.unwrap_or(input.transform_input),
        }
    }

    /// The same, with those parts of an input that were not given.
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

/// Which adapter.
#[derive(clap::Args, Clone, Debug, Default)]
#[command(next_help_heading = "Adapter")]
pub(crate) struct AdapterArgs {
    /// By its index or a part of its name, as `protogpu adapters` lists them [default: the fastest kind]
    #[arg(long, value_name = "INDEX|NAME")]
    pub(crate) adapter: Option<String>,
}

/// An architecture by its name; help and errors list all.
pub(crate) fn architecture() -> impl TypedValueParser<Value = Architecture> {
    PossibleValuesParser::new(Architecture::NAMES).try_map(|name| name.parse::<Architecture>())
}

fn model_help() -> String {
    let published: Vec<&str> = PUBLISHED.iter().map(|published| published.model).collect();
    let (embedded, first, published) = (embedded::NAMES.join(", "), embedded::NAMES[0], published.join(", "));
    format!(
        "An embedded network: {embedded}; or with --weights imagenet a published one: {published}. `protogpu models` tells \
         of them [default: {first}]"
    )
}

fn range(text: &str) -> Result<f32, String> {
    let value = text.trim().parse().ok().filter(|&value| is_divisor(value));
    value.ok_or_else(|| "give 1, 255 or another positive number".into())
}

fn mean(text: &str) -> Result<[f32; 3], String> {
    let values = numbers(text).filter(|values: &[f32; 3]| values.iter().all(|value| value.is_finite()));
    values.ok_or_else(|| "give three numbers, red first, such as 0.485,0.456,0.406".into())
}

fn std(text: &str) -> Result<[f32; 3], String> {
    let values = numbers(text).filter(|values: &[f32; 3]| values.iter().all(|&value| is_divisor(value)));
    values.ok_or_else(|| "give three positive numbers, red first, such as 0.229,0.224,0.225".into())
}

fn is_divisor(value: f32) -> bool {
    value.is_normal() && value > 0.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_option_overrides_its_part() {
        let own = Preprocessing::CAFFE;
        assert_eq!(TakenArgs::default().over(own), own);
        let range = TakenArgs { input_range: Some(2.0), ..TakenArgs::default() };
        assert_eq!(range.over(own), Preprocessing { range: 2.0, ..own });
        let mean = TakenArgs { input_mean: Some([1.0; 3]), ..TakenArgs::default() };
        assert_eq!(mean.over(own), Preprocessing { mean: [1.0; 3], ..own });
        let std = TakenArgs { input_std: Some([4.0; 3]), ..TakenArgs::default() };
        assert_eq!(std.over(own), Preprocessing { std: [4.0; 3], ..own });
        let transformed = TakenArgs { transform_input: Some(true), ..TakenArgs::default() };
        assert_eq!(transformed.over(own), Preprocessing { transform_input: true, ..own });
        // A record's input gives way to options, and hides what the file says.
        let recorded = range.or_input(own);
        assert_eq!(recorded.over(Preprocessing::IMAGENET), Preprocessing { range: 2.0, ..own });
    }
}
