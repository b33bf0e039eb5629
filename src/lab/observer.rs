//! Events of work in progress, and requests to stop it.

use std::path::Path;

use crate::method::Settings;
use crate::report::sweep::SweepPoint;
use crate::{Error, Result};

/// Learns of the progress of work, and may stop it.
pub(crate) trait Observer: Sync {
    /// Whether the work should keep its results and stop.
    fn is_cancelled(&self) -> bool {
        false
    }

    /// Receives an event.
    fn tell(&self, _event: Event<'_>) {}

    /// How an error reads in a file that is written for people.
    fn wording(&self, error: &Error) -> String {
        error.to_string()
    }
}

impl dyn Observer + '_ {
    /// [`Error::Cancelled`] if the work should stop.
    pub(crate) fn go_on(&self) -> Result<()> {
        if self.is_cancelled() { Err(Error::Cancelled) } else { Ok(()) }
    }

    /// Tells a note.
    pub(crate) fn note(&self, note: Note<'_>) {
        self.tell(Event::Note(note));
    }

    /// Reports `more` finished items; [`Error::Cancelled`] if the work should stop.
    pub(crate) fn count(&self, more: usize) -> Result<()> {
        self.tell(Event::Counted(more as u64));
        self.go_on()
    }
}

/// An observer that ignores everything.
pub(crate) struct Nobody;

impl Observer for Nobody {}

/// An event.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Event<'a> {
    /// A count begins, at `done` of `total`; none where the total is not known.
    Counting { what: Counted<'a>, done: u64, total: Option<u64> },
    /// This many more items are done.
    Counted(u64),
    /// The count ends.
    CountingEnded,
    /// A batch begins after `step` of `total` steps.
    Batch { names: &'a str, step: u32, total: u32 },
    /// The batch has made this many steps.
    Steps { step: u32, figures: Figures },
    /// The batch ends, finished or not.
    BatchEnded,
    /// A note for people.
    Note(Note<'a>),
}

/// The counted items.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Counted<'a> {
    /// Images that go through the network.
    Pictures,
    /// Images that are drawn.
    Drawings,
    /// Bytes of a download.
    Bytes(&'a str),
}

/// The values of the last step, averaged over the images that have not failed.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Figures {
    pub(crate) loss: f32,
    pub(crate) logit: f32,
    pub(crate) probability: f32,
    /// The value of an objective other than a class, in place of the last two.
    pub(crate) objective: Option<f32>,
}

/// Notes for people, as values.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Note<'a> {
    /// An image or folder was skipped, with the reason.
    LeftOut(&'a str),
    /// How images were read, where a person may have meant it otherwise.
    Pictures(&'a str),
    /// Kernels were timed, and the fastest kept.
    KernelsTried { convolutions: usize, seconds: f64 },
    /// The kept trials cannot be used, so the kernels are timed again.
    KernelsUnusable(&'a Error),
    /// The fastest kernels could not be kept, so they are timed again next time.
    KernelsNotKept(&'a Error),
    /// The kept pipelines cannot be used, so the driver compiles again.
    PipelinesUnusable { path: &'a Path, error: &'a Error },
    /// The compiled pipelines could not be kept, so the driver compiles again next time.
    PipelinesNotKept(&'a Error),
    /// A batch did not fit into the adapter's memory; the run continues with smaller batches.
    BatchShrinks { why: &'a Error, most: usize },
    /// Frames of an animation are missing, because their steps ran without one.
    FramesMissing { folder: &'a Path, missing: usize, all: usize },
    /// A prototype of a strip begins, with this share of the regularisation.
    Level { share: f64, settings: &'a Settings },
    /// A point of a sweep is made.
    PointMade { at: usize, of: usize, score: &'a SweepPoint },
    /// A point of a sweep failed; the others continue.
    PointFailed { at: usize, of: usize, name: &'a str, error: &'a Error },
    /// The page of all prototypes could not be written.
    NoGallery(&'a Error),
    /// A download begins.
    Fetching(&'a str),
    /// A download broke off and resumes.
    BrokeOff { url: &'a str, bytes: u64, reason: &'a std::io::Error },
}
