//! Decides which nodes write directly to their channels of a concatenation, and read their gradient from there.

use super::{Graph, NodeId};

/// The channels of a node in the output of a concatenation.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slice {
    /// The concatenation.
    pub(super) of: NodeId,
    /// The first channel.
    pub(super) first: usize,
}

impl Graph {
    /// For each node, its channels in a concatenation, if its output lies there. Either all inputs of a concatenation are in place
    /// or none. All are if each can write to some channels and has no other reader, and if all end in a ReLU or none does: one mask
    /// serves the gradient of all.
    pub(super) fn slices(&self) -> Vec<Option<Slice>> {
        let mut slices = vec![None; self.nodes.len()];
        let readers = self.readers();
        for (i, node) in self.nodes.iter().enumerate().filter(|(_, node)| node.op.concatenates()) {
            let relus: Vec<Option<bool>> = node
                .inputs
                .iter()
                .map(|&input| {
                    let op = &self.node(input).op;
                    (op.writes_channels() && readers[input.0] == 1).then(|| op.ends_in_relu())
                })
                .collect();
            if relus[0].is_none() || relus.iter().any(|relu| *relu != relus[0]) {
                continue;
            }
            let mut first = 0;
            for input in &node.inputs {
                slices[input.0] = Some(Slice { of: NodeId(i), first });
                first += self.node(*input).shape.c();
            }
        }
        slices
    }
}
