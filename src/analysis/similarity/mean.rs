//! The mean activations of a class, and their file.

use super::layers::Layers;
use crate::analysis::Ranks;
use crate::error::{Error, Result};
use crate::networks::{Network, Picture, Preprocessing};
use crate::shape::ImageSpec;
use crate::tensor_file::{TensorFile, Tensors};

/// The name and version of the layout.
const FORMAT: &str = "protogpu mean activations 2";
/// The layout of the versions that did not turn images upright, put them on white, or read JPEG files as Pillow does.
const FORMER: &str = "protogpu mean activations 1";
/// The name of the mean image's tensor. No module has this name.
const PIXELS: &str = "pixels";

/// Ā: the mean of each tensor over natural images of a class.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct MeanActivations {
    /// The class.
    pub(crate) class: usize,
    /// The averaged images.
    pub(crate) pictures: Vec<Picture>,
    /// Images that could not be read.
    pub(crate) unreadable: Vec<Picture>,
    /// The means, in the order of [`Layers::tensors`].
    pub(crate) means: Vec<Vec<f32>>,
    /// The mean image, `[C,H,W]` in `[0,1]`.
    pub(crate) pixels: Vec<f32>,
}

impl MeanActivations {
    /// Divides the sums of [`super::Correlator::add`], of which the last is that of the pixels.
    pub(crate) fn from_sums(class: usize, sums: &Sums) -> Self {
        let count = sums.pictures.len().max(1) as f64;
        let mean = |sums: &Vec<f64>| sums.iter().map(|sum| (sum / count) as f32).collect();
        let mut means: Vec<Vec<f32>> = sums.sums.iter().map(mean).collect();
        let pixels = means.pop().unwrap_or_default();
        Self { class, pictures: sums.pictures.clone(), unreadable: sums.unreadable.clone(), means, pixels }
    }

    /// Each tensor's ranks, for [`super::Targets::Mean`].
    ///
    /// # Errors
    /// If an activation is NaN or infinite.
    pub(crate) fn ranks(&self, layers: &Layers) -> Result<Vec<Ranks>> {
        let one = |(mean, name): (&Vec<f32>, &str)| {
            Ranks::of(mean)
                .map_err(|e| Error::input(format!("the mean output of {name} over class {}: {e}", self.class)))
        };
        self.means.iter().zip(layers.tensors()).map(one).collect()
    }

    /// The bytes of a safetensors file. It has each tensor under the name of the first module that shows it, the mean image
    /// as `pixels`, and metadata about class, network and images.
    pub(crate) fn to_bytes(&self, network: &Network, layers: &Layers) -> Vec<u8> {
        let ImageSpec { channels, height, width } = network.image();
        let listed = |pictures: &[Picture]| serde_json::to_string(pictures).expect("pictures are plain data");
        let mut file = TensorFile::default()
            .metadata("format", FORMAT)
            .metadata("class", self.class.to_string())
            .metadata("name", network.labels().name(self.class))
            .metadata("weights_sha256", network.weights().sha256())
            .metadata("architecture", network.architecture().to_string())
            .metadata("input", network.preprocessing().to_json())
            .metadata("pictures", listed(&self.pictures))
            .metadata("unreadable", listed(&self.unreadable))
            .tensor(PIXELS, &[channels, height, width], &self.pixels);
        for ((name, shape), mean) in layers.tensors().zip(layers.shapes(network)).zip(&self.means) {
            file = file.tensor(name, &shape, mean);
        }
        file.to_bytes()
    }

    /// The largest possible file of mean activations of this network, in bytes.
    pub(crate) fn most_bytes(network: &Network, layers: &Layers) -> u64 {
        let values: usize = layers.shapes(network).iter().map(|shape| shape.iter().product::<usize>()).sum();
        4 * (values + network.image().len()) as u64 + (16 << 20)
    }

    /// Reads the bytes of such a file, which are not trusted.
    ///
    /// # Errors
    /// If they are not such a file, or belong to another network or input.
    pub(crate) fn from_bytes(bytes: &[u8], network: &Network, layers: &Layers) -> Result<Self> {
        let mut file = Tensors::from_bytes(bytes)?;
        if file.optional_metadata("format") == Some(FORMER) {
            return Err(Error::input("an earlier version, which read images otherwise, made it: make it again"));
        }
        if file.optional_metadata("format") != Some(FORMAT) {
            return Err(Error::input("it is not a file of mean activations; `protogpu activations mean` writes them"));
        }
        let differs = |what: &str, there: &str, here: &str| {
            Err(Error::input(format!("it was made with {what} {there}, not {here}: make it again")))
        };
        let (there, here) = (file.metadata("weights_sha256")?, network.weights().sha256());
        if there != here {
            return differs("weights of sha256", there, here);
        }
        let (there, here) = (file.metadata("input")?, network.preprocessing());
        let input: Preprocessing =
            serde_json::from_str(there).map_err(|e| Error::input(format!("metadata `input`: {e}")))?;
        if &input != here {
            return differs("the input", there, &here.to_json());
        }
        let class = file.metadata("class")?;
        let class = class.parse().ok().filter(|&class: &usize| class < network.classes());
        let class = class.ok_or_else(|| Error::input("metadata `class` is not a class of the network"))?;
        let listed = |key: &str| -> Result<Vec<Picture>> {
            serde_json::from_str(file.metadata(key)?).map_err(|e| Error::input(format!("metadata `{key}`: {e}")))
        };
        let (pictures, unreadable) = (listed("pictures")?, listed("unreadable")?);
        let ImageSpec { channels, height, width } = network.image();
        let pixels = file.take_shaped(PIXELS, &[channels, height, width])?;
        let names = layers.tensors().zip(layers.shapes(network));
        let means = names.map(|(name, shape)| file.take_shaped(name, &shape)).collect::<Result<_>>()?;
        Ok(Self { class, pictures, unreadable, means, pixels })
    }
}

/// Sums of a class's activations, before they become a mean.
pub(crate) struct Sums {
    /// The images that were read.
    pub(crate) pictures: Vec<Picture>,
    /// The sum of each tensor; the last is that of the pixels.
    pub(crate) sums: Vec<Vec<f64>>,
    /// The images that could not be read.
    pub(crate) unreadable: Vec<Picture>,
    /// The reasons, with the paths.
    pub(crate) reasons: Vec<String>,
}
