//! A graph's forward as commands.

use super::slices::Slice;
use super::{Graph, Node, NodeId, Op};
use crate::error::{Error, Result};
use crate::gpu::{Recording, TensorId};
use crate::ops::{Add, Concat, ConvAlgorithms, Epilogue, Format, MaxPool2d, Relu, Tensor};

/// How long activations live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retain {
    /// As long as a later command of the section reads them; memory is shared.
    Needed,
    /// All, to be read back.
    All,
}

/// Where each node's output is.
#[derive(Clone, Debug)]
pub struct Activations {
    pub(super) y: Vec<Tensor>,
    pub(super) argmax: Vec<Option<TensorId>>,
    /// Where nodes' outputs are in those of concatenations.
    pub(super) slices: Vec<Option<Slice>>,
}

impl Activations {
    /// A node's output; with [`Retain::Needed`], a convolution's may be some channels of a concatenation's, see
    /// [`Tensor::channels`].
    pub fn of(&self, id: NodeId) -> Tensor {
        self.y[id.0]
    }
}

impl Graph {
    /// Appends the forward of a batch. `input`: `[N,C,H,W]` with the graph's C, H and W.
    ///
    /// # Errors
    /// If the input's shape is not the graph's.
    pub fn record_forward(
        &self,
        rec: &mut Recording,
        choices: &ConvAlgorithms,
        input: Tensor,
        keep: Retain,
    ) -> Result<Activations> {
        let n = input.shape.extents().first().copied().unwrap_or(1);
        if self.nodes[0].shape.with_batch(n) != input.shape {
            return Err(Error::input(format!(
                "the input is {} but the network takes {}",
                input.shape, self.nodes[0].shape
            )));
        }
        let slices = if keep == Retain::All { vec![None; self.nodes.len()] } else { self.slices() };
        let y = self.allocate_outputs(rec, choices, input, keep, &slices)?;
        let mut acts = Activations { y, argmax: vec![None; self.nodes.len()], slices };
        for (i, node) in self.nodes.iter().enumerate().skip(1) {
            let (label, x, y) = (&node.name, acts.of(node.inputs[0]), acts.y[i]);
            let second = node.inputs.get(1).map(|&i| acts.of(i));
            match &node.op {
                Op::Input => {}
                Op::ScaleShift(op) => op.forward(rec, label, x, y)?,
                Op::Conv2d { conv, relu } => {
                    let epilogue = Epilogue { residual: second.map(|t| t.id), relu: *relu };
                    let variant = choices.variant(conv, x.shape, false);
                    conv.forward(rec, label, x, y, epilogue, variant)?;
                }
                Op::Relu => Relu.forward(rec, label, x, y)?,
                Op::MaxPool2d(op) => {
                    let argmax = MaxPool2d::argmax(rec, label, y);
                    op.forward(rec, label, x, y, argmax)?;
                    acts.argmax[i] = Some(argmax);
                }
                Op::LocalResponseNorm(op) => op.forward(rec, label, x, y)?,
                Op::GlobalAvgPool2d(op) => op.forward(rec, label, x, y)?,
                Op::Linear(op) => op.forward(rec, label, x, y)?,
                Op::Add => Add.forward(rec, label, x, second.unwrap_or(x), y)?,
                Op::Concat => {
                    for (x, to) in self.parts(node, y)? {
                        if acts.slices[x.0].is_none() {
                            Concat.forward(rec, label, acts.of(x), to)?;
                        }
                    }
                }
                Op::Custom(op) => op.forward(rec, label, x, y)?,
            }
        }
        Ok(acts)
    }

    /// A tensor for each node's output.
    fn allocate_outputs(
        &self,
        rec: &mut Recording,
        choices: &ConvAlgorithms,
        input: Tensor,
        keep: Retain,
        slices: &[Option<Slice>],
    ) -> Result<Vec<Tensor>> {
        let formats = self.formats(choices.capabilities(), keep, slices);
        let mut outputs = vec![input];
        let n = input.shape.extents().first().copied().unwrap_or(1);
        for ((node, format), slice) in self.nodes.iter().zip(formats).zip(slices).skip(1) {
            let (name, shape) = (format!("{} y", node.name), node.shape.with_batch(n));
            outputs.push(match (keep, format) {
                // Its place is that of the concatenation, below.
                _ if slice.is_some() => input,
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

    /// The inputs of a concatenation, each with its channels of a tensor of the output's shape.
    pub(super) fn parts(&self, concat: &Node, whole: Tensor) -> Result<Vec<(NodeId, Tensor)>> {
        let mut first = 0;
        let part = |&input: &NodeId| {
            let count = self.node(input).shape.c();
            let part = whole.channels(first, count)?;
            first += count;
            Ok((input, part))
        };
        concat.inputs.iter().map(part).collect()
    }
}
