//! A sweep: every combination of settings, scored by path similarity.

mod csv_tables;
mod figures;
mod page;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{json, write_files};
use crate::analysis::similarity::{Holds, Likely, Spread};
use crate::error::Result;

/// A varied setting with its values.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SweepAxis {
    /// The name of the setting, as in a settings file.
    pub setting: String,
    /// The values, in the given order.
    pub values: Vec<Value>,
}

/// The whole table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sweep {
    /// The name and version of the layout.
    pub format: String,
    /// The network, the classes and the images, which all points have in common.
    pub about: Map<String, Value>,
    /// The settings that points start from.
    pub base: Map<String, Value>,
    /// The varied settings.
    pub grid: Vec<SweepAxis>,
    /// The ranking criterion.
    pub rank: String,
    /// The adapters that made the points.
    pub adapters: Vec<String>,
    /// The points, the best first.
    pub points: Vec<SweepPoint>,
    /// The failed points, in the order of the grid.
    pub failed: Vec<FailedPoint>,
}

/// A point: one combination of settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SweepPoint {
    /// Its name, which is also its file name.
    pub name: String,
    /// The varied settings.
    pub values: Map<String, Value>,
    /// Path similarity: mean and standard deviation of the classes' means.
    pub similarity: Spread,
    /// The same for images of the same class.
    pub same: Spread,
    /// The same for images of other classes.
    pub different: Spread,
    /// `(similarity − different) / (same − different)` of the means.
    pub normalised: Option<f64>,
    /// Layers for which Eq. 1 holds, with both sides averaged over the classes.
    pub holds: Holds,
    /// Prototypes that the network classifies as their class, unwarped.
    pub top1: Share,
    /// The class's probability, unwarped: mean over the prototypes.
    pub probability: f64,
    /// The loss of the last step: mean over the prototypes.
    pub loss: f64,
    /// The individual classes.
    pub classes: Vec<SweepClass>,
}

/// A count out of a total.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Share {
    /// The count.
    pub count: usize,
    /// The total.
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
    /// The same for images of other classes.
    pub different: Option<f64>,
    /// `(similarity − different) / (same − different)`.
    pub normalised: Option<f64>,
    /// Layers in which Eq. 1 holds for this class.
    pub holds: Holds,
    /// The prototypes, one per seed.
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
    /// The likeliest class, unwarped.
    pub top: Likely,
    /// The path of its image, relative to the sweep's folder.
    pub picture: String,
}

/// A failed point.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FailedPoint {
    /// Its name.
    pub name: String,
    /// The varied settings.
    pub values: Map<String, Value>,
    /// The reason.
    pub error: String,
}

impl Sweep {
    /// The most similar point among those whose prototypes are all top 1.
    pub fn best_of_top1(&self) -> Option<&SweepPoint> {
        let whole = self.points.iter().filter(|point| point.top1.of > 0 && point.top1.count == point.top1.of);
        // Among equals, the first.
        whole.rev().max_by(|a, b| a.order().total_cmp(&b.order()))
    }
}

impl SweepPoint {
    /// The similarity for comparisons; undefined is lowest.
    pub fn order(&self) -> f64 {
        self.similarity.mean.unwrap_or(f64::NEG_INFINITY)
    }
}

/// Formats a value: 180 for 180.0, `0.7..1.3` for a pair.
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

/// Writes `sweep.csv`, `prototypes.csv`, `plots/`, `sweep.html` and, last, `sweep.json` into a folder. `picture` returns a prototype's
/// image, PNG or JPEG, by its path; if it returns `None`, the page shows none. Returns the files in this order.
///
/// # Errors
/// If the folder or a file cannot be written, or if an image is neither PNG nor JPEG.
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
