//! Path similarity as a table: the contents of `similarity.json`.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::analysis::study::{Interval, Resampling, bootstrap_mean, sign_flips};
use crate::networks::Semantics;

/// The resampling behind intervals and p-values over classes.
const RESAMPLING: Resampling = Resampling { count: 10_000, seed: 0 };

/// Mean and standard deviation (with `n − 1`) of the defined values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// None if no value is defined.
    pub mean: Option<f64>,
    /// None if fewer than two values are defined.
    pub std: Option<f64>,
}

impl Spread {
    /// Computes both, skipping undefined values. The sum runs in the order of the values.
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
    /// The name and version of the layout.
    pub format: String,
    /// The classes that have prototypes, sorted by index.
    pub classes: Vec<ClassSimilarity>,
    /// Over all classes.
    pub overall: Overall,
    /// The same for every way to count layers.
    pub ways: Vec<Way>,
    /// A sentence for each control that scores at least as high as the prototypes.
    pub warnings: Vec<String>,
    /// The network, the images and the options: everything that the numbers depend on.
    pub settings: Map<String, Value>,
    /// Images that could not be read and folders that do not belong to a class, with the reason.
    pub skipped: Vec<String>,
}

/// The summary over all classes: the rows of Table 4.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Overall {
    /// The prototypes: mean and standard deviation of the classes' means, as in the rows below.
    pub prototype: Spread,
    /// Images of the same class.
    pub same: Spread,
    /// Images of other classes.
    pub different: Spread,
    /// Layers for which Eq. 1 holds, with both sides averaged over the classes.
    pub holds: Holds,
    /// `(prototype − different) / (same − different)` of the means above.
    pub normalised: Option<f64>,
    /// The controls by name, in the order in which they were made: a [`Compared`] each.
    pub controls: Map<String, Value>,
    /// The layers in the network's order, averaged over the classes.
    pub layers: Vec<LayerSimilarity>,
}

/// A control over all classes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Compared {
    /// Mean and standard deviation over the classes.
    #[serde(flatten)]
    pub spread: Spread,
    /// The mean over the classes of prototype minus control, with its bootstrap interval; `None` for a single class.
    pub difference: Option<Interval>,
    /// The two-sided p-value of that mean, from exchanging prototype and control within each class.
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

/// A number of layers, and the number of layers that were compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holds {
    /// Layers in which the prototype is at least as similar as images of the class (Eq. 1).
    pub layers: usize,
    /// Layers for which both are defined.
    pub of: usize,
}

/// The same measurement with the layers counted in another way.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Way {
    /// What a hook keeps.
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
    /// The standard deviation of the prototypes' means over the layers; `None` for a single prototype.
    pub prototype_std: Option<f64>,
    /// The same for images of the class.
    pub same: Option<f64>,
    /// The standard deviation over these images.
    pub same_std: Option<f64>,
    /// The same for images of other classes.
    pub different: Option<f64>,
    /// The standard deviation over these images.
    pub different_std: Option<f64>,
    /// `(prototype − different) / (same − different)`.
    pub normalised: Option<f64>,
    /// Layers in which Eq. 1 holds for this class.
    pub holds: Holds,
    /// The layers in the network's order.
    pub layers: Vec<LayerSimilarity>,
    /// The mean over the layers for each control, in the order in which they were made.
    pub controls: Map<String, Value>,
    /// The individual prototypes.
    pub prototypes: Vec<OnePrototype>,
    /// The number of images that were read.
    pub pictures: Counts,
}

/// One layer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LayerSimilarity {
    /// The module's name, as in `protogpu modules`.
    pub module: String,
    /// Mean over the prototypes of the correlation with the class's mean activations.
    pub prototype: Option<f64>,
    /// The standard deviation over the prototypes.
    pub prototype_std: Option<f64>,
    /// Mean over images of the class.
    pub same: Option<f64>,
    /// The standard deviation over these images.
    pub same_std: Option<f64>,
    /// Mean over images of other classes.
    pub different: Option<f64>,
    /// The standard deviation over these images.
    pub different_std: Option<f64>,
    /// `(prototype − different) / (same − different)`; `None` if `same` and `different` are equal.
    pub normalised: Option<f64>,
    /// Whether `prototype >= same` (Eq. 1); `None` if one of them is undefined.
    pub holds: Option<bool>,
    /// The controls by name.
    pub controls: Map<String, Value>,
    /// The number of correlations left out because one side was constant.
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
    /// The likeliest classes.
    pub top: Vec<Likely>,
}

/// A class and its probability.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Likely {
    /// The class's index.
    pub index: usize,
    /// Its name.
    pub name: String,
    /// Its softmax probability.
    pub probability: f64,
}

/// The numbers of images.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Images behind the mean activations.
    pub mean: usize,
    /// Images of the class.
    pub same: usize,
    /// Images of other classes.
    pub different: usize,
}
