//! What an op is to a graph: one trait, for the crate's ops and for those from outside.

use std::fmt;
use std::sync::Arc;

use super::{ChannelAffine, ConvAlgorithms, ConvKey, GradEpilogue, Tensor, shape_error};
use crate::error::Result;
use crate::gpu::{Recording, TensorId};
use crate::shape::Shape;

/// A function of one or more tensors, and its gradient. `src/ops/silu.rs` is a small one; `examples/custom_op.rs` has some from
/// outside of the crate.
///
/// Only the first four methods must be there. The others say what a graph may do with the op to be faster, and by default that
/// is nothing.
pub trait Op: fmt::Debug + Send + Sync {
    /// The name in messages, as in `torch.nn.functional`.
    fn name(&self) -> &str;

    /// The shape of y for these inputs, with the batch that they have.
    ///
    /// # Errors
    /// If the op cannot take them: their number, rank or extents; `label` is the layer.
    fn output(&self, label: &str, xs: &[Shape]) -> Result<Shape>;

    /// Appends what computes y from the inputs, and gives the tensors that the backward reads besides inputs and output: the
    /// places of maxima, say, or statistics of a norm.
    ///
    /// # Errors
    /// If the tensors do not fit.
    fn forward(&self, cx: &mut Forward<'_>, xs: &[Tensor], y: Tensor) -> Result<Saved>;

    /// Appends what computes the gradient of each input, and delivers each once: see [`Backward`].
    ///
    /// # Errors
    /// If the tensors do not fit.
    fn backward(&self, cx: &mut Backward<'_>) -> Result<()>;

    /// In which formats the op takes its inputs and gives its output. `in_place`: whether all inputs lie in the output, see
    /// [`Op::concatenates`].
    fn formats(&self, _in_place: bool) -> Formats {
        Formats::BUFFERS
    }

    /// What the op is, if the op before it may do the same before it stores its output.
    fn as_fusable(&self) -> Option<Fusable> {
        None
    }

    /// The op that does `next` to this op's output too, if there is one. The other operand of a sum becomes its last input.
    fn absorb(&self, _next: &Fusable) -> Option<Arc<dyn Op>> {
        None
    }

    /// A faster op for the same function of inputs of these shapes.
    fn lowered(&self, _xs: &[Shape]) -> Option<Arc<dyn Op>> {
        None
    }

    /// Whether a relu is fused into the op: then whoever delivers the gradient of its output last masks it with that output.
    fn ends_in_relu(&self) -> bool {
        false
    }

    /// Whether the output is just the inputs one after the other along the channels, so that those may write it themselves.
    fn concatenates(&self) -> bool {
        false
    }

    /// Whether the op can write to some channels of a tensor, and read its gradient from there, see [`Tensor::channels`].
    fn writes_channels(&self) -> bool {
        false
    }

    /// The convolution in the op, if there is one, for an x of this shape.
    fn convolution(&self, _x: Shape) -> Option<Convolution<'_>> {
        None
    }
}

/// Tensors that a forward leaves for its backward.
pub type Saved = Vec<TensorId>;

/// What an op can do to its output before it stores it, in place of an op after it.
#[derive(Clone, Debug)]
pub enum Fusable {
    /// A factor and an addend for each channel.
    ChannelAffine(ChannelAffine),
    /// The sum of its two inputs.
    Add,
    /// `max(x, 0)`.
    Relu,
}

/// A convolution for whose two directions algorithms are chosen.
#[derive(Clone, Copy, Debug)]
pub struct Convolution<'a> {
    /// The convolution without what it absorbed: an op of one input.
    pub op: &'a dyn Op,
    /// Forward and backward.
    pub keys: [ConvKey; 2],
}

/// Where a forward appends its commands.
pub struct Forward<'a> {
    /// What is recorded.
    pub rec: &'a mut Recording,
    /// The layer, for labels and messages.
    pub label: &'a str,
    /// How convolutions are computed, and what the adapter can do.
    pub algorithms: &'a ConvAlgorithms,
}

