//! A graph's backward as commands: its forward list reversed, gradients to activations only.
//!
//! A node's gradient is complete when every consumer has delivered. Whoever delivers later adds what came before, and who
//! delivers last applies the mask of a relu that was fused into the node: both in the delivering kernel, see `GradEpilogue`.

use super::{Activations, Graph, NodeId, Op};
use crate::error::{Error, Result};
use crate::gpu::Recording;
use crate::ops::{Add, Concat, ConvAlgorithms, Format, GradEpilogue, Relu, Tensor, pack, sink_texels};

struct Gradients<'a> {
    graph: &'a Graph,
    acts: &'a Activations,
    sum: Vec<Option<Tensor>>,
    /// How many consumers have yet to deliver.
    open: Vec<usize>,
}

impl Graph {
    /// Appends the backward from the output's gradient `dy` and gives the input's gradient, both for the batch of `acts`.
    ///
    /// # Errors
    /// If `dy` has not the output's shape.
    pub fn record_backward(
        &self,
        rec: &mut Recording,
        choices: &ConvAlgorithms,
        acts: &Activations,
        dy: Tensor,
    ) -> Result<Tensor> {
        self.record_backward_of(rec, choices, acts, &[(self.output(), dy)])
    }

    /// The same from gradients of several nodes' outputs, each node once, in buffers. Every node must lead to one of them.
    ///
    /// # Errors
    /// If a gradient has not its output's shape, or a node leads to none of them.
    pub fn record_backward_of(
        &self,
        rec: &mut Recording,
        choices: &ConvAlgorithms,
        acts: &Activations,
        seeds: &[(NodeId, Tensor)],
    ) -> Result<Tensor> {
        let count = self.nodes.len();
        let mut gradients = Gradients { graph: self, acts, sum: vec![None; count], open: self.consumers() };
        seeds.iter().for_each(|(id, _)| gradients.open[id.0] += 1);
        for id in (1..count).rev().map(NodeId) {
            if let Some(&(_, dy)) = seeds.iter().find(|(of, _)| *of == id) {
                let texels = acts.of(id).format == Format::Texels;
                let dy = if texels { pack(rec, &self.node(id).name, dy)? } else { dy };
                gradients.pass_on(rec, id, dy)?;
            }
            let Some(dy) = gradients.sum[id.0].filter(|_| gradients.open[id.0] == 0) else {
                let name = &self.node(id).name;
                return Err(Error::input(format!("{name}: its output does not reach the network's output")));
            };
            gradients.through(rec, choices, id, dy)?;
        }
        gradients.sum[0].ok_or_else(|| Error::input("the input does not reach the network's output"))
    }
}

