//! The table: for each class the classes that share what its prototypes show.

use serde::Serialize;
use serde_json::{Map, Value};

use super::confusions::{Check, Confusions};

/// Every class's candidates.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Entanglement {
    /// The layout's name and version.
    pub(crate) format: String,
    pub(crate) classes: Vec<EntangledClass>,
    /// Whether the first candidates are the classes that the network confuses on photographs; `None` without photographs.
    pub(crate) check: Option<Check>,
    /// Prototypes of objectives other than a class, which are left out.
    pub(crate) without_class: usize,
    pub(crate) settings: Map<String, Value>,
    /// Images and folders that were left out, with the reasons.
    pub(crate) skipped: Vec<String>,
    /// How images and folders were read, where a person may have meant it otherwise.
    pub(crate) notes: Vec<String>,
}

/// A class with prototypes.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct EntangledClass {
    pub(crate) index: usize,
    pub(crate) name: String,
    /// The number of its prototypes.
    pub(crate) prototypes: usize,
    /// The mean softmax probability of the class on its own prototypes.
    pub(crate) probability: f64,
    /// The other classes with the highest mean log probability. The most aligned one comes first; without alignments, the likeliest.
    pub(crate) candidates: Vec<Candidate>,
    /// What the network takes photographs of the class for; `None` without photographs.
    pub(crate) confusions: Option<Confusions>,
    /// The mean log probability of each class of the network on the class's prototypes, `[K]`; the matrix in `matrix.csv`.
    #[serde(skip)]
    pub(crate) log_probabilities: Vec<f64>,
    /// The mean cosine of the penultimate features of this class's prototypes with those of each class in the table. Its own value is
    /// that of pairs of different prototypes.
    pub(crate) features: Vec<Option<f64>>,
}

/// A class that may share what the prototypes of another class show.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Candidate {
    pub(crate) index: usize,
    pub(crate) name: String,
    /// The mean over the prototypes of the natural logarithm of its softmax probability. It selects the candidates.
    pub(crate) log_probability: f64,
    /// The mean softmax probability.
    pub(crate) probability: f64,
    /// The mean cosine between the gradients of both classes' logits with respect to the pixels of the prototypes. From each logit, the
    /// mean of all logits is subtracted. It orders the candidates. `None` if it was not asked for, or a gradient is zero.
    pub(crate) alignment: Option<f64>,
    /// The mean cosine between the penultimate features of both classes' prototypes; `None` if this class has none.
    pub(crate) features: Option<f64>,
    /// The cosine between both classes' weights in the last layer, less the mean weights of all classes. It needs no prototype.
    pub(crate) weights: Option<f64>,
}

/// The classes other than `class`, the highest score first; of equal scores the first class. Classes without a score come last.
pub(crate) fn ranked(scores: &[Option<f64>], class: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..scores.len()).filter(|&other| other != class).collect();
    let score = |class: usize| scores[class].filter(|score| !score.is_nan()).unwrap_or(f64::NEG_INFINITY);
    order.sort_by(|&a, &b| score(b).total_cmp(&score(a)));
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn candidates_are_the_other_classes_in_order() {
        let scores = [Some(0.5), None, Some(2.0), Some(0.5), Some(f64::NAN), Some(9.0)];
        assert_eq!(ranked(&scores, 5), [2, 0, 3, 1, 4]);
        assert_eq!(ranked(&[], 0), [0; 0]);
    }
}
