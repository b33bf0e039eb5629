//! The names that libraries give to the layers of one network.

use std::collections::{BTreeMap, BTreeSet};

use crate::weights::Weights;

/// A way to name the layers of a backbone.
pub(super) struct Dialect {
    /// The name of a tensor by which it is recognised.
    anchor: &'static str,
    /// Whose names these are; `None` for torchvision's own.
    pub(super) whose: Option<&'static str>,
    /// torchvision's name of a backbone's tensor; `None` for all others.
    pub(super) torchvision: fn(&str) -> Option<String>,
}

pub(super) const DIALECTS: [Dialect; 4] = [
    Dialect { anchor: "layer1.0.conv1.weight", whose: None, torchvision: resnet },
    Dialect { anchor: "inception3a.branch1.conv.weight", whose: None, torchvision: inception },
    Dialect {
        anchor: "4.0.conv1.weight",
        whose: Some("a Sequential of torchvision's modules, which are numbers"),
        torchvision: sequential,
    },
    Dialect {
        anchor: "encoder.stages.0.layers.0.layer.0.convolution.weight",
        whose: Some("Hugging Face's ResNet"),
        torchvision: hugging_face,
    },
];

impl Dialect {
    /// What comes before the names of each backbone in a file.
    pub(super) fn prefixes(&self, names: &BTreeSet<&str>) -> impl Iterator<Item = String> {
        let prefixes = names.iter().filter_map(|name| name.strip_suffix(self.anchor));
        prefixes.filter(|prefix| prefix.is_empty() || prefix.ends_with('.')).map(str::to_owned)
    }
}

/// With `shortcut` for `downsample`, as many networks for CIFAR have it.
fn resnet(name: &str) -> Option<String> {
    let module = name.split('.').next()?;
    let known = matches!(module, "conv1" | "bn1" | "layer1" | "layer2" | "layer3" | "layer4");
    known.then(|| name.replace(".shortcut.", ".downsample."))
}

fn inception(name: &str) -> Option<String> {
    let module = name.split('.').next()?;
    let known = module.starts_with("inception")
        || matches!(module, "conv1" | "conv2" | "conv3" | "aux1" | "aux2" | "norm1" | "norm2");
    known.then(|| name.to_owned())
}

/// `nn.Sequential(*resnet.children())`.
fn sequential(name: &str) -> Option<String> {
    let (module, rest) = name.split_once('.')?;
    let module = match module {
        "0" => "conv1",
        "1" => "bn1",
        "4" => "layer1",
        "5" => "layer2",
        "6" => "layer3",
        "7" => "layer4",
        _ => return None,
    };
    Some(format!("{module}.{rest}"))
}

/// `ResNetModel` of the library transformers.
fn hugging_face(name: &str) -> Option<String> {
    if let Some(rest) = name.strip_prefix("embedder.embedder.") {
        return part(rest, "conv1", "bn1");
    }
    let rest = name.strip_prefix("encoder.stages.")?;
    let (stage, rest) = rest.split_once(".layers.")?;
    let (block, rest) = rest.split_once('.')?;
    let at = format!("layer{}.{block}", stage.parse::<usize>().ok()?.checked_add(1)?);
    if let Some(rest) = rest.strip_prefix("shortcut.") {
        return Some(format!("{at}.{}", part(rest, "downsample.0", "downsample.1")?));
    }
    let (layer, rest) = rest.strip_prefix("layer.")?.split_once('.')?;
    let number = layer.parse::<usize>().ok()?.checked_add(1)?;
    Some(format!("{at}.{}", part(rest, &format!("conv{number}"), &format!("bn{number}"))?))
}

fn part(name: &str, convolution: &str, norm: &str) -> Option<String> {
    let (module, rest) = name.split_once('.')?;
    match module {
        "convolution" => Some(format!("{convolution}.{rest}")),
        "normalization" => Some(format!("{norm}.{rest}")),
        _ => None,
    }
}

/// The number of channels of the last layer, whose tensors have these names; 0 if it is not there.
pub(super) fn features(weights: &Weights, names: &BTreeMap<String, String>) -> usize {
    let outputs = |wanted: &str| {
        let (file, _) = names.iter().find(|(_, name)| *name == wanted)?;
        weights.shape(file)?.first().copied()
    };
    let in_block = |conv: &str| (0..).map_while(|block| outputs(&format!("layer4.{block}.{conv}.weight"))).last();
    let branches = ["branch1", "branch2.1", "branch3.1", "branch4.1"];
    let branch = |branch: &str| outputs(&format!("inception5b.{branch}.conv.weight"));
    let inception = || branches.into_iter().map(branch).try_fold(0usize, |sum, outputs| sum.checked_add(outputs?));
    in_block("conv3").or_else(|| in_block("conv2")).or_else(inception).unwrap_or(0)
}
