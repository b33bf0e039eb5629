//! Measures entanglement, and writes the report.

use std::path::Path;

use super::inputs::Inputs;
use super::passes::{Photographed, Seen, alignments, forward, photographs};
use crate::analysis::entangle::{
    Candidate, Check, Confusions, EntangledClass, Entanglement, Head, Lists, cosine, log_softmax, mean_cosine, mean_of,
    ranked,
};
use crate::analysis::logit_gradients::LogitGradients;
use crate::gpu::Context;
use crate::lab::about::about;
use crate::lab::disk::{check_report, write_files};
use crate::lab::observer::{Counted, Event, Observer};
use crate::lab::pictures::shown_png;
use crate::lab::similarity::choice::Choice;
use crate::networks::Network;
use crate::report::{PrototypePicture, entangle_files};
use crate::{Error, Result};
use serde_json::{Map, Value, json};

/// The layout's name and version.
const FORMAT: &str = "protogpu entangle 1";
/// The file that is written last, when the report is complete.
const REPORT: &str = "entangle.json";
/// The most classes whose prototype the page shows.
const SHOWN: usize = 200;

/// Prototypes, and the network that made them.
pub(crate) struct EntangleRequest<'a> {
    pub(crate) network: &'a Network,
    pub(crate) inputs: &'a Inputs,
    /// The photographs on which the network's confusions are counted.
    pub(crate) photographs: Option<Choice<'a>>,
    /// The number of candidates of each class.
    pub(crate) candidates: usize,
    /// Whether to measure the alignment of gradients.
    pub(crate) gradients: bool,
    pub(crate) batch: usize,
    pub(crate) out: &'a Path,
    /// Whether to replace an earlier report.
    pub(crate) force: bool,
}

