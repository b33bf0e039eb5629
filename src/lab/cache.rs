//! Published weights, and the folder in which they are kept.

use std::path::PathBuf;

use crate::{Error, Result};
use etcetera::{BaseStrategy, choose_base_strategy};

/// The value of `weights` that stands for the published weights.
pub(crate) const IMAGENET: &str = "imagenet";

/// The variable that names another folder.
const VARIABLE: &str = "PROTOGPU_CACHE";

/// A file that torchvision publishes.
#[derive(Debug)]
pub(crate) struct Published {
    /// The network, by torchvision's name.
    pub(crate) model: &'static str,
    pub(crate) url: &'static str,
    /// The SHA-256 of the published file; its name has the first eight digits.
    pub(crate) sha256: &'static str,
    pub(crate) about: &'static str,
}

/// The published weights, from torchvision's `models/resnet.py` and `models/googlenet.py`.
pub(crate) const PUBLISHED: [Published; 2] = [
    Published {
        model: "resnet18",
        url: "https://download.pytorch.org/models/resnet18-f37072fd.pth",
        sha256: "f37072fd47e89c5e827621c5baffa7500819f7896bbacec160b1a16c560e07ec",
        about: "ResNet-18 with torchvision's IMAGENET1K_V1 weights",
    },
    Published {
        model: "googlenet",
        url: "https://download.pytorch.org/models/googlenet-1378be20.pth",
        sha256: "1378be20a8e875cf1568b8a71654e704449655e34711a959a38b04fb34905cef",
        about: "GoogLeNet with torchvision's IMAGENET1K_V1 weights, ported from TensorFlow",
    },
];

/// Their licence.
pub(crate) const LICENCE: &str = "BSD-3-Clause, as torchvision; what ImageNet's terms of use say of weights trained on its \
     pictures is for you to judge (https://github.com/pytorch/vision#pre-trained-model-license)";

impl Published {
    /// The published weights of a network.
    pub(crate) fn of(model: &str) -> Result<&'static Self> {
        PUBLISHED.iter().find(|published| published.model == model).ok_or_else(|| {
            let names: Vec<&str> = PUBLISHED.iter().map(|published| published.model).collect();
            Error::input(format!(
                "there are no published weights of `{}`, only of {}; see `protogpu models`",
                model.escape_debug(),
                names.join(", ")
            ))
        })
    }

    /// The name of the published file.
    pub(crate) fn file_name(&self) -> &'static str {
        self.url.rsplit('/').next().unwrap_or(self.url)
    }

    /// The path of the converted file, whether or not it exists.
    pub(crate) fn path(&self) -> Result<PathBuf> {
        Ok(folder()?.join(format!("{}_{IMAGENET}.safetensors", self.model)))
    }
}

/// The cache folder, which need not exist.
pub(crate) fn folder() -> Result<PathBuf> {
    if let Some(folder) = std::env::var_os(VARIABLE).filter(|folder| !folder.is_empty()) {
        return Ok(folder.into());
    }
    choose_base_strategy()
        .map(|strategy| strategy.cache_dir().join("protogpu"))
        .map_err(|reason| Error::input(format!("there is no cache folder ({reason}): set one in {VARIABLE}")))
}

/// The converted file of a network.
///
/// # Errors
/// If it was not downloaded.
pub(crate) fn imagenet(model: &str) -> Result<PathBuf> {
    let path = Published::of(model)?.path()?;
    if path.exists() {
        return Ok(path);
    }
    Err(Error::input(format!(
        "the ImageNet weights of {model} are missing ({}): `protogpu weights pull {model}` downloads them",
        path.display()
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_of_architectures_and_say_how_hashes_begin() {
        for published in &PUBLISHED {
            assert_eq!(published.sha256.len(), 64);
            assert!(crate::networks::Architecture::NAMES.contains(&published.model), "{}", published.model);
            assert_eq!(published.file_name(), format!("{}-{}.pth", published.model, &published.sha256[..8]));
        }
    }
}
