//! add: `y = x + z`; both gradients are `dy` itself, so there is nothing to dispatch backward.

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

impl Add {
    /// `y = x + z`; x, y, z: `[N,C,H,W]`.
    ///
    /// # Errors
    /// If the shapes differ.
    pub fn forward(self, rec: &mut Recording, label: &str, x: Tensor, z: Tensor, y: Tensor) -> Result<()> {
        same("add", label, ["x", "z"], x.shape, z.shape)?;
        same("add", label, ["x", "y"], x.shape, y.shape)?;
        let len = x.shape.len();
        let bindings = [x.bind("x"), z.bind("z"), y.bind("y")];
        let params = AddParams { len: len as u32 };
        rec.dispatch(label, Kernel::new("add", "forward"), &bindings, &params, Grid::Each(len), len as u64)
    }
}

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
        Self::forward(*self, cx.rec, cx.label, xs[0], xs[1], y)?;
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
