//! The types of single [`Settings`](super::settings::Settings). A choice has the same name in JSON and on the command line.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::SettingsError;
use crate::named::{as_string, named};
pub use crate::ops::Interpolation;
use crate::{Error, Result};

/// Named settings that others start from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Preset {
    /// The method of the paper. Where the paper leaves a choice, and in a few other places, measurements decided (`docs/defaults.md`).
    Paper,
    /// The method exactly as the paper states it, with the plainest choice where it leaves one: every step warps, learning rate and
    /// penalty are constant, and only the logit is maximised.
    PaperStrict,
    /// The method of the paper, with activations held close to those of photographs by the statistics that batch norms keep.
    Natural,
    /// DeepInversion's loss (Yin et al. 2020) for each image separately: cross-entropy, the statistics of batch norms with ten times the weight
    /// in the first layer, shifts and flips. Its image priors are so weak that their forms are other ones here, with gradients of the same size.
    DeepInversion,
    /// MACO (Fel et al. 2023) with this crate's optimizer: only the phases of a spectrum change; each step sees crops with noise.
    Maco,
    /// Lucent's defaults: a spectrum for an image of 128 x 128 pixels, Lucent's transforms, and no regularisation.
    Lucent,
    /// A JSON file of settings. The others come from the preset that it names under `preset`, or from `paper`.
    File(PathBuf),
}

impl fmt::Display for Preset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Paper => f.pad("paper"),
            Self::PaperStrict => f.pad("paper-strict"),
            Self::Natural => f.pad("natural"),
            Self::DeepInversion => f.pad("deepinversion"),
            Self::Maco => f.pad("maco"),
            Self::Lucent => f.pad("lucent"),
            Self::File(path) => path.display().fmt(f),
        }
    }
}

impl FromStr for Preset {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "paper" => Ok(Self::Paper),
            "paper-strict" | "letter" => Ok(Self::PaperStrict),
            "natural" => Ok(Self::Natural),
            "deepinversion" => Ok(Self::DeepInversion),
            "maco" => Ok(Self::Maco),
            "lucent" => Ok(Self::Lucent),
            path if path.ends_with(".json") => Ok(Self::File(path.into())),
            "table3" => Err(Error::input("`table3` is a grid of settings, for `protogpu sweep`")),
            _ => Err(Error::input(format!(
                "`{text}` is not paper, paper-strict, natural, deepinversion, maco, lucent or a file name that ends in .json"
            ))),
        }
    }
}

as_string!(Preset);

named! {
    /// What Adam changes.
    Parameterization {
        /// The image's pixels.
        Pixels = "pixels",
        /// The image's spectrum. A sigmoid follows; three channels are decorrelated.
        Fourier = "fourier",
        /// The phases of a spectrum whose magnitudes are fixed at those of photographs, 1/f (MACO, Fel et al. 2023). The rest is as for `fourier`.
        Phase = "phase",
    }
}

named! {
    /// The penalty on differences between vertically and horizontally adjacent pixels, over all channels.
    TvForm {
        /// Mean of the absolute differences, one mean for each direction.
        L1 = "l1",
        /// Mean of the squared differences, one mean for each direction.
        L2 = "l2",
        /// Sum of the absolute differences (total variation).
        L1Sum = "l1-sum",
        /// The length of the two differences together, `sqrt(dx² + dy² + eps)`.
        Isotropic = "isotropic",
    }
}

named! {
    /// The quantity whose variance over the classes the baseline stage minimises.
    BaselineForm {
        /// The probabilities.
        Softmax = "softmax",
        /// The logits.
        Logits = "logits",
    }
}

/// The colour outside the image, which a warp may show.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Fill {
    /// Black: 0 before the image is normalised, as if the warp came before normalisation.
    Black,
    /// The network's mean colour: 0 after the image is normalised, as if the warp came after normalisation.
    Mean,
    /// A colour in `[0,1]`, one value per channel of the network's images.
    Colour(Vec<f32>),
}

impl Fill {
    /// Checks that a colour lies within `[0,1]`.
    ///
    /// # Errors
    /// If it does not. The message names it.
    pub fn validate(&self) -> Result<()> {
        match self {
            Self::Colour(colour) if !colour.iter().all(|value| (0.0..=1.0).contains(value)) => {
                Err(self.must_be("black, mean or R,G,B with each from 0 to 1"))
            }
            _ => Ok(()),
        }
    }

    /// The value of each channel; `mean` is the network's mean colour.
    ///
    /// # Errors
    /// If a colour does not have as many values as `mean`.
    pub(super) fn channels(&self, mean: &[f32]) -> Result<Vec<f32>> {
        match self {
            Self::Black => Ok(vec![0.0; mean.len()]),
            Self::Mean => Ok(mean.to_vec()),
            Self::Colour(colour) if colour.len() == mean.len() => Ok(colour.clone()),
            Self::Colour(_) => {
                let count = mean.len();
                Err(self.must_be(&format!("black, mean or one number for each of the network's {count} channels")))
            }
        }
    }

    fn must_be(&self, expected: &str) -> Error {
        Error::Setting(SettingsError { field: "fill", value: self.to_string(), expected: expected.to_owned() })
    }
}

impl fmt::Display for Fill {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Black => f.write_str("black"),
            Self::Mean => f.write_str("mean"),
            Self::Colour(colour) => {
                let values: Vec<String> = colour.iter().map(f32::to_string).collect();
                f.write_str(&values.join(","))
            }
        }
    }
}

impl FromStr for Fill {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "black" => Ok(Self::Black),
            "mean" => Ok(Self::Mean),
            _ => numbers(text).map(Self::Colour).ok_or_else(|| {
                Error::input(format!("`{text}` is neither black, mean nor R,G,B (such as 0.5,0.5,0.5)"))
            }),
        }
    }
}

as_string!(Fill);

/// Where the optimisation starts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Init {
    /// Noise: uniform in [0,1) for pixels, normal for a spectrum.
    Uniform,
    /// An image file. Write `./uniform` for a file called `uniform`.
    Image(PathBuf),
}

impl fmt::Display for Init {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Uniform => f.write_str("uniform"),
            Self::Image(path) => path.display().fmt(f),
        }
    }
}

impl FromStr for Init {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "uniform" => Ok(Self::Uniform),
            "" => Err(Error::input("is empty: use `uniform` or an image file").field("init")),
            path => Ok(Self::Image(path.into())),
        }
    }
}

as_string!(Init);

/// Numbers separated by commas.
pub(crate) fn numbers<T: FromStr>(text: &str) -> Option<Vec<T>> {
    text.split(',').map(|part| part.trim().parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip() {
        for name in TvForm::NAMES {
            assert_eq!(&name.parse::<TvForm>().unwrap().to_string(), name);
        }
        for text in ["black", "mean", "0.1,0.25,1", "0.5", "0,0,0,1"] {
            assert_eq!(text.parse::<Fill>().unwrap().to_string(), text);
        }
        assert_eq!("uniform".parse::<Init>().unwrap(), Init::Uniform);
        assert_eq!("./uniform".parse::<Init>().unwrap(), Init::Image("./uniform".into()));
    }

    #[test]
    fn unknown_names_list_the_choices() {
        let error = "cubic".parse::<Interpolation>().unwrap_err().to_string();
        assert_eq!(error, "`cubic` is none of bilinear, nearest");
        for text in ["grey", "1,", "a,b,c", ""] {
            assert!(text.parse::<Fill>().is_err(), "{text}");
        }
    }
}
