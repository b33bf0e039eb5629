//! Asks open judges about prototypes, without photographs and controls.

use super::inputs::Inputs;
use super::jury::Jury;
use crate::analysis::judge::JudgeRow;
use crate::gpu::Context;
use crate::lab::observer::{Counted, Event, Observer};
use crate::lab::pictures::Tally;
use crate::networks::Network;
use crate::{Error, Result};

/// Images per batch.
const BATCH: usize = 8;

/// An open judge.
pub(crate) struct NamedJudge {
    pub(crate) name: String,
    pub(crate) network: Network,
}

/// Open judges.
#[derive(Clone, Copy)]
pub(crate) struct Judges<'a> {
    pub(crate) judges: &'a [NamedJudge],
    /// Words the reason why a judge does not know a class.
    pub(crate) words: fn(&Error) -> String,
}

impl Judges<'_> {
    /// Asks each of them.
    ///
    /// # Errors
    /// If a prototype cannot be read, the device is lost, or the observer asked to stop ([`Error::Cancelled`]).
    pub(crate) fn ask(&self, inputs: &Inputs, context: &Context, observer: &dyn Observer) -> Result<Vec<JudgeRow>> {
        let total = Some((self.judges.len() * inputs.images()) as u64);
        observer.tell(Event::Counting { what: Counted::Pictures, done: 0, total });
        let jury = Jury { inputs, words: self.words, batch: BATCH };
        let ask = |NamedJudge { name, network }: &NamedJudge| {
            jury.ask(name, network, context, observer, (&mut Vec::new(), &mut Tally::default()))
        };
        let rows = self.judges.iter().map(ask).collect();
        observer.tell(Event::CountingEnded);
        rows
    }
}
