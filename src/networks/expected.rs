//! The preprocessing that weights expect: from their file, or else the usual one for their architecture.

use super::architecture::Architecture;
use super::preprocessing::Preprocessing;
use crate::error::{Error, Result};
use crate::suggest::shown;
use crate::weights::Weights;

impl Preprocessing {
    /// The preprocessing that the published weights of an architecture expect; for `onnx`, torchvision's. They take three channels. For
    /// any other number of channels, it is `Preprocessing::identity`.
    pub fn usual(architecture: Architecture, channels: usize) -> Self {
        let usual = architecture.definition().map_or_else(Self::imagenet, |definition| (definition.preprocessing)());
        if usual.mean.len() == channels { usual } else { Self::identity(channels) }
    }

    /// The preprocessing in the metadata of weights: the keys `range`, `mean`, `std` and `transform_input`, each in JSON. A missing
    /// key has its usual value.
    ///
    /// # Errors
    /// If a key holds another kind of value, or the result fails [`Preprocessing::check`].
    pub fn of(weights: &Weights, architecture: Architecture) -> Result<Self> {
        let channels = match weights.onnx() {
            Some(model) => super::onnx::image_of(weights, model)?.0,
            None => architecture.usual_image(weights).channels,
        };
        fn said<T: serde::de::DeserializeOwned>(weights: &Weights, key: &str, usual: T) -> Result<T> {
            let Some(text) = weights.metadata().get(key) else { return Ok(usual) };
            serde_json::from_str(text).map_err(|e| {
                let (name, reason) = (weights.name(), shown(&e.to_string()));
                Error::input(format!("{name}: `{key}` in its metadata is not valid: {reason}"))
            })
        }
        let usual = Self::usual(architecture, channels);
        let input = Self {
            range: said(weights, "range", usual.range)?,
            mean: said(weights, "mean", usual.mean)?,
            std: said(weights, "std", usual.std)?,
            transform_input: said(weights, "transform_input", usual.transform_input)?,
        };
        input.check_for(channels).map_err(|e| Error::input(format!("{}: in its metadata, {e}", weights.name())))?;
        Ok(input)
    }
}
