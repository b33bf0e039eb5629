//! The request of a study.

use std::path::{Path, PathBuf};

use super::prototypes::Given;
use crate::Result;
use crate::analysis::study::{Group, Part, Resampling};
use crate::lab::about::about;
use crate::lab::disk::check_report;
use crate::networks::Network;
use crate::report::PartPictures;
use serde_json::{Map, Value, json};

/// The file that is written last, when the report is complete.
const REPORT: &str = "study.json";
/// The number of images per group in the report.
pub(super) const EXAMPLES: usize = 6;

/// A study.
pub(crate) struct StudyRequest<'a> {
    pub(crate) network: &'a Network,
    pub(crate) subject: Subject<'a>,
    /// Prototypes to show beside the numbers.
    pub(crate) given: &'a Given,
    pub(crate) out: &'a Path,
    /// The seed of the resampling, and of the demo's prototypes.
    pub(crate) seed: u64,
    /// Resamples per interval, and permutations per test.
    pub(crate) resamples: usize,
    /// Images per batch.
    pub(crate) batch: usize,
    /// Whether to replace an earlier report.
    pub(crate) force: bool,
}

/// The subject of a study.
#[derive(Clone, Copy)]
pub(crate) enum Subject<'a> {
    /// The planted biases, with this many images per class and steps per prototype.
    Demo { pictures: u32, steps: Option<u32> },
    /// Folders of images, each a group, and the classes to look for.
    Folders { classes: &'a [String], images: &'a [PathBuf], paired: bool },
}

/// A measured part.
pub(super) struct Measured {
    pub(super) part: Part,
    pub(super) groups: Vec<Group>,
    pub(super) pictures: PartPictures,
    /// Files that could not be read, with the reason.
    pub(super) skipped: Vec<String>,
    /// How images were read.
    pub(super) notes: Vec<String>,
}

impl StudyRequest<'_> {
    /// Checks that the report can be written.
    pub(super) fn check_report(&self) -> Result<()> {
        check_report(self.out, REPORT, self.force)
    }

    /// The resampling of intervals and tests.
    pub(super) fn resampling(&self) -> Resampling {
        Resampling { count: self.resamples, seed: self.seed }
    }

    /// The settings in the report.
    pub(super) fn settings(&self, demo: Option<Value>) -> Map<String, Value> {
        let mut settings = Map::new();
        let mut set = |name: &str, value: Value| settings.insert(name.to_owned(), value);
        let paths = |paths: &[PathBuf]| json!(paths.iter().map(|p| p.display().to_string()).collect::<Vec<_>>());
        set("version", json!(env!("CARGO_PKG_VERSION")));
        set("network", about(self.network));
        let paired = match self.subject {
            Subject::Demo { .. } => {
                set("demo", demo.unwrap_or_default());
                true
            }
            Subject::Folders { classes, images, paired } => {
                set("classes", json!(classes));
                set("images", paths(images));
                paired
            }
        };
        set("prototypes", paths(&self.given.paths));
        set("paired", json!(paired));
        set("seed", json!(self.seed));
        set("resamples", json!(self.resamples));
        settings
    }
}

/// The names of classes, separated by commas.
pub(super) fn names(classes: &[usize], network: &Network) -> String {
    classes.iter().map(|&class| network.labels().name(class)).collect::<Vec<_>>().join(", ")
}
