//! Which nodes write their channels of a concatenation in place, and read their gradient from there.

use super::{Graph, NodeId};

/// A node's channels of a concatenation's output.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slice {
    /// The concatenation.
    pub(super) of: NodeId,
    /// The first of them.
    pub(super) first: usize,
}

impl Graph {
    /// For each node where in a concatenation its output is. All inputs of a concatenation are in place or none: each can write
    /// to some channels, and nothing else reads it; and each ends in a relu or none does, so that one mask does for the
    /// gradient of all.
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
