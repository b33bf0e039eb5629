//! The regulariser `diversity`: images of one class or objective that differ by their seeds are to show different things.

use std::ops::Range;

use super::class_logit::of_images;
use super::option::{OptionKind, TermOption};
use super::term::Regularizer;
use super::{Column, Diversity, FeatureRow, LossTerm, Moment, Read, Slot, Source};
use crate::error::Result;
use crate::gpu::Recording;
use crate::graph::NodeId;
use crate::networks::Network;
use crate::shape::Shape;

/// The mean cosine similarity between an image's Gram matrix, of what the network's last layer reads, and those of the other images of its
/// group, in the prototype stage. Its column is `loss_diversity`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Diverse {
    /// The node whose outputs are compared.
    node: NodeId,
    /// The group of each image of the batch.
    groups: Vec<u32>,
    weight: f64,
}

impl Diverse {
    pub(super) const REGULARIZER: Regularizer = Regularizer {
        options: &[TermOption {
            name: "diversity_weight",
            kind: OptionKind::Number(0.0),
            about: "Weight of the similarity between the prototypes of a class that differ by their seeds",
        }],
        of: |values, network, groups| {
            let weight = values[0].number();
            let of = || Self { node: features(network), groups: groups.to_vec(), weight };
            (weight > 0.0).then(|| Box::new(of()) as Box<_>)
        },
    };
}

/// The node that the last layer reads, or the logits if there is only one layer.
fn features(network: &Network) -> NodeId {
    let (graph, logits) = (network.graph(), network.graph().output());
    graph.node(logits).inputs.first().copied().unwrap_or(logits)
}

impl LossTerm for Diverse {
    fn name(&self) -> &str {
        "diversity"
    }

    fn reads(&self, _: &Network) -> Result<Vec<Source>> {
        Ok(vec![Source::Node(self.node)])
    }

    fn columns(&self, _: &[Shape]) -> Vec<Column> {
        vec![Column::named("loss_diversity"), Column::hidden()]
    }

    fn weight(&self, at: Moment) -> f64 {
        at.in_prototype(self.weight)
    }

    fn record(&self, rec: &mut Recording, slot: &Slot, images: Range<usize>, sources: &[Read]) -> Result<()> {
        let row = |&group: &u32| FeatureRow { weight: 1.0, channel: group, place: 0 };
        let rows: Vec<FeatureRow> = of_images(self.name(), &self.groups, &images)?.iter().map(row).collect();
        sources.iter().try_for_each(|&read| Diversity.record_within(rec, self.name(), read, &rows, slot, true))
    }

    fn compares_images(&self) -> bool {
        true
    }
}
