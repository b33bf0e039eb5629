//! The forward pass of a graph as commands.

use super::slices::Slice;
use super::{Graph, NodeId};
use crate::error::{Error, Result};
use crate::gpu::Recording;
use crate::ops::{ConvAlgorithms, Format, Forward, Saved, Tensor};

/// How long activations live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retain {
    /// Until the last command of the section that reads them; then their memory is free for others.
    Needed,
    /// All are kept, to be read back.
    All,
}

/// The outputs of all nodes.
#[derive(Clone, Debug)]
pub struct NodeOutputs {
    pub(super) y: Vec<Tensor>,
    /// The tensors that the forward of each node saved for its backward.
    pub(super) saved: Vec<Saved>,
    /// The nodes whose output lies in that of a concatenation.
    pub(super) slices: Vec<Option<Slice>>,
}

impl NodeOutputs {
    /// The output of a node. With [`Retain::Needed`], that of a convolution may be some channels of a concatenation, see
    /// [`Tensor::channels`].
    pub fn of(&self, id: NodeId) -> Tensor {
        self.y[id.0]
    }

    /// The outputs of several nodes.
    pub(super) fn all_of(&self, ids: &[NodeId]) -> Vec<Tensor> {
        ids.iter().map(|&id| self.of(id)).collect()
    }
}

impl Graph {
    /// Appends the forward of a batch. Except for the batch, `input` has the shape of the graph's input.
    ///
    /// # Errors
    /// If `input` has another shape.
    pub fn record_forward(
        &self,
        rec: &mut Recording,
        algorithms: &ConvAlgorithms,
        input: Tensor,
        retain: Retain,
    ) -> Result<NodeOutputs> {
        if self.nodes[0].shape.with_batch(batch(input)) != input.shape {
            return Err(Error::input(format!(
                "the input is {} but the network takes {}",
                input.shape, self.nodes[0].shape
            )));
        }
        let slices = if retain == Retain::All { vec![None; self.nodes.len()] } else { self.slices() };
        let y = self.allocate_outputs(rec, algorithms, input, retain, &slices)?;
        let mut acts = NodeOutputs { y, saved: vec![Saved::new()], slices };
        for (i, node) in self.nodes.iter().enumerate().skip(1) {
            let xs = acts.all_of(&node.inputs);
            let mut cx = Forward { rec, label: &node.name, algorithms };
            acts.saved.push(node.op.forward(&mut cx, &xs, acts.y[i])?);
        }
        Ok(acts)
    }

    /// A tensor for the output of each node.
    fn allocate_outputs(
        &self,
        rec: &mut Recording,
        algorithms: &ConvAlgorithms,
        input: Tensor,
        retain: Retain,
        slices: &[Option<Slice>],
    ) -> Result<Vec<Tensor>> {
        let formats = self.formats(algorithms.capabilities(), retain, slices);
        let mut outputs = vec![input];
        for ((node, format), slice) in self.nodes.iter().zip(formats).zip(slices).skip(1) {
            let (name, shape) = (format!("{} y", node.name), node.shape.with_batch(batch(input)));
            outputs.push(match (retain, format) {
                // The loop below replaces it by its channels of the concatenation.
                _ if slice.is_some() => input,
                _ if node.op.reshapes() => Tensor::new(outputs[node.inputs[0].0].id, shape),
                (Retain::Needed, Format::Nchw) => Tensor::transient(rec, &name, shape),
                (Retain::Needed, Format::Texels) => Tensor::transient_texels(rec, &name, shape),
                (Retain::All, _) => Tensor::kept(rec, &name, shape),
            });
        }
        for (node, slice) in slices.iter().enumerate() {
            if let Some(Slice { of, first }) = slice {
                outputs[node] = outputs[of.0].channels(*first, self.nodes[node].shape.c())?;
            }
        }
        Ok(outputs)
    }
}

/// The number of images; 1 for a scalar.
fn batch(x: Tensor) -> usize {
    x.shape.extents().first().copied().unwrap_or(1)
}
