//! The last layer of a network: what each class looks for in the penultimate features.

use super::numbers::cosine;
use crate::networks::Network;

/// The weights of the last layer, less their mean over the classes.
pub(crate) struct Head {
    classes: usize,
    /// `[K,C]`.
    weights: Vec<f32>,
}

impl Head {
    /// Of a network whose last layer is linear and has a tensor `<layer>.weight`; otherwise `None`.
    pub(crate) fn of(network: &Network) -> Option<Self> {
        let graph = network.graph();
        let layer = format!("{}.weight", graph.node(graph.output()).name);
        let weights = network.weights().tensor_f32(&layer).ok()?;
        let classes = network.classes();
        (weights.len() >= classes && weights.len().is_multiple_of(classes)).then(|| Self::new(weights, classes))
    }

    fn new(mut weights: Vec<f32>, classes: usize) -> Self {
        let channels = weights.len() / classes;
        for channel in 0..channels {
            // Whatever all classes share moves no probability.
            let column = || (0..classes).map(|class| class * channels + channel);
            let mean = column().map(|at| f64::from(weights[at])).sum::<f64>() / classes as f64;
            column().for_each(|at| weights[at] = (f64::from(weights[at]) - mean) as f32);
        }
        Self { classes, weights }
    }

    /// The cosine between the weights of a class and those of each class, `[K]`.
    pub(crate) fn cosines(&self, class: usize) -> Vec<Option<f64>> {
        let channels = self.weights.len() / self.classes;
        let row = |class: usize| &self.weights[class * channels..(class + 1) * channels];
        (0..self.classes).map(|other| cosine(row(class), row(other))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_all_classes_share_does_not_count() {
        // Without the mean (10, 0): (-1, 0), (1, 1), (0, -1).
        let head = Head::new(vec![9.0, 0.0, 11.0, 1.0, 10.0, -1.0], 3);
        let found = head.cosines(0);
        let expected = [1.0, -(0.5f64.sqrt()), 0.0];
        for (found, expected) in found.iter().zip(expected) {
            assert!((found.unwrap() - expected).abs() < 1e-6, "{found:?} {expected}");
        }
        assert!(head.cosines(1)[2].unwrap() < -0.7);
    }
}
