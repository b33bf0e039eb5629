//! The trait through which a graph sees every op, from the crate or from outside.

use std::fmt;
use std::sync::Arc;

use super::{ChannelAffine, ConvAlgorithms, ConvKey, GradEpilogue, Tensor, same, shape_error};
use crate::error::Result;
use crate::gpu::{Recording, TensorId};
use crate::shape::Shape;

/// A function of one or more tensors, and its gradient. `src/ops/silu.rs` is a small one; `examples/custom_op.rs` has two from
/// outside the crate.
///
/// Only the first four methods are required. The others describe what a graph may do to make the op faster; by default, nothing.
pub trait Op: fmt::Debug + Send + Sync {
    /// The name in messages, as in `torch.nn.functional`.
    fn name(&self) -> &str;

    /// The shape of y for these inputs, with the batch that they have.
    ///
    /// # Errors
    /// If the op cannot take them: their number, rank or extents; `label` is the layer.
    fn output(&self, label: &str, xs: &[Shape]) -> Result<Shape>;

    /// Appends the commands that compute y from the inputs, and returns the tensors that the backward reads besides inputs and
    /// output, such as the positions of maxima.
    ///
    /// # Errors
    /// If the tensors do not fit.
    fn forward(&self, cx: &mut Forward<'_>, xs: &[Tensor], y: Tensor) -> Result<Saved>;

    /// Appends the commands that compute the gradient of each input, and delivers each once: see [`Backward`].
    ///
    /// # Errors
    /// If the tensors do not fit.
    fn backward(&self, cx: &mut Backward<'_>) -> Result<()>;

    /// The formats of its inputs and its output. `in_place`: whether all inputs lie in the output, see [`Op::concatenates`].
    fn formats(&self, _in_place: bool) -> Formats {
        Formats::BUFFERS
    }

    /// The work of this op, if the op before it may do it before storing its output.
    fn as_fusable(&self) -> Option<Fusable> {
        None
    }

    /// An op that does the work of this one and of `next` after it, if there is one. The other operand of a sum becomes its last
    /// input.
    fn absorb(&self, _next: &Fusable) -> Option<Arc<dyn Op>> {
        None
    }

    /// A faster op that computes the same function for inputs of these shapes.
    fn lowered(&self, _xs: &[Shape]) -> Option<Arc<dyn Op>> {
        None
    }

    /// Whether a ReLU is fused into the op. If so, the last delivery of the gradient of its output masks it with that output.
    fn ends_in_relu(&self) -> bool {
        false
    }

    /// Whether the output is the inputs one after the other along the channels, so that their ops may write to it directly.
    fn concatenates(&self) -> bool {
        false
    }

    /// Whether the output is the elements of the only input in their order, in another shape, so that a graph may make one tensor of both. The op
    /// takes buffers, and its forward does nothing if y is x.
    fn reshapes(&self) -> bool {
        false
    }

    /// Whether the op can write to some channels of a tensor, and read its gradient from some, see [`Tensor::channels`].
    fn writes_channels(&self) -> bool {
        false
    }

    /// The convolution in the op, if there is one, for an x of this shape.
    fn convolution(&self, _x: Shape) -> Option<Convolution<'_>> {
        None
    }
}

/// Tensors that a forward saves for its backward.
pub type Saved = Vec<TensorId>;

/// The work of an op that the op before it can do on its output before storing it.
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
    /// The convolution without the ReLU or residual that it absorbed: an op of one input.
    pub op: &'a dyn Op,
    /// Forward and backward.
    pub keys: [ConvKey; 2],
}

/// Where a forward appends its commands.
pub struct Forward<'a> {
    /// The recording.
    pub rec: &'a mut Recording,
    /// The layer, for labels and messages.
    pub label: &'a str,
    /// How convolutions are computed, and what the adapter can do.
    pub algorithms: &'a ConvAlgorithms,
}

/// The tensors that a backward reads, and the way to deliver gradients.
///
/// A backward delivers the gradient of each input once, in any order. Either its kernel writes to the tensor of
/// [`Backward::gradient`] through the epilogue that comes with it, or it hands over a finished tensor with [`Backward::deliver`].
pub struct Backward<'a> {
    /// The recording.
    pub rec: &'a mut Recording,
    /// The layer, for labels and messages.
    pub label: &'a str,
    /// How convolutions are computed, and what the adapter can do.
    pub algorithms: &'a ConvAlgorithms,
    /// The gradient of y, of y's shape and format.
    pub dy: Tensor,
    /// The inputs of the forward.
    pub xs: &'a [Tensor],
    /// The output of the forward.
    pub y: Tensor,
    /// The tensors that the forward saved.
    pub saved: &'a [TensorId],
    pub(crate) gradients: &'a mut dyn Gradients,
}

impl Backward<'_> {
    /// A tensor for the gradient of an input, in the format of the input, and the epilogue through which a kernel must write all of
    /// it.
    pub fn gradient(&mut self, input: usize) -> (Tensor, GradEpilogue) {
        self.gradients.gradient(self.rec, input)
    }

    /// Delivers the gradient of an input as a finished tensor in the format of the input: `dy` itself, or a tensor of the op if its
    /// kernel has no epilogue.
    ///
    /// # Errors
    /// If it has another shape than the input.
    pub fn deliver(&mut self, input: usize, dx: Tensor) -> Result<()> {
        self.gradients.deliver(self.rec, input, dx)
    }
}

/// Where a backward delivers its gradients.
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
    let shapes: Vec<Shape> = xs.iter().map(|x| x.shape).collect();
    op.output(label, &shapes)?;
    if into.len() != xs.len() {
        let what = format!("there are {} inputs, but tensors for {} gradients", xs.len(), into.len());
        return Err(shape_error(op.name(), label, what));
    }
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
        let (into, _) = self.into[input];
        same("gradient", &format!("input {input}"), ["dx", "the tensor for it"], dx.shape, into.shape)?;
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
    /// The format of the output.
    Output,
    /// Any format, whatever that of the output.
    Any,
}

impl Formats {
    /// Everything in buffers.
    pub const BUFFERS: Self = Self { texels: false, first: InputFormat::Nchw, others: InputFormat::Nchw };

    /// One format for all; texels only if `texels`.
    pub const fn alike(texels: bool) -> Self {
        Self { texels, first: InputFormat::Output, others: InputFormat::Output }
    }
}

/// The input of an op that takes exactly one.
///
/// # Errors
/// If there are more or none.
pub fn only<T: Copy>(op: &str, label: &str, xs: &[T]) -> Result<T> {
    inputs::<T, 1>(op, label, xs).map(|[x]| x)
}

/// The inputs of an op that takes exactly `N`.
///
/// # Errors
/// If there are more or fewer.
pub fn inputs<T: Copy, const N: usize>(op: &str, label: &str, xs: &[T]) -> Result<[T; N]> {
    xs.try_into().map_err(|_| shape_error(op, label, format!("takes {N} inputs, not {}", xs.len())))
}
