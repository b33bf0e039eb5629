//! Asks a judge about all images, and makes its table.

use std::collections::BTreeMap;
use std::path::Path;

use super::answers::{Answer, Answers};
use super::inputs::{Group, Image, Inputs};
use crate::analysis::judge::{GroupRow, JudgeRow, PrototypeRow, Unmapped};
use crate::gpu::Context;
use crate::lab::observer::Observer;
use crate::networks::Network;
use crate::{Error, Result};

/// What judges see.
pub(crate) struct Jury<'a> {
    pub(crate) inputs: &'a Inputs,
    /// Words the reason why a judge does not know a class.
    pub(crate) words: fn(&Error) -> String,
    pub(crate) batch: usize,
}

impl Jury<'_> {
    /// Asks one judge. Adds photographs that cannot be read to `skipped`.
    ///
    /// # Errors
    /// If a prototype cannot be read, the device is lost, or the observer asked to stop.
    pub(crate) fn ask(
        &self,
        name: &str,
        network: &Network,
        context: &Context,
        observer: &dyn Observer,
        skipped: &mut Vec<String>,
    ) -> Result<JudgeRow> {
        let answers = Answers::of(network, self.inputs, self.batch, context, observer)?;
        skipped.extend(answers.skipped);
        let mut prototypes = answers.prototypes.into_iter();
        let row = |group: &Group| {
            let (each, made, unmapped) = self.prototypes(group, &mut prototypes, network);
            let (folder, labels) = (group.folder.display().to_string(), network.labels());
            GroupRow::of(folder, made, each, &answers.photographs, &answers.controls, unmapped, labels)
        };
        Ok(JudgeRow {
            weights: name.to_owned(),
            sha256: network.weights().sha256().to_owned(),
            architecture: network.architecture().to_string(),
            input: network.preprocessing().clone(),
            groups: self.inputs.groups.iter().map(row).collect(),
        })
    }

    /// The prototypes of a group as the judge sees them, the number that it made, and the classes that it does not know. `all` yields
    /// the answers.
    fn prototypes(
        &self,
        group: &Group,
        all: &mut impl Iterator<Item = Result<Answer>>,
        network: &Network,
    ) -> (Vec<PrototypeRow>, usize, Vec<Unmapped>) {
        let (mut each, mut made, mut unmapped) = (Vec::new(), 0, BTreeMap::new());
        for (prototype, answer) in group.prototypes.iter().zip(all) {
            match answer {
                Ok((seen, top)) => {
                    made += usize::from(prototype.maker.sha256 == network.weights().sha256());
                    each.push(PrototypeRow { folder: folder(&prototype.image), seen, top });
                }
                Err(reason) => {
                    let (name, reason) = (prototype.image.label.name.clone(), (self.words)(&reason));
                    let new = Unmapped { name, prototypes: 0, reason };
                    unmapped.entry((prototype.image.index, new.name.clone())).or_insert(new).prototypes += 1;
                }
            }
        }
        (each, made, unmapped.into_values().collect())
    }
}

/// A prototype's folder.
pub(super) fn folder(image: &Image) -> String {
    image.path.parent().unwrap_or(Path::new("")).display().to_string()
}