impl Gradients<'_> {
    /// Brings a node's gradient to its inputs.
    fn through(&mut self, rec: &mut Recording, choices: &ConvAlgorithms, id: NodeId, dy: Tensor) -> Result<()> {
        let node = self.graph.node(id);
        let label = &node.name;
        let (to, x) = (node.inputs[0], self.acts.of(node.inputs[0]));
        match &node.op {
            Op::Input => {}
            Op::ScaleShift(op) => self.deliver(rec, to, |rec, dx, sink| op.backward(rec, label, dy, dx, sink))?,
            Op::Conv2d { conv, .. } => {
                if let Some(&residual) = node.inputs.get(1) {
                    self.pass_on(rec, residual, dy)?;
                }
                let variant = choices.variant(conv, x.shape, true);
                self.deliver(rec, to, |rec, dx, sink| conv.backward(rec, label, dy, dx, sink, variant))?;
            }
            Op::Relu => self.deliver(rec, to, |rec, dx, sink| Relu.backward(rec, label, dy, x, dx, sink))?,
            Op::MaxPool2d(op) => {
                let argmax = self.acts.argmax[id.0].ok_or_else(|| Error::input(format!("{label}: no argmax")))?;
                self.deliver(rec, to, |rec, dx, sink| op.backward(rec, label, dy, argmax, dx, sink))?;
            }
            Op::LocalResponseNorm(op) => {
                self.deliver(rec, to, |rec, dx, sink| op.backward(rec, label, dy, x, dx, sink))?;
            }
            Op::GlobalAvgPool2d(op) => self.deliver(rec, to, |rec, dx, sink| op.backward(rec, label, dy, dx, sink))?,
            Op::Linear(op) => self.deliver(rec, to, |rec, dx, sink| op.backward(rec, label, dy, dx, sink))?,
            Op::Add => {
                self.pass_on(rec, to, dy)?;
                self.pass_on(rec, node.inputs[1], dy)?;
            }
            Op::Concat => {
                for (input, dy) in self.graph.parts(node, dy)? {
                    if self.acts.slices[input.0].is_some() {
                        // Complete and masked already, see `masked`.
                        self.open[input.0] -= 1;
                        self.sum[input.0] = Some(dy);
                    } else {
                        self.deliver(rec, input, |rec, dx, sink| Concat.backward(rec, label, dy, dx, sink))?;
                    }
                }
            }
            Op::Custom(op) => {
                let dx = Tensor::transient(rec, &format!("{label} dx"), x.shape);
                op.backward(rec, label, dy, x, self.acts.of(id), dx)?;
                self.pass_on(rec, to, dx)?;
            }
        }
        Ok(())
    }

    /// Whether a delivery to this node, counted off here, is the last, and if so the output whose sign masks it.
    fn count_off(&mut self, to: NodeId) -> Option<Tensor> {
        self.open[to.0] -= 1;
        (self.open[to.0] == 0 && self.masked(to)).then(|| self.acts.of(to))
    }

    /// Whether a relu is fused into a node, or into all that write to a concatenation in place.
    fn masked(&self, id: NodeId) -> bool {
        let node = self.graph.node(id);
        match &node.op {
            Op::Conv2d { relu, .. } => *relu,
            Op::Concat => self.acts.slices[node.inputs[0].0].is_some() && self.masked(node.inputs[0]),
            _ => false,
        }
    }

    /// A tensor for a node's gradient, in the format of its output.
    fn fresh(&self, rec: &mut Recording, of: NodeId) -> Tensor {
        self.acts.of(of).like(rec, &format!("{} dy", self.graph.node(of).name))
    }

    /// Delivers with a kernel that writes through a sink.
    fn deliver(
        &mut self,
        rec: &mut Recording,
        to: NodeId,
        write: impl FnOnce(&mut Recording, Tensor, GradEpilogue) -> Result<()>,
    ) -> Result<()> {
        let mask = self.count_off(to).map(|y| y.id);
        let add = self.sum[to.0].map(|t| t.id);
        let dx = self.fresh(rec, to);
        write(rec, dx, GradEpilogue { add, mask })?;
        self.sum[to.0] = Some(dx);
        Ok(())
    }

    /// Delivers a tensor as it is: no kernel, unless something must be added or masked.
    fn pass_on(&mut self, rec: &mut Recording, to: NodeId, dy: Tensor) -> Result<()> {
        let mask = self.count_off(to);
        let before = self.sum[to.0];
        let name = &self.graph.node(to).name;
        self.sum[to.0] = Some(match (before, mask) {
            (None, None) => dy,
            (before, mask) if dy.format == Format::Texels => {
                let sum = self.fresh(rec, to);
                let sink = GradEpilogue { add: before.map(|t| t.id), mask: mask.map(|t| t.id) };
                sink_texels(rec, name, dy, sum, sink)?;
                sum
            }
            (Some(before), None) => {
                let sum = self.fresh(rec, to);
                Add.forward(rec, name, before, dy, sum)?;
                sum
            }
            (before, Some(y)) => {
                let masked = self.fresh(rec, to);
                let sink = GradEpilogue { add: before.map(|t| t.id), mask: Some(y.id) };
                Relu.backward(rec, name, dy, y, masked, sink)?;
                masked
            }
        });
        Ok(())
    }
}
