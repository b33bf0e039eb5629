//! Fits the names in a file to torchvision's: removes prefixes, translates the names of other libraries, and finds the head.

mod dialect;
mod head;
mod known;

use std::collections::{BTreeMap, BTreeSet};

use crate::error::{Error, Result};
use crate::suggest::{listed, shown};
use crate::weights::Weights;
use dialect::{DIALECTS, Dialect};

pub(super) use head::{Head, HeadLayer};
pub(super) use known::foreign;

/// Modules beside a network that training uses: losses, metrics, and the queue of contrastive learning.
const OF_TRAINING: [&str; 7] = ["criterion", "loss", "loss_fn", "loss_function", "metric", "metrics", "queue"];

/// The weights with torchvision's names, as far as they are understood; as they are if nothing is. [`Weights::notes`] says what was
/// done.
///
/// # Errors
/// If the file holds several networks, or several modules could be the head.
pub(crate) fn translated(weights: Weights) -> Result<Weights> {
    let names: BTreeSet<&str> = weights.tensors().map(|(name, ..)| name).collect();
    let found = DIALECTS.iter().flat_map(|dialect| dialect.prefixes(&names).map(move |prefix| (dialect, prefix)));
    let found: Vec<(&Dialect, String)> = found.collect();
    match &found[..] {
        [] => Ok(weights),
        [(dialect, prefix)] => Fit::of(&weights, dialect, prefix)?.applied(weights),
        several => {
            let name = |prefix: &'_ str| {
                if prefix.is_empty() { "(no prefix)".to_owned() } else { prefix.trim_end_matches('.').to_owned() }
            };
            let prefixes: Vec<String> = several.iter().map(|(_, prefix)| name(prefix)).collect();
            let what = format!("{}: holds several networks, under {}", weights.name(), listed(&prefixes));
            Err(Error::input(what).advised(": choose one with {key}"))
        }
    }
}

/// How a file's names become torchvision's.
struct Fit {
    /// torchvision's name by the file's.
    names: BTreeMap<String, String>,
    /// Channels of the last layer of the backbone.
    features: usize,
    notes: Vec<String>,
}

impl Fit {
    fn of(weights: &Weights, dialect: &Dialect, prefix: &str) -> Result<Self> {
        let mut names = BTreeMap::new();
        let mut others: Vec<&str> = Vec::new();
        for (name, ..) in weights.tensors() {
            match name.strip_prefix(prefix).and_then(dialect.torchvision) {
                Some(translated) => drop(names.insert(name.to_owned(), translated)),
                None => others.push(name),
            }
        }
        let mut notes = Vec::new();
        if !prefix.is_empty() {
            notes.push(format!("removed from the names: `{}`", shown(prefix)));
        }
        if let Some(whose) = dialect.whose {
            notes.push(format!("translated the names of {whose}"));
        }
        let features = dialect::features(weights, &names);
        let head = head::find(weights, &others, features)?;
        let at = head.as_ref().map(|head| head.at.strip_prefix(prefix).unwrap_or(&head.at));
        if let Some(at) = at.filter(|&at| at != "fc") {
            notes.push(format!("its head is `{}`", shown(at)));
        }
        let head: BTreeMap<&str, &str> =
            head.iter().flat_map(|head| head.names.iter().map(|(from, to)| (&from[..], &to[..]))).collect();
        let mut left_out = Vec::new();
        for name in others {
            if let Some(translated) = head.get(name) {
                names.insert(name.to_owned(), (*translated).to_owned());
            } else if let Some(rest) = name.strip_prefix(prefix).filter(|rest| !is_of_training(rest)) {
                // It may change what the network does, so it does not fit.
                names.insert(name.to_owned(), rest.to_owned());
            } else {
                left_out.push(name);
            }
        }
        if !left_out.is_empty() {
            let modules = left_out.iter().map(|name| name.split('.').next().unwrap_or(name));
            let modules: BTreeSet<&str> = modules.collect();
            let (count, modules) = (left_out.len(), listed(&modules.into_iter().collect::<Vec<_>>()));
            let tensors = if count == 1 { "tensor" } else { "tensors" };
            notes.push(format!("left out {count} {tensors} outside of the network: {modules}"));
        }
        Ok(Self { names, features, notes })
    }

    fn applied(self, weights: Weights) -> Result<Weights> {
        let mut distinct: Vec<&String> = self.names.values().collect();
        distinct.sort();
        if let Some(pair) = distinct.windows(2).find(|pair| pair[0] == pair[1]) {
            let (file, name) = (weights.name(), shown(pair[0]));
            return Err(Error::input(format!("{file}: two of its tensors would be called `{name}`")));
        }
        let mut weights = weights.renamed(&self.names, self.notes);
        let head = Head::of(&weights);
        let pools_twice = self.features.checked_mul(2).is_some_and(|twice| twice > 0 && head.inputs == twice);
        for layer in &head.layers {
            let taken = |name: &str, kind: &str| {
                format!(
                    "`{name}` has no tensors, and is taken for a {kind}; if it is another layer, export an ONNX model"
                )
            };
            match layer {
                HeadLayer::Relu(name) => weights.add_note(taken(name, "ReLU")),
                HeadLayer::Dropout(name) => weights.add_note(taken(name, "dropout")),
                HeadLayer::Linear { name, bias: false, .. } => weights.add_note(format!("`{name}` has no bias")),
                _ => {}
            }
        }
        if pools_twice {
            weights.add_note(
                "its head takes the maximum over positions, then the mean, as fastai's AdaptiveConcatPool2d".to_owned(),
            );
        }
        Ok(weights)
    }
}

fn is_of_training(name: &str) -> bool {
    let module = name.split('.').next().unwrap_or(name);
    OF_TRAINING.contains(&module) || module == "queue_ptr"
}

#[cfg(test)]
mod tests;
