//! A class's mean activations, and the file that keeps them.

use std::fs::File;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::layers::Layers;
use super::observer::Observer;
use crate::analysis::{ImageFolder, Ranks};
use crate::digest::sha256_of;
use crate::error::{Error, Result};
use crate::networks::{Network, Preprocessing};
use crate::tensor_file::{TensorFile, Tensors};

/// The layout's name and version.
const FORMAT: &str = "protogpu mean activations 1";
/// The tensor of the mean picture. No module is called so.
const PIXELS: &str = "pixels";

/// A natural picture that was read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Picture {
    /// From the folder of all classes on, with `/` between folders.
    pub file: String,
    /// Of the file's bytes; empty if they cannot be read.
    pub sha256: String,
}

impl Picture {
    /// Those of some paths of a folder.
    pub fn of(folder: &ImageFolder, paths: &[PathBuf]) -> Vec<Self> {
        let digest = |path: &PathBuf| File::open(path).and_then(sha256_of).unwrap_or_default();
        paths.iter().map(|path| Self { file: folder.relative(path), sha256: digest(path) }).collect()
    }
}

/// Ā: what each tensor shows on average over natural pictures of a class.
#[derive(Clone, Debug, PartialEq)]
pub struct MeanActivations {
    /// The class.
    pub class: usize,
    /// The pictures that it is the mean of.
    pub pictures: Vec<Picture>,
    /// Those that were to be part of it and could not be read.
    pub unreadable: Vec<Picture>,
    /// By tensor of [`Layers::tensors`].
    pub means: Vec<Vec<f32>>,
    /// The mean picture, `[3,H,W]` in `[0,1]`.
    pub pixels: Vec<f32>,
}

impl MeanActivations {
    /// From the sums over pictures, the pixels' last, as [`Observer::add`] makes them.
    pub fn from_sums(class: usize, sums: &Sums) -> Self {
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
    pub fn ranks(&self, layers: &Layers) -> Result<Vec<Ranks>> {
        let one = |(mean, name): (&Vec<f32>, &str)| {
            Ranks::of(mean)
                .map_err(|e| Error::input(format!("the mean output of {name} over class {}: {e}", self.class)))
        };
        self.means.iter().zip(layers.tensors()).map(one).collect()
    }

    /// The bytes of a safetensors file with a tensor for each of the network's, named after the first module that shows it,
    /// `pixels` with the mean picture, and metadata that say what of.
    pub fn to_bytes(&self, network: &Network, layers: &Layers) -> Vec<u8> {
        let side = network.input().h();
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
            .tensor(PIXELS, &[3, side, side], &self.pixels);
        for ((name, shape), mean) in layers.tensors().zip(layers.shapes(network)).zip(&self.means) {
            file = file.tensor(name, &shape, mean);
        }
        file.to_bytes()
    }

    /// The largest file that this network's mean can be.
    pub fn most_bytes(network: &Network, layers: &Layers) -> u64 {
        let values: usize = layers.shapes(network).iter().map(|shape| shape.iter().product::<usize>()).sum();
        4 * (values + network.input().image_len()) as u64 + (16 << 20)
    }

    /// Reads such a file's bytes, of unknown origin.
    ///
    /// # Errors
    /// If it is none, or not of this network and its input.
    pub fn from_bytes(bytes: &[u8], network: &Network, layers: &Layers) -> Result<Self> {
        let mut file = Tensors::from_bytes(bytes)?;
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
        if input != here {
            return differs("the input", there, &here.to_json());
        }
        let class = file.metadata("class")?;
        let class = class.parse().ok().filter(|&class: &usize| class < network.classes());
        let class = class.ok_or_else(|| Error::input("metadata `class` is not a class of the network"))?;
        let listed = |key: &str| -> Result<Vec<Picture>> {
            serde_json::from_str(file.metadata(key)?).map_err(|e| Error::input(format!("metadata `{key}`: {e}")))
        };
        let (pictures, unreadable) = (listed("pictures")?, listed("unreadable")?);
        let side = network.input().h();
        let pixels = file.take_shaped(PIXELS, &[3, side, side])?;
        let names = layers.tensors().zip(layers.shapes(network));
        let means = names.map(|(name, shape)| file.take_shaped(name, &shape)).collect::<Result<_>>()?;
        Ok(Self { class, pictures, unreadable, means, pixels })
    }
}

/// Sums of a class's activations, before they become a mean.
pub struct Sums {
    /// The pictures that were read.
    pub pictures: Vec<Picture>,
    /// By tensor, the pixels' last.
    pub sums: Vec<Vec<f64>>,
    /// Pictures that could not be.
    pub unreadable: Vec<Picture>,
    /// Why not, each by its path.
    pub reasons: Vec<String>,
}

impl Sums {
    /// Streams a class's pictures through the network.
    ///
    /// # Errors
    /// If no picture can be read, or `progress` returns one.
    pub fn over(
        observer: &mut Observer,
        folder: &ImageFolder,
        paths: &[PathBuf],
        progress: &mut dyn FnMut(usize) -> Result<()>,
    ) -> Result<Self> {
        let mut sums = Vec::new();
        let streamed = observer.add(paths, &mut sums, progress)?;
        let read: Vec<PathBuf> = streamed.seen.iter().map(|&(index, ())| paths[index].clone()).collect();
        if let (true, Some((_, first))) = (read.is_empty(), streamed.unreadable.first()) {
            return Err(Error::input(format!("none of {} images can be read: {first}", paths.len())));
        }
        let lost: Vec<PathBuf> = streamed.unreadable.iter().map(|&(index, _)| paths[index].clone()).collect();
        let reasons = streamed.unreadable.iter().map(|(_, error)| error.to_string()).collect();
        Ok(Self { pictures: Picture::of(folder, &read), unreadable: Picture::of(folder, &lost), sums, reasons })
    }
}
