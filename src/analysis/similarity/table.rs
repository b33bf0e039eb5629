//! Path similarity as a table: what `similarity.json` holds.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::analysis::study::{Interval, Resampling, bootstrap_mean, sign_flips};
use crate::networks::Semantics;

/// What intervals and p-values over classes are made of.
const RESAMPLING: Resampling = Resampling { count: 10_000, seed: 0 };

/// Mean and standard deviation (with `n − 1`; none for fewer than two values) of the values that are defined.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// None if no value is defined.
    pub mean: Option<f64>,
    /// None if fewer than two are.
    pub std: Option<f64>,
}

impl Spread {
    /// Of some values, leaving out those that are undefined. Sums run in the values' order.
    pub fn of(values: impl IntoIterator<Item = Option<f64>>) -> Self {
        let defined: Vec<f64> = values.into_iter().flatten().collect();
        let n = defined.len() as f64;
        if defined.is_empty() {
            return Self::default();
        }
        let mean = defined.iter().sum::<f64>() / n;
        let squares: f64 = defined.iter().map(|x| (x - mean) * (x - mean)).sum();
        Self { mean: Some(mean), std: (defined.len() > 1).then(|| (squares / (n - 1.0)).sqrt()) }
    }
}

/// The whole measurement.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Similarity {
    /// The layout's name and version.
    pub format: String,
    /// One for each class that has prototypes, by index.
    pub classes: Vec<ClassSimilarity>,
    /// Over all classes.
    pub overall: Overall,
    /// The same over every way to count layers.
    pub ways: Vec<Way>,
    /// A sentence for each control that comes out above the prototypes; empty where none does.
    pub warnings: Vec<String>,
    /// The network, the pictures and the options: all that the numbers depend on.
    pub settings: Map<String, Value>,
    /// Pictures that could not be read, with the reason, and folders that are no class's.
    pub skipped: Vec<String>,
}

/// Over all classes: Table 4's rows.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Overall {
    /// Of the prototypes; mean and deviation over the classes' means, and so for the rows below.
    pub prototype: Spread,
    /// Of pictures of the same class.
    pub same: Spread,
    /// Of pictures of other classes.
    pub different: Spread,
    /// Layers for which Eq. 1 holds, both sides averaged over the classes.
    pub holds: Holds,
    /// `(prototype − different) / (same − different)` of the means above.
    pub normalised: Option<f64>,
    /// Of the controls, by name, in the order in which they were made: a [`Compared`] each.
    pub controls: Map<String, Value>,
    /// By layer, averaged over the classes, in the network's order.
    pub layers: Vec<LayerSimilarity>,
}

/// A control over all classes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Compared {
    /// Mean and deviation over the classes.
    #[serde(flatten)]
    pub spread: Spread,
    /// The mean over the classes of prototype minus control, with its bootstrap interval; none for a single class.
    pub difference: Option<Interval>,
    /// The p-value of that mean, two-sided, where within each class the two may change places.
    pub p: Option<f64>,
}

impl Compared {
    /// `differences`: prototype minus control, for each class.
    pub(super) fn new(spread: Spread, differences: &[f64]) -> Self {
        let several = differences.len() > 1;
        Self {
            spread,
            difference: several.then(|| bootstrap_mean(differences, RESAMPLING)),
            p: several.then(|| sign_flips(differences, RESAMPLING)),
        }
    }
}

/// How many layers of how many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holds {
    /// Layers in which the prototype is at least as similar as pictures of the class (Eq. 1).
    pub layers: usize,
    /// Layers for which both are defined.
    pub of: usize,
}

/// The same measurement with the layers counted in another way.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Way {
    /// When a hook copies.
    pub semantics: Semantics,
    /// `names`: each module counts; `tensors`: each distinct tensor counts once.
    pub over: String,
    /// As in [`Overall`].
    pub prototype: Spread,
    /// As in [`Overall`].
    pub same: Spread,
    /// As in [`Overall`].
    pub different: Spread,
    /// As in [`Overall`].
    pub holds: Holds,
}

/// One class.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClassSimilarity {
    /// Its index.
    pub index: usize,
    /// Its name.
    pub name: String,
    /// Mean over the layers of the prototypes' means.
    pub prototype: Option<f64>,
    /// The deviation of the prototypes' means over the layers; none for a single prototype.
    pub prototype_std: Option<f64>,
    /// The same for pictures of the class.
    pub same: Option<f64>,
    /// Over these pictures.
    pub same_std: Option<f64>,
    /// The same for pictures of other classes.
    pub different: Option<f64>,
    /// Over these pictures.
    pub different_std: Option<f64>,
    /// `(prototype − different) / (same − different)`.
    pub normalised: Option<f64>,
    /// Layers in which Eq. 1 holds for this class.
    pub holds: Holds,
    /// By layer, in the network's order.
    pub layers: Vec<LayerSimilarity>,
    /// Mean over the layers for each control, in the order in which they were made.
    pub controls: Map<String, Value>,
    /// Each prototype by itself.
    pub prototypes: Vec<OnePrototype>,
    /// How many pictures were read.
    pub pictures: Counts,
}

/// One layer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LayerSimilarity {
    /// The module, as `protogpu modules` names it.
    pub module: String,
    /// Mean over the prototypes of the correlation with the class's mean activations.
    pub prototype: Option<f64>,
    /// Over the prototypes.
    pub prototype_std: Option<f64>,
    /// Mean over pictures of the class.
    pub same: Option<f64>,
    /// Over these pictures.
    pub same_std: Option<f64>,
    /// Mean over pictures of other classes.
    pub different: Option<f64>,
    /// Over these pictures.
    pub different_std: Option<f64>,
    /// `(prototype − different) / (same − different)`; none where the two are equal.
    pub normalised: Option<f64>,
    /// Whether `prototype >= same` (Eq. 1); none where one of them is undefined.
    pub holds: Option<bool>,
    /// By control.
    pub controls: Map<String, Value>,
    /// Correlations left out since one side was constant.
    pub undefined: usize,
}

/// One prototype.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OnePrototype {
    /// Its folder, as given.
    pub folder: String,
    /// The seed it was made with.
    pub seed: u64,
    /// Mean over the layers.
    pub similarity: Option<f64>,
    /// What the network says of it, the likeliest first.
    pub top: Vec<Likely>,
}

/// A class and its probability.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Likely {
    /// The class's index.
    pub index: usize,
    /// Its name.
    pub name: String,
    /// By the softmax.
    pub probability: f64,
}

/// How many pictures each part was made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Behind the mean activations.
    pub mean: usize,
    /// Of the class.
    pub same: usize,
    /// Of other classes.
    pub different: usize,
}
