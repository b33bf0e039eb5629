//! Asks a judge about all images, and makes its table.

use std::collections::{BTreeMap, HashSet};

use super::answers::{Answer, Answers};
use super::inputs::{Group, Inputs};
use crate::analysis::judge::{GroupRow, JudgeRow, PrototypeRow, Unmapped};
use crate::analysis::kid::{Featured, Kid};
use crate::analysis::study::Resampling;
use crate::gpu::Context;
use crate::lab::observer::Observer;
use crate::lab::pictures::Tally;
use crate::networks::Network;
use crate::{Error, Result};

/// Resamples behind each interval of KID.
const RESAMPLES: usize = 1000;

/// What judges see.
pub(crate) struct Jury<'a> {
    pub(crate) inputs: &'a Inputs,
    /// Words the reason why a judge does not know a class.
    pub(crate) words: fn(&Error) -> String,
    pub(crate) batch: usize,
}

impl Jury<'_> {
    /// Asks one judge. Adds photographs that cannot be read to `skipped`, and counts the images.
    ///
    /// # Errors
    /// If a prototype cannot be read, the device is lost, or the observer asked to stop.
    pub(crate) fn ask(
        &self,
        name: &str,
        network: &Network,
        context: &Context,
        observer: &dyn Observer,
        (skipped, tally): (&mut Vec<String>, &mut Tally),
    ) -> Result<JudgeRow> {
        let answers = Answers::of(network, self.inputs, self.batch, context, observer)?;
        skipped.extend(answers.skipped);
        tally.join(answers.tally);
        let mut prototypes = answers.prototypes.into_iter();
        let row = |group: &Group| {
            let PrototypeRows { each, features, made, unmapped } = self.prototypes(group, &mut prototypes, network);
            let (folder, labels) = (group.folder.display().to_string(), network.labels());
            let kid = kid(&features, &answers.features, self.inputs.seed);
            let row = GroupRow::of(folder, made, each, &answers.photographs, &answers.controls, unmapped, labels);
            GroupRow { kid, ..row.with_varieties(&features, &answers.features) }
        };
        Ok(JudgeRow {
            weights: name.to_owned(),
            sha256: network.weights().sha256().to_owned(),
            architecture: network.architecture().to_string(),
            input: network.preprocessing().clone(),
            groups: self.inputs.groups.iter().map(row).collect(),
        })
    }

    /// The prototypes of a group. `all` yields the answers.
    fn prototypes(
        &self,
        group: &Group,
        all: &mut impl Iterator<Item = Result<Answer>>,
        network: &Network,
    ) -> PrototypeRows {
        let (mut rows, mut unmapped) = (PrototypeRows::default(), BTreeMap::new());
        for (prototype, answer) in group.prototypes.iter().zip(all) {
            match answer {
                Ok(Answer { seen, top, features }) => {
                    rows.made += usize::from(prototype.maker.sha256 == network.weights().sha256());
                    rows.each.push(PrototypeRow { folder: prototype.image.name.clone(), seen, top });
                    rows.features.push(Featured { class: seen.class, features });
                }
                Err(reason) => {
                    let (name, reason) = (prototype.image.label.name.clone(), (self.words)(&reason));
                    let new = Unmapped { name, prototypes: 0, reason };
                    unmapped.entry((prototype.image.index, new.name.clone())).or_insert(new).prototypes += 1;
                }
            }
        }
        PrototypeRows { unmapped: unmapped.into_values().collect(), ..rows }
    }
}

/// The prototypes of a group as a judge sees them.
#[derive(Default)]
struct PrototypeRows {
    each: Vec<PrototypeRow>,
    features: Vec<Featured>,
    /// The number that the judge made.
    made: usize,
    /// The classes that it does not know.
    unmapped: Vec<Unmapped>,
}

/// KID between prototypes and the photographs of their classes; `None` if there are none of either.
fn kid(prototypes: &[Featured], photographs: &[Featured], seed: u64) -> Option<Kid> {
    let classes: HashSet<usize> = prototypes.iter().map(|one| one.class).collect();
    let photographs: Vec<&Featured> = photographs.iter().filter(|one| classes.contains(&one.class)).collect();
    let resampling = Resampling { count: RESAMPLES, seed };
    let prototypes: Vec<&Featured> = prototypes.iter().collect();
    (!photographs.is_empty()).then(|| Kid::of(&prototypes, &photographs, resampling))
}
