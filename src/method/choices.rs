//! The choices among [`Settings`](super::settings::Settings), each with one name for Rust, JSON and the command line.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::SettingsError;
use crate::named::{as_string, named};
pub use crate::ops::Interpolation;
use crate::{Error, Result};

/// What settings start from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Preset {
    /// The method of the paper; what it leaves open, and some of what it does not, by measurement (`docs/defaults.md`).
    Paper,
    /// The paper to the letter, where it says something; its open points plain: every step warps, learning rate and penalty stay what
    /// they are, and the logit alone is maximised.
    PaperStrict,
    /// Lucent's defaults: a spectrum of 128 pixels to a side, its transforms, and no regularisation.
    Lucent,
    /// A JSON file of settings, laid over the preset that it names under `preset`, or over the paper's.
    File(PathBuf),
}

impl fmt::Display for Preset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Paper => f.pad("paper"),
            Self::PaperStrict => f.pad("paper-strict"),
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
            "lucent" => Ok(Self::Lucent),
            path if path.ends_with(".json") => Ok(Self::File(path.into())),
            "table3" => Err(Error::input("`table3` is a grid of settings, for `protogpu sweep`")),
            _ => Err(Error::input(format!(
                "`{text}` is not paper, paper-strict, lucent or a file name that ends in .json"
            ))),
        }
    }
}

as_string!(Preset);

named! {
    /// What is optimised.
    Parameterization {
        /// The image's pixels.
        Pixels = "pixels",
        /// The image's spectrum, of decorrelated colours, with a sigmoid behind.
        Fourier = "fourier",
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
    /// What the baseline stage takes the variance of, over the classes.
    BaselineForm {
        /// The probabilities.
        Softmax = "softmax",
        /// The logits.
        Logits = "logits",
    }
}

/// What the warp shows where it leaves the picture.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Fill {
    /// Black: zero before normalising, as when the warp comes first.
    Black,
    /// The network's mean colour: zero after normalising, as when the warp comes last.
    Mean,
    /// A colour in `[0,1]`, one value per channel of the network's images.
    Colour(Vec<f32>),
}

impl Fill {
    /// Whether a colour lies within `[0,1]`.
    ///
    /// # Errors
    /// If not; the message names it.
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
    /// Noise: every pixel drawn from U[0,1), or every number of a spectrum from a normal distribution.
    Uniform,
    /// A picture file. One that is called `uniform` is reached as `./uniform`.
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
pub fn numbers<T: FromStr>(text: &str) -> Option<Vec<T>> {
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
