//! The mean outputs of a network's modules over natural images of a class, as a file.

use std::io::Write;
use std::path::{Path, PathBuf};

use super::observer::{Counted, Event, Note, Observer};
use super::similarity::choice::Choice;
use super::similarity::stream::sums;
use crate::analysis::similarity::{Correlator, MeanActivations};
use crate::atomic::write_atomically;
use crate::gpu::Context;
use crate::networks::Network;
use crate::{Error, Result};

/// A class, and the images to average.
pub(crate) struct MeanRequest<'a> {
    network: &'a Network,
    choice: Choice<'a>,
    class: usize,
    paths: Vec<PathBuf>,
    /// The most images at once.
    batch: usize,
}

impl<'a> MeanRequest<'a> {
    /// # Errors
    /// If the folder has no images of the class.
    pub(crate) fn new(network: &'a Network, choice: Choice<'a>, class: usize, batch: usize) -> Result<Self> {
        let paths = choice.same(class);
        if paths.is_empty() {
            let (images, name) = (choice.folder.root().display(), network.labels().name(class));
            return Err(Error::input(format!("{images} has no images of class {class} ({name})")));
        }
        Ok(Self { network, choice, class, paths, batch })
    }

    /// Writes the means, and returns them with the number of tensors in the file and notes on how the images were read.
    pub(crate) fn write(
        &self,
        context: &Context,
        out: &Path,
        observer: &dyn Observer,
    ) -> Result<(MeanActivations, usize, Vec<String>)> {
        let mut correlator = Correlator::new(context, self.network, self.batch.min(self.paths.len()))?;
        let total = Some(self.paths.len() as u64);
        observer.tell(Event::Counting { what: Counted::Pictures, done: 0, total });
        let sums = sums(&mut correlator, self.choice.folder, &self.paths, observer);
        observer.tell(Event::CountingEnded);
        let (sums, tally) = sums?;
        let folder = self.choice.folder;
        for reason in folder.left_out().iter().chain(&sums.reasons) {
            observer.note(Note::LeftOut(reason));
        }
        let notes: Vec<String> = folder.notes().iter().cloned().chain(tally.note()).collect();
        notes.iter().for_each(|note| observer.note(Note::Pictures(note)));
        let mean = MeanActivations::from_sums(self.class, &sums);
        let bytes = mean.to_bytes(self.network, correlator.layers());
        write_atomically(out, |out| out.write_all(&bytes))?;
        Ok((mean, correlator.layers().tensors().count(), notes))
    }
}
