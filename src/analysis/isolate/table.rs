//! The table: a row for each image and class.

use serde::Serialize;
use serde_json::{Map, Value};

use super::comparison::{Comparison, Measured};
use super::curve::Curve;

/// The regions of all images.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Isolations {
    /// The layout's name and version.
    pub(crate) format: String,
    pub(crate) images: Vec<Isolated>,
    /// Insertion and deletion beside other methods; `None` if it was not asked for.
    pub(crate) comparison: Option<Comparison>,
    pub(crate) settings: Map<String, Value>,
    /// Images and folders that were left out, with the reasons.
    pub(crate) skipped: Vec<String>,
    /// How images and folders were read, where a person may have meant it otherwise.
    pub(crate) notes: Vec<String>,
}

/// The region of an image that keeps a class. Probabilities are those of softmax.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Isolated {
    /// The image's file or folder.
    pub(crate) source: String,
    /// The folder of its pictures.
    pub(crate) folder: String,
    pub(crate) class_index: usize,
    pub(crate) class: String,
    /// The likeliest class of the whole image.
    pub(crate) top1_index: usize,
    pub(crate) top1: String,
    /// The class's probability in the whole image.
    pub(crate) probability: f64,
    /// The smallest share of the image that keeps the class.
    pub(crate) area: f64,
    /// Whether a region smaller than the image keeps it. If not, the region is the whole image.
    pub(crate) keeps: bool,
    /// The class's probability if the network sees only the region, on the background.
    pub(crate) region_probability: f64,
    /// The likeliest class of the region.
    pub(crate) region_top1: String,
    /// The class's probability if it sees only the rest.
    pub(crate) rest_probability: f64,
    /// The likeliest class of the rest.
    pub(crate) rest_top1: String,
    /// The class's probability in the background alone.
    pub(crate) background_probability: f64,
    /// The class's probability at growing regions on the background.
    pub(crate) growth: Curve,
    /// Insertion and deletion by each method; empty if it was not asked for.
    pub(crate) methods: Vec<Measured>,
}
