//! Networks that ship inside the program, for a start without any file.

use super::Network;
use crate::error::{Error, Result};
use crate::weights::Weights;

/// Networks of width 16, trained on pictures of the drawn world; `weights/README.md` says how.
const EMBEDDED: [(&str, &[u8]); 2] = [
    ("resnet18", include_bytes!("../../weights/world_resnet18_w16.safetensors")),
    ("googlenet", include_bytes!("../../weights/world_googlenet_w16.safetensors")),
];

/// The names of the embedded networks, the default first.
pub const NAMES: [&str; 2] = [EMBEDDED[0].0, EMBEDDED[1].0];

/// The embedded network that is taken where nothing else is asked for.
///
/// # Errors
/// None that a release does not test for.
pub fn default() -> Result<Network> {
    open(NAMES[0])
}

/// The embedded network of this name.
///
/// # Errors
/// [`Error::Input`] listing the names, if there is none.
///
/// ```
/// let network = protogpu::networks::embedded::open("resnet18")?;
/// assert!(network.labels().find("lighthouse").is_ok());
/// # Ok::<(), protogpu::Error>(())
/// ```
pub fn open(name: &str) -> Result<Network> {
    let Some((_, bytes)) = EMBEDDED.iter().find(|(known, _)| *known == name) else {
        let names = NAMES.join(", ");
        return Err(Error::input(format!("there is no built-in network `{name}`, only {names}")));
    };
    Network::from_weights(Weights::embedded(format!("the embedded {name}"), bytes)?)
}
