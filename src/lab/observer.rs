//! Events of work in progress, and requests to stop it.

use std::path::Path;

use crate::method::Settings;
use crate::report::sweep::SweepPoint;
use crate::{Error, Result};

/// Whoever asked for work: hears how it goes, and may stop it.
pub(crate) trait Observer: Sync {
    /// Whether the work should stop as soon as its results so far are kept.
    fn is_cancelled(&self) -> bool {
        false
    }

    /// Something happened.
    fn tell(&self, _event: Event<'_>) {}

    /// How an error reads in a file that is written for people.
    fn wording(&self, error: &Error) -> String {
        error.to_string()
    }
}

impl dyn Observer + '_ {
    /// [`Error::Cancelled`] as soon as the work should end.
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

/// Nobody who listens.
pub(crate) struct Nobody;

impl Observer for Nobody {}

/// An event.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Event<'a> {
    /// A count begins, at `done` of `total`; none where the total is not known.
    Counting { what: Counted<'a>, done: u64, total: Option<u64> },
    /// So many more of it.
    Counted(u64),
    /// The count is over.
    CountingEnded,
    /// A batch begins after `step` of `total` steps.
    Batch { names: &'a str, step: u32, total: u32 },
    /// So many of its steps are made.
    Steps { step: u32, figures: Figures },
    /// The batch is over, one way or another.
    BatchEnded,
    /// Something that people may want to know.
    Note(Note<'a>),
}

/// The counted items.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Counted<'a> {
    /// Pictures that are looked at.
    Pictures,
    /// Pictures that are drawn.
    Drawings,
    /// Bytes that arrive from an address.
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
    /// A picture or folder that was left out, with the reason.
    LeftOut(&'a str),
    /// Trials of kernels were made, and their outcome kept.
    KernelsTried { convolutions: usize, seconds: f64 },
    /// The kept trials cannot be used, so the kernels are timed again.
    KernelsUnusable(&'a Error),
    /// The outcome of trials was not kept: they are made again next time.
    KernelsNotKept(&'a Error),
    /// The kept pipelines cannot be used, so the driver compiles again.
    PipelinesUnusable { path: &'a Path, error: &'a Error },
    /// The compiled pipelines could not be kept, so the driver compiles again next time.
    PipelinesNotKept(&'a Error),
    /// A batch did not fit into the adapter's memory; the run continues with smaller batches.
    BatchShrinks { why: &'a Error, most: usize },
    /// Pictures of an animation are missing, of steps made before one was asked for.
    FramesMissing { folder: &'a Path, missing: usize, all: usize },
    /// A prototype of a strip begins, under so large a share of the regularisation.
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
