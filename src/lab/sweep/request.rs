//! The request of a sweep.

use std::num::NonZeroU16;
use std::path::Path;
use std::str::FromStr;

use crate::analysis::similarity::Over;
use crate::lab::kernels::TuneFor;
use crate::lab::similarity::choice::Choice;
use crate::networks::{Network, Semantics};
use crate::{Error, Result};

/// A sweep without its grid.
pub(crate) struct SweepRequest<'a> {
    pub(crate) network: &'a Network,
    /// The natural images, and their selection.
    pub(crate) choice: Choice<'a>,
    pub(crate) classes: &'a [usize],
    /// Prototypes per class.
    pub(crate) seeds: NonZeroU16,
    /// The points to make; `None` for all, with no other process at work in the folder.
    pub(crate) shard: Option<Shard>,
    pub(crate) semantics: Semantics,
    pub(crate) over: Over,
    /// The folder that caches mean activations and correlations of natural images; `None` for one in `out`.
    pub(crate) mean_cache: Option<&'a Path>,
    /// Prototypes per batch.
    pub(crate) batch: usize,
    pub(crate) tune: TuneFor,
    pub(crate) out: &'a Path,
    /// Whether to replace points made with other settings, and cached mean activations that do not fit.
    pub(crate) force: bool,
}

/// `I/N`, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shard {
    index: usize,
    of: usize,
}

impl Shard {
    pub(crate) const WHOLE: Self = Self { index: 1, of: 1 };

    /// Whether a point is in it.
    pub(crate) fn has(self, point: usize) -> bool {
        point % self.of == self.index - 1
    }
}

impl FromStr for Shard {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let numbers = text.split_once('/').and_then(|(i, n)| Some((i.trim().parse().ok()?, n.trim().parse().ok()?)));
        match numbers {
            Some((index, of)) if (1..=of).contains(&index) => Ok(Self { index, of }),
            _ => Err(Error::input(format!("`{text}` is not I/N with I from 1 to N, such as 2/8"))),
        }
    }
}
