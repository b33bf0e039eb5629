//! The outputs of a network's modules for an image, as a file.

use std::io::Write;
use std::path::Path;

use super::pictures::Tally;
use crate::analysis::Activations;
use crate::atomic::write_atomically;
use crate::gpu::Context;
use crate::networks::{Module, Network, Semantics};
use crate::picture::{Prepared, prepare};
use crate::tensor_file::TensorFile;
use crate::{Result, Shape};

/// An image, and the modules whose outputs are wanted.
pub(crate) struct ActivationsRequest<'a> {
    network: &'a Network,
    image: &'a Path,
    pixels: Vec<f32>,
    tally: Tally,
    modules: Vec<&'a Module>,
    semantics: Semantics,
}

impl<'a> ActivationsRequest<'a> {
    /// Reads the image, and finds the named modules; all modules if none is named.
    ///
    /// # Errors
    /// If the network has no module of a name, or the image cannot be read.
    pub(crate) fn new(network: &'a Network, image: &'a Path, named: &[String], semantics: Semantics) -> Result<Self> {
        for name in named {
            network.module(name)?;
        }
        let wanted = |module: &&Module| named.is_empty() || named.contains(&module.name);
        let modules = network.modules().iter().filter(wanted).collect();
        let (Prepared { pixels, on_white }, mut tally) = (prepare(image, network.image())?, Tally::default());
        tally.add(image, on_white);
        Ok(Self { network, image, pixels, tally, modules, semantics })
    }

    /// How the image was read.
    pub(crate) fn note(&self) -> Option<String> {
        self.tally.note()
    }

    /// Writes a tensor per module, in the network's order, and returns their names and shapes.
    pub(crate) fn write(&self, context: &Context, out: &Path) -> Result<Vec<(String, Shape)>> {
        let mut activations = Activations::new(context, self.network, 1)?;
        activations.run(&self.pixels)?;
        let read = |module: &&Module| Ok((module.name.clone(), activations.read(module, self.semantics)?));
        let outputs: Vec<(String, (Shape, Vec<f32>))> = self.modules.iter().map(read).collect::<Result<_>>()?;
        let mut file = TensorFile::default()
            .metadata("format", "protogpu activations 1")
            .metadata("semantics", self.semantics.to_string())
            .metadata("image", self.image.display().to_string())
            .metadata("weights_sha256", self.network.weights().sha256())
            .metadata("input", self.network.preprocessing().to_json());
        for (name, (shape, values)) in &outputs {
            file = file.tensor(name.as_str(), shape.extents(), values);
        }
        let bytes = file.to_bytes();
        write_atomically(out, |out| out.write_all(&bytes))?;
        Ok(outputs.into_iter().map(|(name, (shape, _))| (name, shape)).collect())
    }
}
