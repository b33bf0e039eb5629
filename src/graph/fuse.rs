//! Fewer nodes for the same function, and faster ones: batch norm folded into the convolution before it, residual add and
//! relu into its epilogue; a fully connected layer as the convolution that it is.

use std::sync::Arc;

use super::{Graph, Node, NodeId, Op};
use crate::error::Result;
use crate::ops::{Conv2d, ScaleShift};
use crate::shape::Shape;

impl Graph {
    /// The same function with batch norms, residual adds and relus fused into convolutions, and fully connected layers as
    /// convolutions with windows as large as x. The nodes keep the names of their convolutions.
    ///
    /// # Errors
    /// If the graph's own shapes do not fit.
    pub fn fused(&self) -> Result<Self> {
        let readers = self.readers();
        let mut graph = Self { nodes: vec![self.nodes[0].clone()], outputs: Vec::new() };
        // Where each old node's value is in the new graph.
        let mut now = vec![NodeId(0)];
        // Whether a new node's value has one reader only, so that it may change.
        let mut lone = vec![false];
        for (i, node) in self.nodes.iter().enumerate().skip(1) {
            let inputs: Vec<NodeId> = node.inputs.iter().map(|&i| now[i.0]).collect();
            let into = absorber(&graph, &lone, &node.op, &inputs);
            let id = match into {
                Some(id) => {
                    absorb(&mut graph.nodes[id.0], &node.op, &inputs, id);
                    id
                }
                None => {
                    lone.push(false);
                    graph.push(node.name.clone(), as_convolution(&node.op, graph.node(inputs[0]).shape), &inputs)?
                }
            };
            lone[id.0] = readers[i] == 1;
            now.push(id);
        }
        graph.outputs = self.outputs.iter().map(|end| now[end.0]).collect();
        Ok(graph)
    }

    /// The scale and shift with which the graph begins, and the graph without it, if nothing else reads the input: so that
    /// what makes the input can apply it.
    pub fn without_normalize(&self) -> Option<(ScaleShift, Self)> {
        let looked_at = self.outputs.iter().any(|end| end.0 < 2);
        let alone = self.consumers()[0] == 1 && self.nodes.len() > 2 && !looked_at;
        let Op::ScaleShift(first) = &self.nodes.get(1).filter(|node| alone && node.inputs == [NodeId(0)])?.op else {
            return None;
        };
        let mut nodes = vec![self.nodes[0].clone()];
        nodes.extend(self.nodes[2..].iter().cloned());
        for node in &mut nodes {
            node.inputs.iter_mut().for_each(|input| *input = NodeId(input.0.saturating_sub(1)));
        }
        let outputs = self.outputs.iter().map(|end| NodeId(end.0 - 1)).collect();
        Some((first.clone(), Self { nodes, outputs }))
    }
}

/// A fully connected layer of x as a convolution; any other op as it is.
fn as_convolution(op: &Op, x: Shape) -> Op {
    let Op::Linear(linear) = op else { return op.clone() };
    let w_shape = [linear.b.len(), x.c(), x.h(), x.w()];
    let (w, b) = (Arc::clone(&linear.w), Some(Arc::clone(&linear.b)));
    Op::Conv2d { conv: Conv2d::new(w, w_shape, b, [1, 1], [0; 4]), relu: false }
}

/// The convolution among the inputs that can take the op over, if there is one.
fn absorber(graph: &Graph, lone: &[bool], op: &Op, inputs: &[NodeId]) -> Option<NodeId> {
    // Of an add's operands, the later one: the other must be there when it runs.
    let id = *inputs.iter().max()?;
    let node = graph.node(id);
    let Op::Conv2d { relu: false, .. } = node.op else { return None };
    let plain = node.inputs.len() == 1;
    let takes = match op {
        Op::ScaleShift(_) => plain,
        Op::Add => plain && inputs[0] != inputs[1],
        Op::Relu => true,
        _ => false,
    };
    (takes && lone[id.0]).then_some(id)
}

fn absorb(node: &mut Node, op: &Op, inputs: &[NodeId], id: NodeId) {
    let Op::Conv2d { conv, relu } = &mut node.op else { return };
    match op {
        Op::ScaleShift(norm) => conv.norms.push(norm.clone()),
        Op::Add => node.inputs.extend(inputs.iter().filter(|&&i| i != id)),
        Op::Relu => *relu = true,
        _ => {}
    }
}
