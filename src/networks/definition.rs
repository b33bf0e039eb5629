//! The differences between architectures.

use super::builder::Layers;
use super::preprocessing::Preprocessing;

/// Everything that distinguishes one architecture from the others.
pub(super) struct Definition {
    /// Its layers, from normalised pixels to the input of the head. Run without weights, they give
    /// the names and shapes of all tensors; run with weights, the graph.
    pub(super) layers: Layers,
    /// The preprocessing of the published weights.
    pub(super) preprocessing: fn() -> Preprocessing,
    /// The weights of the first convolution. Their first extent is the width of the network, their second one the number of channels
    /// of an image.
    pub(super) first: &'static str,
    /// Name prefixes of heads that only training uses: a file may have them, and they are ignored.
    pub(super) ignored_heads: &'static [&'static str],
}