/// What a backward reads, and where it delivers.
///
/// It delivers a gradient for each input once, in any order: either its kernel writes to the tensor of
/// [`Backward::gradient`] through the epilogue given with it; or it hands over a tensor that has the gradient already, with
/// [`Backward::deliver`].
pub struct Backward<'a> {
    /// What is recorded.
    pub rec: &'a mut Recording,
    /// The layer, for labels and messages.
    pub label: &'a str,
    /// How convolutions are computed, and what the adapter can do.
    pub algorithms: &'a ConvAlgorithms,
    /// The gradient of y, of y's shape and format.
    pub dy: Tensor,
    /// The inputs, as the forward had them.
    pub xs: &'a [Tensor],
    /// The output, as the forward left it.
    pub y: Tensor,
    /// What the forward gave.
    pub saved: &'a [TensorId],
    pub(crate) gradients: &'a mut dyn Gradients,
}

impl Backward<'_> {
    /// A tensor for the gradient of an input, in that input's format. All of it must be written, through the epilogue.
    pub fn gradient(&mut self, input: usize) -> (Tensor, GradEpilogue) {
        self.gradients.gradient(self.rec, input)
    }

    /// The gradient of an input, in that input's format, as a tensor that is written already: `dy` itself, or one of the op's own where
    /// its kernel has no epilogue.
    ///
    /// # Errors
    /// If it has another shape than the input.
    pub fn deliver(&mut self, input: usize, dx: Tensor) -> Result<()> {
        self.gradients.deliver(self.rec, input, dx)
    }
}

/// A graph's gradients to the inputs of one of its nodes.
pub(crate) trait Gradients {
    fn gradient(&mut self, rec: &mut Recording, input: usize) -> (Tensor, GradEpilogue);
    fn deliver(&mut self, rec: &mut Recording, input: usize, dx: Tensor) -> Result<()>;
}

/// Appends the backward of one op without a graph, and returns the gradient of each input. `into` has, for each input, the
/// tensor to write and its epilogue; if the op delivers a tensor of its own instead, that one is returned.
///
/// # Errors
/// If the tensors do not fit, or the op delivers no gradient for an input.
pub fn backward_alone(
    op: &dyn Op,
    cx: Forward<'_>,
    dy: Tensor,
    xs: &[Tensor],
    (y, saved): (Tensor, &[TensorId]),
    into: &[(Tensor, GradEpilogue)],
) -> Result<Vec<Tensor>> {
    let Forward { rec, label, algorithms } = cx;
    let mut alone = Alone { into, dxs: vec![None; into.len()] };
    op.backward(&mut Backward { rec, label, algorithms, dy, xs, y, saved, gradients: &mut alone })?;
    let all: Option<Vec<Tensor>> = alone.dxs.into_iter().collect();
    all.ok_or_else(|| shape_error(op.name(), label, "an input has no gradient"))
}

struct Alone<'a> {
    into: &'a [(Tensor, GradEpilogue)],
    dxs: Vec<Option<Tensor>>,
}

impl Gradients for Alone<'_> {
    fn gradient(&mut self, _rec: &mut Recording, input: usize) -> (Tensor, GradEpilogue) {
        self.dxs[input] = Some(self.into[input].0);
        self.into[input]
    }

    fn deliver(&mut self, _rec: &mut Recording, input: usize, dx: Tensor) -> Result<()> {
        self.dxs[input] = Some(dx);
        Ok(())
    }
}

/// The formats of an op's inputs and output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Formats {
    /// Whether the output may be texels.
    pub texels: bool,
    /// The first input.
    pub first: InputFormat,
    /// All others.
    pub others: InputFormat,
}

/// The format of an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InputFormat {
    /// A buffer.
    Nchw,
    /// The output's.
    Output,
    /// Any, whatever the output's is.
    Any,
}

impl Formats {
    /// Everything in buffers.
    pub const BUFFERS: Self = Self { texels: false, first: InputFormat::Nchw, others: InputFormat::Nchw };

    /// All of one format, which is texels only if `texels`.
    pub const fn alike(texels: bool) -> Self {
        Self { texels, first: InputFormat::Output, others: InputFormat::Output }
    }
}

/// The one input of an op that has one.
///
/// # Errors
/// If there are more or none.
pub fn only<T: Copy>(op: &str, label: &str, xs: &[T]) -> Result<T> {
    inputs::<T, 1>(op, label, xs).map(|[x]| x)
}

/// The inputs of an op that has so many.
///
/// # Errors
/// If there are more or fewer.
pub fn inputs<T: Copy, const N: usize>(op: &str, label: &str, xs: &[T]) -> Result<[T; N]> {
    xs.try_into().map_err(|_| shape_error(op, label, format!("takes {N} inputs, not {}", xs.len())))
}
