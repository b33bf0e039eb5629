//! One op without a graph, forward and backward. `tests/sound.rs` and `benches/ops.rs` include this file too.

use protogpu::Result;
use protogpu::gpu::{Capabilities, Recording, TensorId};
use protogpu::ops::{ConvAlgorithm, ConvAlgorithms, Forward, GradEpilogue, Op, Saved, Tensor, backward_alone};

/// For ops that are no convolutions, and for convolutions if it does not matter.
const ANY: ConvAlgorithm = ConvAlgorithm::Workgroup { slices: 1 };

/// Appends the forward of an op, and returns what it saves.
pub(crate) fn forward(rec: &mut Recording, op: &dyn Op, xs: &[Tensor], y: Tensor) -> Result<Saved> {
    forward_by(ANY, rec, op, xs, y)
}

/// [`forward`] by one algorithm.
pub(crate) fn forward_by(
    algorithm: ConvAlgorithm,
    rec: &mut Recording,
    op: &dyn Op,
    xs: &[Tensor],
    y: Tensor,
) -> Result<Saved> {
    op.forward(&mut Forward { rec, label: op.name(), algorithms: &only(algorithm) }, xs, y)
}

/// Appends the backward of an op, which writes to `into`. An op that does not read its inputs may get the gradients in place of
/// `xs`.
pub(crate) fn backward(
    rec: &mut Recording,
    op: &dyn Op,
    dy: Tensor,
    (xs, saved): (&[Tensor], &[TensorId]),
    into: &[(Tensor, GradEpilogue)],
) -> Result<()> {
    backward_into(rec, op, dy, (xs, dy, saved), into).map(drop)
}

/// [`backward`] of an op that reads its output too. Returns the tensors that hold the gradients: those of `into`, or others if the op delivered
/// some.
pub(crate) fn backward_into(
    rec: &mut Recording,
    op: &dyn Op,
    dy: Tensor,
    (xs, y, saved): (&[Tensor], Tensor, &[TensorId]),
    into: &[(Tensor, GradEpilogue)],
) -> Result<Vec<Tensor>> {
    let cx = Forward { rec, label: op.name(), algorithms: &only(ANY) };
    backward_alone(op, cx, dy, xs, (y, saved), into)
}

/// [`backward`] of a convolution by one algorithm.
pub(crate) fn backward_by(
    algorithm: ConvAlgorithm,
    rec: &mut Recording,
    op: &dyn Op,
    dy: Tensor,
    into: (Tensor, GradEpilogue),
) -> Result<()> {
    let cx = Forward { rec, label: op.name(), algorithms: &only(algorithm) };
    backward_alone(op, cx, dy, &[into.0], (dy, &[]), &[into]).map(drop)
}

fn only(algorithm: ConvAlgorithm) -> ConvAlgorithms {
    ConvAlgorithms::only(Capabilities { subgroup_size: None, texels: false }, algorithm)
}
