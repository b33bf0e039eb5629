//! The objectives of a batch as one term of the loss: minus a weighted sum of values of classes and modules.

use std::ops::Range;

use super::class_logit::of_images;
use super::{ClassRow, ClassTerms, Column, Diversity, Feature, FeatureRow, LossTerm, Moment, Read, Slot, Source};
use crate::error::Result;
use crate::gpu::Recording;
use crate::method::objective::resolve::{self, FeatureTerm, Form, LogitTerm, ResolvedObjective};
use crate::networks::Network;
use crate::shape::Shape;

/// One objective for each image of the batch, all of the same form. None is [`Objective::class`](crate::method::Objective::class).
pub(in crate::method) struct Weighted {
    pub(in crate::method) objectives: Vec<ResolvedObjective>,
}

impl Weighted {
    /// The objective of the first image. The others have the same kinds of terms.
    fn form(&self) -> Option<&ResolvedObjective> {
        self.objectives.first()
    }
}

impl LossTerm for Weighted {
    fn name(&self) -> &str {
        "objective"
    }

    /// The logits, if a term reads them, then the module of each other term.
    fn reads(&self, network: &Network) -> Result<Vec<Source>> {
        let Some(form) = self.form() else { return Ok(Vec::new()) };
        let logits = (!form.logits.is_empty()).then(|| Source::logits(network));
        Ok(logits.into_iter().chain(form.features.iter().map(|term| Source::Node(term.node))).collect())
    }

    fn columns(&self, _: &[Shape]) -> Vec<Column> {
        vec![Column::hidden(), Column::named("objective")]
    }

    fn weight(&self, at: Moment) -> f64 {
        at.in_prototype(1.0)
    }

    fn record(&self, rec: &mut Recording, slot: &Slot, images: Range<usize>, sources: &[Read]) -> Result<()> {
        let objectives = of_images(self.name(), &self.objectives, &images)?;
        let Some(form) = objectives.first() else { return Ok(()) };
        let mut sources = sources.iter();
        let mut first = true;
        if !form.logits.is_empty()
            && let Some(&read) = sources.next()
        {
            let rows = objectives.iter().flat_map(|objective| objective.logits.iter().map(class_row)).collect();
            ClassTerms { rows }.step(rec, "objective", read, slot)?;
            first = false;
        }
        for (i, &read) in sources.enumerate() {
            let terms: Vec<&FeatureTerm> = objectives.iter().map(|objective| &objective.features[i]).collect();
            feature(rec, &format!("term {}", i + 1), &terms, read, slot, first)?;
            first = false;
        }
        Ok(())
    }

    fn compares_images(&self) -> bool {
        self.form().is_some_and(ResolvedObjective::is_diverse)
    }
}

/// Appends a term on a module, which each image has with its own numbers.
fn feature(
    rec: &mut Recording,
    label: &str,
    terms: &[&FeatureTerm],
    read: Read,
    slot: &Slot,
    first: bool,
) -> Result<()> {
    let direction = |term: &&FeatureTerm| match &term.feature {
        resolve::ModuleUnit::Direction(v) => v.to_vec(),
        _ => Vec::new(),
    };
    let feature = match terms[0].feature {
        resolve::ModuleUnit::Diversity => {
            let weights: Vec<f32> = terms.iter().map(|term| term.weight as f32).collect();
            return Diversity.record(rec, label, read, &weights, slot, first);
        }
        resolve::ModuleUnit::Direction(_) => Feature::Direction(terms.iter().flat_map(direction).collect()),
        resolve::ModuleUnit::Neuron(..) => Feature::Neuron,
        resolve::ModuleUnit::Layer => Feature::Layer,
        resolve::ModuleUnit::Channel(_) => Feature::Channel,
    };
    let rows: Vec<FeatureRow> = terms.iter().map(|term| feature_row(term)).collect();
    feature.record(rec, label, read, &rows, slot, first)
}

fn class_row(term: &LogitTerm) -> ClassRow {
    let form = match term.form {
        Form::Logit => 0,
        Form::Probability => 1,
        Form::LogProbability => 2,
    };
    ClassRow { weight: term.weight as f32, class: term.class as u32, form }
}

fn feature_row(term: &FeatureTerm) -> FeatureRow {
    let (channel, place) = match term.feature {
        resolve::ModuleUnit::Channel(channel) => (channel, 0),
        resolve::ModuleUnit::Neuron(channel, place) => (channel, place),
        _ => (0, 0),
    };
    FeatureRow { weight: term.weight as f32, channel: channel as u32, place: place as u32 }
}
