//! The backward pass of a graph as commands: the list of nodes reversed, with gradients of activations only.
//!
//! The gradient of a node is complete when every consumer has delivered. Each later delivery adds the sum of those before, and the
//! last one applies the mask of a ReLU that is fused into the node. The delivering kernel does both, see `GradEpilogue`.

use super::{Graph, NodeId, NodeOutputs};
use crate::error::{Error, Result};
use crate::gpu::Recording;
use crate::ops::{Backward, ConvAlgorithms, Format, GradEpilogue, Gradients, Tensor, finish_gradient, pack};

/// The gradients delivered so far.
struct Sums<'a> {
    graph: &'a Graph,
    acts: &'a NodeOutputs,
    sum: Vec<Option<Tensor>>,
    /// How many consumers of each node have yet to deliver.
    open: Vec<usize>,
}

impl Graph {
    /// Appends the backward from `dy`, the gradient of the output, and returns the gradient of the input, both for the batch of
    /// `acts`.
    ///
    /// # Errors
    /// If `dy` does not have the shape of the output.
    pub fn record_backward(
        &self,
        rec: &mut Recording,
        algorithms: &ConvAlgorithms,
        acts: &NodeOutputs,
        dy: Tensor,
    ) -> Result<Tensor> {
        self.record_backward_of(rec, algorithms, acts, &[(self.output(), dy)])
    }

    /// [`Graph::record_backward`] from the gradients of several nodes, each node once, in buffers or in the formats of the outputs.
    /// Every node must lead to one of them.
    ///
    /// # Errors
    /// If a gradient does not have the shape of its output, or a node leads to none of them.
    pub fn record_backward_of(
        &self,
        rec: &mut Recording,
        algorithms: &ConvAlgorithms,
        acts: &NodeOutputs,
        seeds: &[(NodeId, Tensor)],
    ) -> Result<Tensor> {
        let count = self.nodes.len();
        let mut gradients = Sums { graph: self, acts, sum: vec![None; count], open: self.consumers() };
        seeds.iter().for_each(|(id, _)| gradients.open[id.0] += 1);
        // Where a node has one consumer, the seed comes first: then the kernel of the consumer adds it. Of two numbers the sum is the
        // same in either order.
        let consumers = self.consumers();
        let (first, later): (Vec<_>, Vec<_>) = seeds.iter().partition(|(id, _)| consumers[id.0] == 1);
        for &(id, dy) in first {
            gradients.seed(rec, id, dy)?;
        }
        for id in (1..count).rev().map(NodeId) {
            if let Some(&&(_, dy)) = later.iter().find(|(of, _)| *of == id) {
                gradients.seed(rec, id, dy)?;
            }
            let Some(dy) = gradients.sum[id.0].filter(|_| gradients.open[id.0] == 0) else {
                let name = &self.node(id).name;
                return Err(Error::input(format!("{name}: its output does not reach the network's output")));
            };
            gradients.through(rec, algorithms, id, dy)?;
        }
        gradients.sum[0].ok_or_else(|| Error::input("the input does not reach the network's output"))
    }
}

/// The gradients of the inputs of one node.
struct OfNode<'a, 'b> {
    all: &'a mut Sums<'b>,
    inputs: &'a [NodeId],
}

impl Gradients for OfNode<'_, '_> {
    fn gradient(&mut self, rec: &mut Recording, input: usize) -> (Tensor, GradEpilogue) {
        self.all.gradient(rec, self.inputs[input])
    }

    fn deliver(&mut self, rec: &mut Recording, input: usize, dx: Tensor) -> Result<()> {
        self.all.deliver(rec, self.inputs[input], dx)
    }
}

impl Sums<'_> {
    /// Appends the backward of a node, from the gradient of its output to those of its inputs.
    fn through(&mut self, rec: &mut Recording, algorithms: &ConvAlgorithms, id: NodeId, dy: Tensor) -> Result<()> {
        let (node, acts) = (self.graph.node(id), self.acts);
        let open: Vec<usize> = node.inputs.iter().map(|input| self.open[input.0]).collect();
        node.op.backward(&mut Backward {
            rec,
            label: &node.name,
            algorithms,
            dy,
            xs: &acts.all_of(&node.inputs),
            y: acts.of(id),
            saved: &acts.saved[id.0],
            gradients: &mut OfNode { all: self, inputs: &node.inputs },
        })?;
        for (input, before) in node.inputs.iter().zip(open) {
            let times = node.inputs.iter().filter(|other| *other == input).count();
            if self.open[input.0].wrapping_add(times) != before {
                let what =
                    format!("{} ({}): its backward must deliver each input's gradient once", node.op.name(), node.name);
                return Err(Error::input(what));
            }
        }
        Ok(())
    }

    /// Counts a delivery to a node, and returns its epilogue: it adds the sum of those before, and masks if it is the last.
    fn epilogue(&mut self, to: NodeId) -> GradEpilogue {
        self.open[to.0] = self.open[to.0].wrapping_sub(1);
        let add = self.sum[to.0].map(|t| t.id);
        let mask = (self.open[to.0] == 0 && self.masked(to)).then(|| self.acts.of(to).id);
        GradEpilogue { add, mask }
    }

    /// Whether the gradient of a node needs the mask of a fused ReLU. The branches that write to a concatenation in place are
    /// masked together, as the gradient of the concatenation.
    fn masked(&self, id: NodeId) -> bool {
        let node = self.graph.node(id);
        let parts = node.inputs.first().filter(|x| node.op.concatenates() && self.acts.slices[x.0].is_some());
        let relu = |id: NodeId| self.graph.node(id).op.ends_in_relu();
        self.acts.slices[id.0].is_none() && relu(parts.copied().unwrap_or(id))
    }

    /// A tensor for the gradient of a node, in the format of its output.
    fn fresh(&self, rec: &mut Recording, of: NodeId) -> Tensor {
        self.acts.of(of).like(rec, &format!("{} dy", self.graph.node(of).name))
    }

    /// A tensor for the sum so far, which a kernel writes through the epilogue.
    fn gradient(&mut self, rec: &mut Recording, to: NodeId) -> (Tensor, GradEpilogue) {
        let epilogue = self.epilogue(to);
        let dx = self.fresh(rec, to);
        self.sum[to.0] = Some(dx);
        (dx, epilogue)
    }

    /// Takes the gradient that a node begins with, in a buffer or in the format of its output.
    fn seed(&mut self, rec: &mut Recording, to: NodeId, dy: Tensor) -> Result<()> {
        let texels = self.acts.of(to).format == Format::Texels;
        let dy = if texels { pack(rec, &self.graph.node(to).name, dy)? } else { dy };
        self.deliver(rec, to, dy)
    }

    /// Takes a finished tensor. Appends a kernel only if there is something to add or a mask.
    fn deliver(&mut self, rec: &mut Recording, to: NodeId, dy: Tensor) -> Result<()> {
        let (name, x) = (&self.graph.node(to).name, self.acts.of(to));
        if (dy.shape, dy.format) != (x.shape, x.format) {
            let (shape, format) = (dy.shape, dy.format);
            return Err(Error::input(format!(
                "{name}: its gradient is {shape} as {format:?}, not {} as {:?}",
                x.shape, x.format
            )));
        }
        let epilogue = self.epilogue(to);
        self.sum[to.0] = Some(if epilogue.is_empty() {
            dy
        } else {
            let sum = self.fresh(rec, to);
            finish_gradient(rec, name, dy, sum, epilogue)?;
            sum
        });
        Ok(())
    }
}
