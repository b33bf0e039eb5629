//! The natural images of a sweep, measured once for all points.

use std::path::{Path, PathBuf};

use super::request::SweepRequest;
use super::score::Side;
use crate::Result;
use crate::analysis::similarity::Correlator;
use crate::lab::observer::{Counted, Event, Note, Observer};
use crate::lab::pictures::Tally;
use crate::lab::similarity::natural::Naturals;

/// The folder that caches mean activations and correlations of natural images.
pub(crate) fn mean_cache(request: &SweepRequest<'_>) -> PathBuf {
    request.mean_cache.map_or_else(|| request.out.join("means"), Path::to_owned)
}

/// Measures the natural images of every class, or finds cached measurements.
pub(super) fn sides(
    request: &SweepRequest<'_>,
    correlator: &mut Correlator,
    observer: &dyn Observer,
) -> Result<Vec<Side>> {
    let (kept, choice) = (mean_cache(request), &request.choice);
    let naturals = Naturals { network: request.network, choice, kept: &kept, given: &[], force: request.force };
    let pictures = |&class: &usize| 2 * choice.same(class).len() + choice.different(class).len();
    let total = Some(request.classes.iter().map(pictures).sum::<usize>() as u64);
    observer.tell(Event::Counting { what: Counted::Pictures, done: 0, total });
    let mut tally = Tally::default();
    let side = |&class: &usize| {
        let natural = naturals.of(class, correlator, observer)?;
        tally.join(natural.tally);
        for reason in &natural.skipped {
            observer.note(Note::LeftOut(reason));
        }
        let ranks = natural.mean.ranks(correlator.layers())?;
        Ok(Side { class, ranks, same: natural.same, different: natural.different })
    };
    let sides = request.classes.iter().map(side).collect();
    observer.tell(Event::CountingEnded);
    tally.note().iter().for_each(|note| observer.note(Note::Pictures(note)));
    sides
}