impl EntangleRequest<'_> {
    /// Checks all that can be checked before any work.
    pub(crate) fn check(&self) -> Result<()> {
        if self.network.classes() < 2 {
            return Err(Error::input(format!("{} has only one class", self.network.weights().name())));
        }
        for (class, _) in self.inputs.classes() {
            self.inputs.read(class, self.network)?;
        }
        let found = |choice: &Choice<'_>| self.inputs.classes().any(|(class, _)| !choice.same(class).is_empty());
        if let Some(choice) = self.photographs.as_ref().filter(|choice| !found(choice)) {
            let root = choice.folder.root().display();
            return Err(Error::input(format!("{root} has no image of a class that has a prototype")));
        }
        check_report(self.out, REPORT, self.force)
    }

    /// Measures, and writes the report.
    ///
    /// # Errors
    /// [`Error::Cancelled`] if the observer asked to stop; nothing is written then.
    pub(crate) fn run(&self, context: &Context, observer: &dyn Observer) -> Result<Entanglement> {
        // Before the network works, because a picture may be unreadable.
        let shown = self.inputs.classes().take(SHOWN).map(|(class, _)| self.picture(class));
        let shown = shown.collect::<Result<Vec<_>>>()?;
        observer.tell(Event::Counting { what: Counted::Pictures, done: 0, total: Some(self.passes() as u64) });
        let measured = self.measure(context, observer);
        observer.tell(Event::CountingEnded);
        let entanglement = measured?;
        write_files(self.out, &entangle_files(&entanglement, &shown, self.network.labels())?)?;
        Ok(entanglement)
    }

    /// The number of images that go through the network.
    fn passes(&self) -> usize {
        let prototypes = self.inputs.count();
        let gradients = if self.gradients { prototypes * (1 + self.candidates()) } else { 0 };
        let of_class = |choice: &Choice<'_>| self.inputs.classes().map(|(class, _)| choice.same(class).len()).sum();
        prototypes + gradients + self.photographs.as_ref().map_or(0, of_class)
    }

    fn candidates(&self) -> usize {
        self.candidates.min(self.network.classes() - 1)
    }

    fn measure(&self, context: &Context, observer: &dyn Observer) -> Result<Entanglement> {
        let (network, batch) = (self.network, self.batch);
        let seen = forward(self.inputs, network, batch, context, observer)?;
        let head = Head::of(network);
        let mut rows: Vec<EntangledClass> = seen.iter().map(|one| self.row(one, &seen)).collect();
        let weights: Vec<Vec<Option<f64>>> = rows
            .iter()
            .map(|row| head.as_ref().map_or(vec![None; network.classes()], |head| head.cosines(row.index)))
            .collect();
        for (row, weights) in rows.iter_mut().zip(&weights) {
            row.candidates.iter_mut().for_each(|candidate| candidate.weights = weights[candidate.index]);
        }
        if self.gradients {
            let gradients = LogitGradients::new(context, network, batch)?;
            rows.iter_mut().try_for_each(|row| self.align(row, &gradients, observer))?;
        }
        let mut skipped: Vec<String> = (self.inputs.without_class.iter())
            .map(|folder| format!("{}: its objective is not a class", folder.display()))
            .collect();
        let (mut check, mut notes) = (None, Vec::new());
        if let Some(choice) = &self.photographs {
            let classes: Vec<usize> = rows.iter().map(|row| row.index).collect();
            let Photographed { logits, passed } = photographs(&classes, choice, network, batch, context, observer)?;
            skipped.extend(choice.folder.skipped().iter().cloned().chain(passed.reasons()));
            notes.extend(choice.folder.notes().iter().cloned().chain(passed.tally.note()));
            for (row, logits) in rows.iter_mut().zip(&logits) {
                let found = || Confusions::of(row.index, logits, network.labels());
                row.confusions = (!logits.is_empty()).then(found);
                if logits.is_empty() {
                    let root = choice.folder.root().display();
                    skipped.push(format!("{root} has no images of class {} ({})", row.index, row.name));
                }
            }
            check = Some(self.checked(&rows, &weights, head.is_some()));
        }
        Ok(Entanglement {
            format: FORMAT.to_owned(),
            classes: rows,
            check,
            without_class: self.inputs.without_class.len(),
            settings: self.settings(),
            skipped,
            notes,
        })
    }

    /// A class's row, without weights, gradients and photographs.
    fn row(&self, one: &Seen, all: &[Seen]) -> EntangledClass {
        let (network, class) = (self.network, one.class);
        let logs: Vec<Vec<f64>> = one.logits.iter().map(|logits| log_softmax(logits)).collect();
        let mean =
            |of: fn(f64) -> f64, class: usize| logs.iter().map(|log| of(log[class])).sum::<f64>() / logs.len() as f64;
        let log_probabilities: Vec<f64> = (0..network.classes()).map(|class| mean(|log| log, class)).collect();
        let features: Vec<Option<f64>> = all
            .iter()
            .map(|other| {
                if other.class == class { between(&one.features) } else { mean_cosine(&one.features, &other.features) }
            })
            .collect();
        let scores: Vec<Option<f64>> = log_probabilities.iter().copied().map(Some).collect();
        let candidate = |index: usize| Candidate {
            index,
            name: network.labels().name(index).to_owned(),
            log_probability: log_probabilities[index],
            probability: mean(libm::exp, index),
            alignment: None,
            features: all.iter().position(|other| other.class == index).and_then(|at| features[at]),
            weights: None,
        };
        EntangledClass {
            index: class,
            name: network.labels().name(class).to_owned(),
            prototypes: one.logits.len(),
            probability: mean(libm::exp, class),
            candidates: ranked(&scores, class).into_iter().take(self.candidates()).map(candidate).collect(),
            confusions: None,
            features,
            log_probabilities,
        }
    }

    /// Fills in the alignments of a class's candidates, and puts the most aligned first.
    fn align(&self, row: &mut EntangledClass, gradients: &LogitGradients, observer: &dyn Observer) -> Result<()> {
        let others: Vec<usize> = row.candidates.iter().map(|candidate| candidate.index).collect();
        let found = alignments(self.inputs, row.index, &others, gradients, self.batch, self.network, observer)?;
        for (at, candidate) in row.candidates.iter_mut().enumerate() {
            candidate.alignment = mean_of(found.iter().map(|of_prototype| of_prototype[at]));
        }
        // Without an alignment, a candidate comes last. The sort keeps equals in the order of their probabilities.
        let value = |candidate: &Candidate| candidate.alignment.unwrap_or(f64::NEG_INFINITY);
        row.candidates.sort_by(|a, b| value(b).total_cmp(&value(a)));
        Ok(())
    }

    /// How often the most frequent confusions are among the first candidates, beside other lists.
    fn checked(&self, rows: &[EntangledClass], weights: &[Vec<Option<f64>>], has_head: bool) -> Check {
        let confusions: Vec<Option<&Confusions>> = rows.iter().map(|row| row.confusions.as_ref()).collect();
        let listed = |row: &EntangledClass| row.candidates.iter().map(|candidate| candidate.index).collect();
        let likely = |row: &EntangledClass| {
            let scores: Vec<Option<f64>> = row.log_probabilities.iter().copied().map(Some).collect();
            ranked(&scores, row.index)
        };
        let mut lists = Vec::new();
        if self.gradients {
            lists.push(Lists { measure: "gradient alignment", of_classes: rows.iter().map(listed).collect() });
        }
        lists.push(Lists { measure: "log probability", of_classes: rows.iter().map(likely).collect() });
        if has_head {
            let nearest = rows.iter().zip(weights).map(|(row, weights)| ranked(weights, row.index)).collect();
            lists.push(Lists { measure: "last layer's weights", of_classes: nearest });
        }
        Check::of(&confusions, &lists, self.network.classes())
    }

    /// The picture of a class for the page.
    fn picture(&self, class: usize) -> Result<PrototypePicture> {
        let (folder, path) = self.inputs.picture(class);
        let name = self.network.labels().name(class).to_owned();
        Ok(PrototypePicture { folder: folder.display().to_string(), class: name, file: shown_png(&path)? })
    }

    fn settings(&self) -> Map<String, Value> {
        let photographs = self.photographs.as_ref().map(|choice| {
            json!({
                "images": choice.folder.root().display().to_string(),
                "per_class": choice.per_class,
                "seed": choice.seed,
            })
        });
        [
            ("version", json!(env!("CARGO_PKG_VERSION"))),
            ("network", about(self.network)),
            ("candidates", json!(self.candidates())),
            ("gradients", json!(self.gradients)),
            ("photographs", json!(photographs)),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into_iter()
        .collect()
    }
}

/// The mean cosine between different vectors; `None` if there is only one.
fn between(vectors: &[Vec<f32>]) -> Option<f64> {
    let pairs = (0..vectors.len()).flat_map(|a| (0..a).map(move |b| (a, b)));
    mean_of(pairs.map(|(a, b)| cosine(&vectors[a], &vectors[b])))
}
