//! The pictures of prototypes: how far they are apart, and how networks see them.

use std::path::Path;

use super::inputs::{Inputs, Key};
use crate::Result;
use crate::analysis::compare::{Distance, pixel_distance};
use crate::analysis::entangle::cosine;
use crate::analysis::judge::{Seen, counterpart};
use crate::analysis::penultimate::{Outputs, Penultimate};
use crate::gpu::Context;
use crate::lab::classify::check_finite;
use crate::lab::observer::Observer;
use crate::lab::pictures::{Tally, stream_pictures, together};
use crate::labels::Label;
use crate::networks::Network;
use crate::picture::{read, to_chw};

/// What a network computes of every prototype: by run, then by class and seed.
pub(super) type Answers = Vec<Vec<Option<Outputs>>>;

/// Shows every prototype to a network, and counts those that were put on white.
pub(super) fn answers(
    inputs: &Inputs,
    keys: &[Key],
    network: &Network,
    batch: usize,
    context: &Context,
    observer: &dyn Observer,
    tally: &mut Tally,
) -> Result<Answers> {
    let places = (0..inputs.runs.len()).flat_map(|run| (0..keys.len()).map(move |key| (run, key)));
    let found = places.filter_map(|(run, key)| Some(((run, key), inputs.runs[run].picture(&keys[key])?)));
    let (places, paths): (Vec<_>, Vec<_>) = found.unzip();
    let mut answers: Answers = vec![vec![None; keys.len()]; inputs.runs.len()];
    let batch = batch.min(paths.len());
    let mut penultimate = Penultimate::new(context, network, batch)?;
    let passed = stream_pictures(&paths, network.image(), batch, |pictures| {
        let outputs = penultimate.outputs(&together(&pictures))?;
        for (picture, outputs) in pictures.iter().zip(outputs) {
            check_finite(&outputs.logits, network, paths[picture.index].display())?;
            let (run, key) = places[picture.index];
            answers[run][key] = Some(outputs);
        }
        observer.count(pictures.len())
    })?;
    tally.join(passed.tally);
    match passed.unreadable.into_iter().next() {
        None => Ok(answers),
        Some((_, error)) => Err(error),
    }
}

/// How a network sees a class in an image; `None` if it does not have the class.
pub(super) fn seen(key: &Key, logits: &[f32], network: &Network) -> Option<Seen> {
    let labels = network.labels();
    // Checkpoints of one training have the same classes, even if these have no names.
    let same = labels.get(key.index).is_some_and(|label| label.name == key.name);
    let label = Label { wnid: None, name: key.name.clone() };
    let class = if same { Some(key.index) } else { counterpart(key.index, &label, labels).ok() };
    class.map(|class| Seen::of(logits, class))
}

/// The distance between two prototypes, from their files and the features of the reference network.
pub(super) fn distance(a: (&Path, Option<&Outputs>), b: (&Path, Option<&Outputs>)) -> Result<Distance> {
    let pixels = |path| -> Result<_> {
        let picture = read(path)?;
        Ok((picture.dimensions(), to_chw(&picture)))
    };
    let ((a_size, a_pixels), (b_size, b_pixels)) = (pixels(a.0)?, pixels(b.0)?);
    let features = a.1.zip(b.1).and_then(|(a, b)| cosine(&a.features, &b.features));
    Ok(Distance {
        pixels: (a_size == b_size).then(|| pixel_distance(&a_pixels, &b_pixels)).flatten(),
        features: features.map(|cosine| 1.0 - cosine),
    })
}
