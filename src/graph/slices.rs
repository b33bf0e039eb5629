//! Which convolutions write their channels of a concatenation in place, and read their gradient from there.

use super::{Graph, NodeId, Op};

/// A node's channels of a concatenation's output.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slice {
    /// The concatenation.
    pub(super) of: NodeId,
    /// The first of them.
    pub(super) first: usize,
}

impl Graph {
    /// For each node where in a concatenation its output is. All inputs of a concatenation are in place or none: each is a
    /// convolution that nothing else reads, without a residual; and each has a relu or none has, so that one mask does for
    /// the gradient of all.
    pub(super) fn slices(&self) -> Vec<Option<Slice>> {
        let mut slices = vec![None; self.nodes.len()];
        let readers = self.readers();
        for (i, node) in self.nodes.iter().enumerate().filter(|(_, node)| matches!(node.op, Op::Concat)) {
            let relus: Vec<Option<bool>> = node
                .inputs
                .iter()
                .map(|&input| match (&self.node(input).op, self.node(input).inputs.len(), readers[input.0]) {
                    (Op::Conv2d { relu, .. }, 1, 1) => Some(*relu),
                    _ => None,
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
