//! The passes through the network.

use super::inputs::Inputs;
use crate::Result;
use crate::analysis::Classifier;
use crate::analysis::entangle::cosine;
use crate::analysis::logit_gradients::LogitGradients;
use crate::analysis::penultimate::Penultimate;
use crate::gpu::Context;
use crate::lab::classify::check_finite;
use crate::lab::observer::Observer;
use crate::lab::pictures::{Passed, classify};
use crate::lab::similarity::choice::Choice;
use crate::networks::Network;

/// What the network makes of the prototypes of a class.
pub(super) struct Seen {
    pub(super) class: usize,
    /// The logits `[K]` of each.
    pub(super) logits: Vec<Vec<f32>>,
    /// The input of the last layer `[C]` of each, as the mean over its positions.
    pub(super) features: Vec<Vec<f32>>,
}

/// Logits and penultimate features of the prototypes of each class.
pub(super) fn forward(
    inputs: &Inputs,
    network: &Network,
    batch: usize,
    context: &Context,
    observer: &dyn Observer,
) -> Result<Vec<Seen>> {
    let mut penultimate = Penultimate::new(context, network, batch)?;
    let mut seen = Vec::new();
    for (class, _) in inputs.classes() {
        let mut of_class = Seen { class, logits: Vec::new(), features: Vec::new() };
        for prototypes in inputs.read(class, network)?.chunks(batch) {
            let pixels: Vec<f32> = prototypes.iter().flat_map(|one| one.pixels.iter().copied()).collect();
            for (prototype, outputs) in prototypes.iter().zip(penultimate.outputs(&pixels)?) {
                check_finite(&outputs.logits, network, prototype.folder.display())?;
                of_class.logits.push(outputs.logits);
                of_class.features.push(outputs.features);
            }
            observer.count(prototypes.len())?;
        }
        seen.push(of_class);
    }
    Ok(seen)
}

/// For each prototype of a class and each of the classes `others`, the cosine between the gradients of both classes' logits, each less the
/// mean of all logits, with respect to the pixels.
pub(super) fn alignments(
    inputs: &Inputs,
    class: usize,
    others: &[usize],
    gradients: &LogitGradients,
    batch: usize,
    network: &Network,
    observer: &dyn Observer,
) -> Result<Vec<Vec<Option<f64>>>> {
    let (classes, len) = (network.classes(), network.image().batch(1).image_len());
    let all: Vec<usize> = [class].into_iter().chain(others.iter().copied()).collect();
    let mut alignments = Vec::new();
    for prototype in inputs.read(class, network)? {
        let mut found = Vec::with_capacity(all.len() * len);
        for chunk in all.chunks(batch) {
            // Softmax ignores what all logits share, so the gradient does, too.
            let mut weights = vec![-1.0 / classes as f32; chunk.len() * classes];
            for (row, class) in chunk.iter().enumerate() {
                weights[row * classes + class] += 1.0;
            }
            found.extend(gradients.of(&prototype.pixels.repeat(chunk.len()), &weights)?.1);
            observer.count(chunk.len())?;
        }
        let (own, others) = found.split_at(len);
        alignments.push(others.chunks_exact(len).map(|other| cosine(own, other)).collect());
    }
    Ok(alignments)
}

/// Photographs as the network sees them.
#[derive(Default)]
pub(super) struct Photographed {
    /// By class, the logits `[K]` of each photograph.
    pub(super) logits: Vec<Vec<Vec<f32>>>,
    /// How they were read.
    pub(super) passed: Passed,
}

/// Shows photographs of each class to the network.
pub(super) fn photographs(
    classes: &[usize],
    choice: &Choice<'_>,
    network: &Network,
    batch: usize,
    context: &Context,
    observer: &dyn Observer,
) -> Result<Photographed> {
    let of_class = |(at, &class): (usize, &usize)| choice.same(class).into_iter().map(move |path| (at, path));
    let (places, paths): (Vec<usize>, Vec<_>) = classes.iter().enumerate().flat_map(of_class).unzip();
    let mut logits = vec![Vec::new(); classes.len()];
    if paths.is_empty() {
        return Ok(Photographed { logits, ..Photographed::default() });
    }
    let classifier = Classifier::new(context, network, batch.min(paths.len()))?;
    let passed = classify(&classifier, &paths, |seen| {
        let count = seen.len();
        for (index, one) in seen {
            check_finite(&one, network, paths[index].display())?;
            logits[places[index]].push(one);
        }
        observer.count(count)
    })?;
    Ok(Photographed { logits, passed })
}
