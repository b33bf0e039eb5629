//! Ops over tensors of any rank, in buffers.

use protogpu::Shape;
use protogpu::ops::{GradEpilogue, Op};

use super::{Outcome, Rig, backward_into, forward};
use crate::tests::twin::nd::Nd;

/// The inputs of an op, and the parts of an epilogue, which all inputs share.
pub(crate) type Nds<'a> = (&'a [&'a Nd], [Option<&'a Nd>; 2]);

/// y of an op.
pub(crate) fn forward_nd(op: &dyn Op, xs: &[&Nd]) -> Outcome<Nd> {
    let mut rig = Rig::default();
    let xs: Vec<_> = xs.iter().map(|x| rig.input_nd("x", x)).collect();
    let shapes: Vec<Shape> = xs.iter().map(|x| x.shape).collect();
    let y = rig.output_nd("y", op.output("y", &shapes)?);
    forward(&mut rig.rec, op, &xs, y)?;
    rig.run()?.read_nd(y)
}

/// The gradients of all inputs of an op, after its forward. What the op delivers as it is has no epilogue.
pub(crate) fn backward_nd(op: &dyn Op, dy: &Nd, (xs, parts): Nds<'_>) -> Outcome<Vec<Nd>> {
    let mut rig = Rig::default();
    let dy = rig.input_nd("dy", dy);
    let y = rig.output_nd("y", dy.shape);
    let slots: Vec<_> = xs.iter().map(|x| rig.input_nd("x", x)).collect();
    let saved = forward(&mut rig.rec, op, &slots, y)?;
    let mut into = Vec::new();
    for slot in &slots {
        let [add, mask] = parts.map(|part| part.map(|part| rig.input_nd("part", part).id));
        into.push((rig.output_nd("dx", slot.shape), GradEpilogue { add, mask }));
    }
    let dxs = backward_into(&mut rig.rec, op, dy, (&slots, y, &saved), &into)?;
    let ready = rig.run()?;
    dxs.into_iter().map(|dx| ready.read_nd(dx)).collect()
}
