//! Path similarity as a table: the contents of `similarity.json`.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::analysis::study::{Interval, Resampling, bootstrap_mean, sign_flips};
use crate::networks::Semantics;

/// The resampling behind intervals and p-values over classes.
const RESAMPLING: Resampling = Resampling { count: 10_000, seed: 0 };

/// Mean and standard deviation (with `n − 1`) of the defined values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Spread {
    /// None if no value is defined.
    pub(crate) mean: Option<f64>,
    /// None if fewer than two values are defined.
    pub(crate) std: Option<f64>,
}

impl Spread {
    /// Computes both, skipping undefined values. The sum runs in the order of the values.
    pub(crate) fn of(values: impl IntoIterator<Item = Option<f64>>) -> Self {
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
pub(crate) struct Similarity {
    /// The name and version of the layout.
    pub(crate) format: String,
    /// The classes that have prototypes, sorted by index.
    pub(crate) classes: Vec<ClassSimilarity>,
    /// Over all classes.
    pub(crate) overall: Overall,
    /// The same for every way to count layers.
    pub(crate) ways: Vec<Way>,
    /// A sentence for each control that scores at least as high as the prototypes.
    pub(crate) warnings: Vec<String>,
    /// The network, the images and the options: everything that the numbers depend on.
    pub(crate) settings: Map<String, Value>,
    /// Images that could not be read and folders that do not belong to a class, with the reason.
    pub(crate) skipped: Vec<String>,
    /// How images and folders were read, where a person may have meant it otherwise.
    pub(crate) notes: Vec<String>,
}

/// The summary over all classes: the rows of Table 4.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Overall {
    /// The prototypes: mean and standard deviation of the classes' means, as in the rows below.
    pub(crate) prototype: Spread,
    /// Images of the same class.
    pub(crate) same: Spread,
    /// Images of other classes.
    pub(crate) different: Spread,
    /// Layers for which Eq. 1 holds, with both sides averaged over the classes.
    pub(crate) holds: Holds,
    /// `(prototype − different) / (same − different)` of the means above.
    pub(crate) normalised: Option<f64>,
    /// The controls by name, in the order in which they were made: a [`Compared`] each.
    pub(crate) controls: Map<String, Value>,
    /// The layers in the network's order, averaged over the classes.
    pub(crate) layers: Vec<LayerSimilarity>,
}

/// A control over all classes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Compared {
    /// Mean and standard deviation over the classes.
    #[serde(flatten)]
    pub(crate) spread: Spread,
    /// The mean over the classes of prototype minus control, with its bootstrap interval; `None` for a single class.
    pub(crate) difference: Option<Interval>,
    /// The two-sided p-value of that mean, from exchanging prototype and control within each class.
    pub(crate) p: Option<f64>,
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
pub(crate) struct Holds {
    /// Layers in which the prototype is at least as similar as images of the class (Eq. 1).
    pub(crate) layers: usize,
    /// Layers for which both are defined.
    pub(crate) of: usize,
}

/// The same measurement with the layers counted in another way.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Way {
    /// What a hook keeps.
    pub(crate) semantics: Semantics,
    /// `names`: each module counts; `tensors`: each distinct tensor counts once.
    pub(crate) over: String,
    /// As in [`Overall`].
    pub(crate) prototype: Spread,
    /// As in [`Overall`].
    pub(crate) same: Spread,
    /// As in [`Overall`].
    pub(crate) different: Spread,
    /// As in [`Overall`].
    pub(crate) holds: Holds,
}

/// Correlations with the class's mean activations: of the prototypes, of images of the class, and of images of other classes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Measured {
    /// The mean of the prototypes.
    pub(crate) prototype: Option<f64>,
    /// Their standard deviation; `None` for a single prototype.
    pub(crate) prototype_std: Option<f64>,
    /// The mean of images of the class.
    pub(crate) same: Option<f64>,
    /// Their standard deviation.
    pub(crate) same_std: Option<f64>,
    /// The mean of images of other classes.
    pub(crate) different: Option<f64>,
    /// Their standard deviation.
    pub(crate) different_std: Option<f64>,
    /// `(prototype − different) / (same − different)`; `None` if `same` and `different` are equal.
    pub(crate) normalised: Option<f64>,
}

impl Measured {
    /// From the three rows of Table 4.
    pub(super) fn of([prototype, same, different]: [Spread; 3]) -> Self {
        Self {
            prototype: prototype.mean,
            prototype_std: prototype.std,
            same: same.mean,
            same_std: same.std,
            different: different.mean,
            different_std: different.std,
            normalised: normalised(prototype.mean, same.mean, different.mean),
        }
    }

    /// Whether the prototypes are at least as similar as images of the class (Eq. 1); `None` if one of them is undefined.
    pub(super) fn holds(&self) -> Option<bool> {
        self.prototype.zip(self.same).map(|(prototype, same)| prototype >= same)
    }
}

/// `(prototype − different) / (same − different)`; `None` if `same` and `different` are equal.
pub(super) fn normalised(prototype: Option<f64>, same: Option<f64>, different: Option<f64>) -> Option<f64> {
    let (prototype, same, different) = (prototype?, same?, different?);
    (same != different).then(|| (prototype - different) / (same - different))
}

/// One class.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ClassSimilarity {
    /// Its index.
    pub(crate) index: usize,
    /// Its name.
    pub(crate) name: String,
    /// The means over the layers, and their standard deviations over prototypes or images.
    #[serde(flatten)]
    pub(crate) measured: Measured,
    /// Layers in which Eq. 1 holds for this class.
    pub(crate) holds: Holds,
    /// The layers in the network's order.
    pub(crate) layers: Vec<LayerSimilarity>,
    /// The mean over the layers for each control, in the order in which they were made.
    pub(crate) controls: Map<String, Value>,
    /// The individual prototypes.
    pub(crate) prototypes: Vec<OnePrototype>,
    /// The number of images that were read.
    pub(crate) pictures: Counts,
}

/// One layer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct LayerSimilarity {
    /// The module's name, as in `protogpu modules`.
    pub(crate) module: String,
    /// Over the prototypes and the images.
    #[serde(flatten)]
    pub(crate) measured: Measured,
    /// Whether `prototype >= same` (Eq. 1); `None` if one of them is undefined.
    pub(crate) holds: Option<bool>,
    /// The controls by name.
    pub(crate) controls: Map<String, Value>,
    /// The number of correlations left out because one side was constant.
    pub(crate) undefined: usize,
}

/// One prototype.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct OnePrototype {
    /// Its folder, as given.
    pub(crate) folder: String,
    /// The seed it was made with.
    pub(crate) seed: u64,
    /// Mean over the layers.
    pub(crate) similarity: Option<f64>,
    /// The likeliest classes.
    pub(crate) top: Vec<Likely>,
}

/// A class and its probability.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Likely {
    /// The class's index.
    pub(crate) index: usize,
    /// Its name.
    pub(crate) name: String,
    /// Its softmax probability.
    pub(crate) probability: f64,
}

/// The numbers of images.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Counts {
    /// Images behind the mean activations.
    pub(crate) mean: usize,
    /// Images of the class.
    pub(crate) same: usize,
    /// Images of other classes.
    pub(crate) different: usize,
}
