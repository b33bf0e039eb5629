//! The built-in networks.

use super::Network;
use crate::error::{Error, Result};
use crate::weights::Weights;

/// Networks of width 16, trained on synthetic images; see `weights/README.md`.
const EMBEDDED: [(&str, &[u8]); 2] = [
    ("resnet18", include_bytes!("../../weights/world_resnet18_w16.safetensors")),
    ("googlenet", include_bytes!("../../weights/world_googlenet_w16.safetensors")),
];

/// The names of the built-in networks, the default first.
pub const NAMES: [&str; 2] = [EMBEDDED[0].0, EMBEDDED[1].0];

/// The default built-in network.
///
/// # Errors
/// Never in practice: the tests open it.
pub fn default() -> Result<Network> {
    open(NAMES[0])
}

/// The built-in network `name`.
///
/// # Errors
/// [`Error::Input`] with the names, if there is no such network.
///
/// ```
/// let network = protogpu::networks::embedded::open("resnet18")?;
/// assert!(network.labels().find("lighthouse").is_ok());
/// # Ok::<(), protogpu::Error>(())
/// ```
pub fn open(name: &str) -> Result<Network> {
    Network::from_weights(weights(name)?)
}

/// Its weights.
pub(crate) fn weights(name: &str) -> Result<Weights> {
    let Some((_, bytes)) = EMBEDDED.iter().find(|(known, _)| *known == name) else {
        let names = NAMES.join(", ");
        return Err(Error::input(format!("there is no built-in network `{name}`, only {names}")));
    };
    Weights::embedded(format!("the embedded {name}"), bytes)
}
