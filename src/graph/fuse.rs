//! Fewer and faster nodes for the same function. An op absorbs ops after it: a convolution takes batch norms, a residual and a ReLU.
//! Faster ops replace others: a fully connected layer becomes a convolution.

use std::sync::Arc;

use super::{Graph, NodeId};
use crate::error::Result;
use crate::ops::{ChannelAffine, Fusable, Op};

impl Graph {
    /// The same function, with batch norms, residual sums and ReLUs fused into convolutions, and fully connected layers as
    /// convolutions with windows as large as x. Fused nodes have the names of their convolutions.
    ///
    /// # Errors
    /// If the shapes in the graph do not fit.
    pub fn fused(&self) -> Result<Self> {
        let readers = self.readers();
        let mut graph = Self { nodes: vec![self.nodes[0].clone()], outputs: Vec::new() };
        // The node of the new graph that has the value of each old node.
        let mut now = vec![NodeId(0)];
        // Whether the value of a new node has only one reader, so that it may change.
        let mut lone = vec![false];
        for (i, node) in self.nodes.iter().enumerate().skip(1) {
            let inputs: Vec<NodeId> = node.inputs.iter().map(|&i| now[i.0]).collect();
            let id = match absorbed(&graph, &lone, &*node.op, &inputs) {
                Some((id, op)) => {
                    let into = &mut graph.nodes[id.0];
                    into.op = op;
                    into.inputs.extend(inputs.iter().filter(|&&input| input != id));
                    id
                }
                None => {
                    lone.push(false);
                    let shapes = graph.shapes(&inputs);
                    let op = node.op.lowered(&shapes).unwrap_or_else(|| Arc::clone(&node.op));
                    graph.push_shared(node.name.clone(), op, &inputs)?
                }
            };
            lone[id.0] = readers[i] == 1;
            now.push(id);
        }
        graph.outputs = self.outputs.iter().map(|output| now[output.0]).collect();
        Ok(graph)
    }

    /// The normalisation with which the graph begins, and the graph without it; `None` if anything else reads the input. The op
    /// that makes the input can then apply it.
    pub fn without_normalize(&self) -> Option<(ChannelAffine, Self)> {
        let is_read = self.outputs.iter().any(|output| output.0 < 2);
        let alone = self.consumers()[0] == 1 && self.nodes.len() > 2 && !is_read;
        let second = self.nodes.get(1).filter(|node| alone && node.inputs == [NodeId(0)])?;
        let Some(Fusable::ChannelAffine(first)) = second.op.as_fusable() else { return None };
        let mut nodes = vec![self.nodes[0].clone()];
        nodes.extend(self.nodes[2..].iter().cloned());
        for node in &mut nodes {
            node.inputs.iter_mut().for_each(|input| *input = NodeId(input.0.saturating_sub(1)));
        }
        let outputs = self.outputs.iter().map(|output| NodeId(output.0 - 1)).collect();
        Some((first, Self { nodes, outputs }))
    }
}

/// The input that can absorb the op, and the op that does the work of both.
fn absorbed(graph: &Graph, lone: &[bool], op: &dyn Op, inputs: &[NodeId]) -> Option<(NodeId, Arc<dyn Op>)> {
    let next = op.as_fusable()?;
    // Of the operands of a sum, the later one: when it runs, the other must be complete.
    let id = *inputs.iter().max().filter(|id| lone[id.0])?;
    if matches!(next, Fusable::Add) && inputs.iter().all(|input| *input == id) {
        return None;
    }
    graph.node(id).op.absorb(&next).map(|op| (id, op))
}
