//! The table of a sweep.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::analysis::judge::{PrototypeRow, Recognition, Unmapped};
use crate::analysis::similarity::{Holds, Likely, Spread};
use crate::networks::Preprocessing;

/// A varied setting with its values.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct SweepAxis {
    /// The name of the setting, as in a settings file.
    pub(crate) setting: String,
    /// The values, in the given order.
    pub(crate) values: Vec<Value>,
}

/// The whole table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Sweep {
    /// The layout's name and version.
    pub(crate) format: String,
    /// The network, the classes and the images, which all points have in common.
    pub(crate) about: Map<String, Value>,
    /// The settings that points start from.
    pub(crate) base: Map<String, Value>,
    /// The settings that are varied.
    pub(crate) grid: Vec<SweepAxis>,
    /// The measure by which points are ranked; if there are several, separated by commas.
    pub(crate) rank: String,
    /// The judges of the prototypes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) judges: Vec<SweepJudge>,
    /// The adapters that made the points.
    pub(crate) adapters: Vec<String>,
    /// The points, the best first.
    pub(crate) points: Vec<SweepPoint>,
    /// The failed points, in the order of the grid.
    pub(crate) failed: Vec<FailedPoint>,
}

/// A judge of the prototypes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct SweepJudge {
    /// Its name in tables.
    pub(crate) name: String,
    /// The weights file, or the name of an embedded network.
    pub(crate) weights: String,
    pub(crate) sha256: String,
    pub(crate) architecture: String,
    /// The input that it gets.
    pub(crate) input: Preprocessing,
    /// Whether it made the prototypes itself. If so, it is no stranger.
    pub(crate) made: bool,
}

/// A point: one combination of settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct SweepPoint {
    /// Its name, which is also its file name.
    pub(crate) name: String,
    /// The settings that are varied.
    pub(crate) values: Map<String, Value>,
    /// Path similarity: mean and standard deviation of the classes' means.
    pub(crate) similarity: Spread,
    /// The same for images of the same class.
    pub(crate) same: Spread,
    /// The same for images of other classes.
    pub(crate) different: Spread,
    /// `(similarity − different) / (same − different)` of the means.
    pub(crate) normalised: Option<f64>,
    /// Layers for which Eq. 1 holds, both sides averaged over the classes.
    pub(crate) holds: Holds,
    /// Prototypes that the network classifies as their class, unwarped.
    pub(crate) top1: Share,
    /// The class's probability, unwarped: mean over the prototypes.
    pub(crate) probability: f64,
    /// The loss of the last step: mean over the prototypes.
    pub(crate) loss: f64,
    /// The individual classes.
    pub(crate) classes: Vec<SweepClass>,
    /// The Pareto front if points are ranked by several measures; 1 is dominated by no other point.
    #[serde(default, skip_deserializing, skip_serializing_if = "Option::is_none")]
    pub(crate) front: Option<usize>,
    /// What judges say. It is not part of a point's record.
    #[serde(default, skip_deserializing, skip_serializing_if = "Vec::is_empty")]
    pub(crate) judges: Vec<PointJudge>,
}

/// What a judge says about the prototypes of a point.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct PointJudge {
    /// [`SweepJudge::name`].
    pub(crate) judge: String,
    /// `None` if the judge knows none of the classes.
    pub(crate) prototypes: Option<Recognition>,
    /// The mean pairwise distance between the prototypes of a class; `None` if no class has two.
    pub(crate) distance: Option<f64>,
    /// The classes that the judge does not know.
    pub(crate) unmapped: Vec<Unmapped>,
    /// Each prototype, by the path of its image.
    pub(crate) each: Vec<PrototypeRow>,
}

/// A count out of a total.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Share {
    /// The count.
    pub(crate) count: usize,
    /// The total.
    pub(crate) of: usize,
}

/// One class of a point.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct SweepClass {
    /// Its index.
    pub(crate) index: usize,
    /// Its name.
    pub(crate) name: String,
    /// Mean over the layers of the prototypes' means.
    pub(crate) similarity: Option<f64>,
    /// The same for images of the class.
    pub(crate) same: Option<f64>,
    /// The same for images of other classes.
    pub(crate) different: Option<f64>,
    /// `(similarity − different) / (same − different)`.
    pub(crate) normalised: Option<f64>,
    /// Layers in which Eq. 1 holds for this class.
    pub(crate) holds: Holds,
    /// The prototypes, one per seed.
    pub(crate) prototypes: Vec<SweepPrototype>,
}

/// One prototype of a point.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct SweepPrototype {
    /// Its seed.
    pub(crate) seed: u64,
    /// Mean over the layers.
    pub(crate) similarity: Option<f64>,
    /// The probability of its class, unwarped.
    pub(crate) probability: f64,
    /// The logit of its class, unwarped.
    pub(crate) logit: f64,
    /// The loss of its last step.
    pub(crate) loss: f64,
    /// The likeliest class, unwarped.
    pub(crate) top: Likely,
    /// The path of its image, relative to the sweep's folder.
    pub(crate) picture: String,
}

/// A failed point.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct FailedPoint {
    /// Its name.
    pub(crate) name: String,
    /// The settings that are varied.
    pub(crate) values: Map<String, Value>,
    /// The reason.
    pub(crate) error: String,
}

impl Sweep {
    /// Whether there are several prototypes of a class.
    pub(crate) fn has_seeds(&self) -> bool {
        self.points.iter().flat_map(|point| &point.classes).any(|class| class.prototypes.len() > 1)
    }

    /// The most similar point among those whose prototypes are all top 1.
    pub(crate) fn best_of_top1(&self) -> Option<&SweepPoint> {
        let whole = self.points.iter().filter(|point| point.top1.of > 0 && point.top1.count == point.top1.of);
        // The first among equals.
        whole.rev().max_by(|a, b| a.order().total_cmp(&b.order()))
    }
}

impl SweepPoint {
    /// What a judge says; `None` if it was not asked.
    pub(crate) fn judge(&self, name: &str) -> Option<&PointJudge> {
        self.judges.iter().find(|judge| judge.judge == name)
    }

    /// The similarity for comparisons; undefined is lowest.
    pub(crate) fn order(&self) -> f64 {
        self.similarity.mean.unwrap_or(f64::NEG_INFINITY)
    }
}

/// Formats a value: 180 for 180.0, `0.7..1.3` for a pair.
pub(crate) fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(shown).collect::<Vec<_>>().join(".."),
        Value::Number(number) => {
            let text = number.to_string();
            text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
        }
        other => other.to_string(),
    }
}
