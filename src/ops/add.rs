//! add: `y = x + z`. Both gradients are `dy` itself, so the backward dispatches nothing.

use super::{Backward, Forward, Fusable, Op, Saved, Tensor, inputs, same};
use crate::error::Result;
use crate::gpu::{Grid, Kernel, Recording};
use crate::shape::Shape;

crate::params! {
    /// Mirrors `Params` of shaders/add.wgsl.
    struct AddParams { len: u32 }
}

/// `torch.add` of two tensors of one shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Add;

impl Op for Add {
    fn name(&self) -> &str {
        "add"
    }

    fn output(&self, label: &str, xs: &[Shape]) -> Result<Shape> {
        let [x, z] = inputs(self.name(), label, xs)?;
        same("add", label, ["x", "z"], x, z)?;
        Ok(x)
    }

    fn forward(&self, cx: &mut Forward<'_>, xs: &[Tensor], y: Tensor) -> Result<Saved> {
        let [x, z] = inputs(self.name(), cx.label, xs)?;
        sum(cx.rec, cx.label, [x, z], y)?;
        Ok(Saved::new())
    }

    fn backward(&self, cx: &mut Backward<'_>) -> Result<()> {
        cx.deliver(0, cx.dy)?;
        cx.deliver(1, cx.dy)
    }

    fn as_fusable(&self) -> Option<Fusable> {
        Some(Fusable::Add)
    }
}

/// `y = x + z`.
pub(super) fn sum(rec: &mut Recording, label: &str, [x, z]: [Tensor; 2], y: Tensor) -> Result<()> {
    same("add", label, ["x", "z"], x.shape, z.shape)?;
    same("add", label, ["x", "y"], x.shape, y.shape)?;
    let len = x.shape.len();
    let bindings = [x.bind("x"), z.bind("z"), y.bind("y")];
    let params = AddParams { len: len as u32 };
    rec.dispatch(label, Kernel::new("add", "forward"), &bindings, &params, Grid::Each(len), len as u64)
}
