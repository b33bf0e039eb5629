//! A sweep: settings in every combination, each scored by path similarity.

mod csv_tables;
mod figures;
mod page;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{json, write_files};
use crate::analysis::similarity::{Holds, Likely, Spread};
use crate::error::Result;

/// One setting with the values that it takes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SweepAxis {
    /// As in a settings file.
    pub setting: String,
    /// In the order in which they were given.
    pub values: Vec<Value>,
}

/// The whole table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sweep {
    /// The layout's name and version.
    pub format: String,
    /// The network, the classes and the pictures: what all points have in common.
    pub about: Map<String, Value>,
    /// The settings that the points change.
    pub base: Map<String, Value>,
    /// The settings that are varied.
    pub grid: Vec<SweepAxis>,
    /// By what the points are ranked.
    pub rank: String,
    /// The adapters that made them.
    pub adapters: Vec<String>,
    /// The best first.
    pub points: Vec<SweepPoint>,
    /// Points that could not be made, in the grid's order.
    pub failed: Vec<FailedPoint>,
}

/// One combination.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SweepPoint {
    /// Its name, which is that of its file as well.
    pub name: String,
    /// The settings that are varied.
    pub values: Map<String, Value>,
    /// Path similarity: mean and deviation over the classes' means.
    pub similarity: Spread,
    /// The same of pictures of the same class.
    pub same: Spread,
    /// The same of pictures of other classes.
    pub different: Spread,
    /// `(similarity − different) / (same − different)` of the means.
    pub normalised: Option<f64>,
    /// Layers for which Eq. 1 holds, both sides averaged over the classes.
    pub holds: Holds,
    /// Prototypes that the network takes for their class, unwarped.
    pub top1: Share,
    /// Of the class, unwarped: mean over the prototypes.
    pub probability: f64,
    /// The last step's: mean over the prototypes.
    pub loss: f64,
    /// Each class by itself.
    pub classes: Vec<SweepClass>,
}

/// How many of how many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Share {
    /// So many.
    pub count: usize,
    /// Of so many.
    pub of: usize,
}

/// One class of a point.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SweepClass {
    /// Its index.
    pub index: usize,
    /// Its name.
    pub name: String,
    /// Mean over the layers of the prototypes' means.
    pub similarity: Option<f64>,
    /// The same of pictures of the class.
    pub same: Option<f64>,
    /// The same of pictures of other classes.
    pub different: Option<f64>,
    /// `(similarity − different) / (same − different)`.
    pub normalised: Option<f64>,
    /// Layers in which Eq. 1 holds for this class.
    pub holds: Holds,
    /// One for each seed.
    pub prototypes: Vec<SweepPrototype>,
}

/// One prototype of a point.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SweepPrototype {
    /// The seed it was made with.
    pub seed: u64,
    /// Mean over the layers.
    pub similarity: Option<f64>,
    /// Of its class, unwarped.
    pub probability: f64,
    /// Of its class, unwarped.
    pub logit: f64,
    /// Of the last step.
    pub loss: f64,
    /// What the network takes it for, unwarped.
    pub top: Likely,
    /// Its picture, from the sweep's folder on.
    pub picture: String,
}

/// A combination that could not be made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FailedPoint {
    /// Its name.
    pub name: String,
    /// The settings that are varied.
    pub values: Map<String, Value>,
    /// Why.
    pub error: String,
}

impl Sweep {
    /// The best point by similarity among those of which every prototype is top 1.
    pub fn best_of_top1(&self) -> Option<&SweepPoint> {
        let whole = self.points.iter().filter(|point| point.top1.of > 0 && point.top1.count == point.top1.of);
        // Of equals the first.
        whole.rev().max_by(|a, b| a.order().total_cmp(&b.order()))
    }
}

impl SweepPoint {
    /// Its similarity, for comparisons: an undefined one is the least.
    pub fn order(&self) -> f64 {
        self.similarity.mean.unwrap_or(f64::NEG_INFINITY)
    }
}

/// A value for people: 180 for 180.0, `0.7..1.3` for a pair.
pub fn shown(value: &Value) -> String {
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

/// Writes `sweep.csv`, `prototypes.csv`, `plots/`, `sweep.html` and, last, `sweep.json` into a folder. `picture` gives a prototype's
/// picture by its path, PNG or JPEG; where it gives none, the page shows none. Returns the files in this order.
///
/// # Errors
/// If the folder or a file cannot be written, or if a picture is neither PNG nor JPEG.
pub fn write_sweep(
    out: &Path,
    sweep: &Sweep,
    picture: impl Fn(&str) -> Result<Option<Vec<u8>>>,
) -> Result<Vec<PathBuf>> {
    // Everything is made before the first file is written.
    let figures = figures::all(sweep);
    let page = page::render(sweep, &figures, &picture)?;
    let mut files = vec![
        ("sweep.csv".to_string(), csv_tables::points(sweep)?),
        ("prototypes.csv".to_string(), csv_tables::prototypes(sweep)?),
    ];
    for figure in &figures {
        files.push((format!("plots/{}.svg", figure.name), figure.scene.svg()?.into_bytes()));
        files.push((format!("plots/{}.png", figure.name), figure.scene.png()?));
    }
    files.push(("sweep.html".to_string(), page.into_bytes()));
    files.push(("sweep.json".to_string(), json(sweep, "sweep")?));
    write_files(out, files)
}
