//! A graph's forward as commands.

use super::{Graph, NodeId, Op};
use crate::error::{Error, Result};
use crate::gpu::{Recording, TensorId};
use crate::ops::{Add, Choices, Epilogue, Format, MaxPool2d, Relu, Tensor};
use crate::shape::Shape;

/// How long activations live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
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
}

impl Activations {
    /// A node's output.
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
        choices: &Choices,
        input: Tensor,
        keep: Keep,
    ) -> Result<Activations> {
        let n = input.shape.n();
        let batch = |shape: Shape| Shape::new(n, shape.c(), shape.h(), shape.w());
        if batch(self.nodes[0].shape) != input.shape {
            return Err(Error::input(format!(
                "the input is {} but the network takes {}",
                input.shape, self.nodes[0].shape
            )));
        }
        let formats = self.formats(choices.capabilities(), keep);
        let mut acts = Activations { y: vec![input], argmax: vec![None] };
        for (node, format) in self.nodes.iter().zip(formats).skip(1) {
            let label = &node.name;
            let shape = batch(node.shape);
            let x = acts.of(node.inputs[0]);
            let name = format!("{label} y");
            let y = match (keep, format) {
                (Keep::Needed, Format::Nchw) => Tensor::transient(rec, &name, shape),
                (Keep::Needed, Format::Texels) => Tensor::transient_texels(rec, &name, shape),
                (Keep::All, _) => Tensor::kept(rec, &name, shape),
            };
            let second = node.inputs.get(1).map(|&i| acts.of(i));
            let mut argmax = None;
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
                    let chosen = MaxPool2d::argmax(rec, label, y);
                    op.forward(rec, label, x, y, chosen)?;
                    argmax = Some(chosen);
                }
                Op::GlobalAvgPool2d(op) => op.forward(rec, label, x, y)?,
                Op::Linear(op) => op.forward(rec, label, x, y)?,
                Op::Add => Add.forward(rec, label, x, second.unwrap_or(x), y)?,
                Op::Custom(op) => op.forward(rec, label, x, y)?,
            }
            acts.y.push(y);
            acts.argmax.push(argmax);
        }
        Ok(acts)
    }
}
