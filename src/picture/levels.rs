//! Images in 8 bits, between files and numbers.

use image::{ExtendedColorType, ImageEncoder};

use crate::error::{Error, Result};

/// An image in 8 bits, channels last.
#[derive(Clone)]
pub(super) struct Levels {
    pub(super) channels: usize,
    pub(super) height: usize,
    pub(super) width: usize,
    pub(super) values: Vec<u8>,
}

impl Levels {
    /// Writes the image with an encoder.
    pub(super) fn encode(&self, encoder: impl ImageEncoder) -> Result<()> {
        let colour = match self.channels {
            1 => ExtendedColorType::L8,
            3 => ExtendedColorType::Rgb8,
            _ => ExtendedColorType::Rgba8,
        };
        let encoded = encoder.write_image(&self.values, self.width as u32, self.height as u32, colour);
        encoded.map_err(|e| Error::input(format!("a picture cannot be encoded: {e}")))
    }
}
