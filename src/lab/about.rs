//! What reports say about a network.

use serde_json::{Value, json};

use crate::networks::Network;

/// The network of a report: its architecture, classes, weights with their SHA-256, and input.
pub(crate) fn about(network: &Network) -> Value {
    let weights = network.weights();
    json!({
        "architecture": network.architecture(),
        "classes": network.classes(),
        "weights": weights.name(),
        "sha256": weights.sha256(),
        "input": network.preprocessing(),
    })
}
