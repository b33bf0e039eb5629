//! The gradient of a class's logit with respect to the pixels of an image, as a file and as a picture.

use std::io::Write;
use std::path::Path;

use super::pictures::Tally;
use super::top::{Top, top};
use crate::Result;
use crate::analysis::gradient;
use crate::atomic::write_atomically;
use crate::gpu::Context;
use crate::networks::Network;
use crate::picture::{Prepared, prepare, write_png};
use crate::tensor_file::TensorFile;

/// An image and a class.
pub(crate) struct GradientRequest<'a> {
    network: &'a Network,
    image: &'a Path,
    pixels: Vec<f32>,
    tally: Tally,
    class: usize,
}

/// What a gradient's files do not show at a glance.
pub(crate) struct Found {
    /// The class with its logit and probability.
    pub(crate) class: Top,
    /// The largest absolute value of the gradient.
    pub(crate) largest: f32,
}

impl<'a> GradientRequest<'a> {
    /// Reads the image.
    pub(crate) fn new(network: &'a Network, image: &'a Path, class: usize) -> Result<Self> {
        let (Prepared { pixels, on_white }, mut tally) = (prepare(image, network.image())?, Tally::default());
        tally.add(image, on_white);
        Ok(Self { network, image, pixels, tally, class })
    }

    /// How the image was read.
    pub(crate) fn note(&self) -> Option<String> {
        self.tally.note()
    }

    /// Writes the gradient, and draws it if `png` names a file.
    pub(crate) fn write(&self, context: &Context, out: &Path, png: Option<&Path>) -> Result<Found> {
        let (network, class) = (self.network, self.class);
        let found = gradient(context, network, &self.pixels, class)?;
        let bytes = TensorFile::default()
            .metadata("format", "protogpu gradient 1")
            .metadata("class", class.to_string())
            .metadata("class_name", network.labels().name(class))
            .metadata("image", self.image.display().to_string())
            .metadata("weights_sha256", network.weights().sha256())
            .metadata("input", network.preprocessing().to_json())
            .tensor("gradient", network.image().batch(1).extents(), &found.gradient)
            .tensor("logits", &[1, found.logits.len()], &found.logits)
            .to_bytes();
        write_atomically(out, |out| out.write_all(&bytes))?;
        if let Some(png) = png {
            write_png(png, &drawn(&found.gradient), network.image())?;
        }
        let all = top(&found.logits, usize::MAX, network.labels());
        let class = all.into_iter().find(|top| top.index == class).expect("all classes are there");
        let largest = found.gradient.iter().fold(0.0, |largest: f32, value| value.abs().max(largest));
        Ok(Found { class, largest })
    }
}

/// Zero in the middle of `[0,1]`, and three standard deviations at its ends: a single spike would leave the rest grey.
fn drawn(gradient: &[f32]) -> Vec<f32> {
    let squares: f64 = gradient.iter().map(|&value| f64::from(value) * f64::from(value)).sum();
    let deviation = (squares / gradient.len() as f64).sqrt();
    let scale = if deviation > 0.0 { 1.0 / (6.0 * deviation) } else { 0.0 };
    gradient.iter().map(|&value| (0.5 + f64::from(value) * scale) as f32).collect()
}
