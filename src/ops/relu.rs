//! relu: `y = max(x, 0)`, `dx = dy · [x > 0]`.

use super::{Backward, Forward, Fusable, GradEpilogue, Op, Saved, Tensor, only, same};
use crate::error::Result;
use crate::gpu::{Grid, Kernel, Recording};
use crate::shape::Shape;

crate::params! {
    /// Mirrors `Params` of shaders/relu.wgsl.
    struct ReluParams { len: u32, sink: u32 }
}

/// `torch.nn.functional.relu`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Relu;

impl Relu {
    /// `y = max(x, 0)`; x, y: `[N,C,H,W]`.
    ///
    /// # Errors
    /// If the shapes differ.
    pub fn forward(self, rec: &mut Recording, label: &str, x: Tensor, y: Tensor) -> Result<()> {
        same("relu", label, ["x", "y"], x.shape, y.shape)?;
        let len = x.shape.len();
        let params = ReluParams { len: len as u32, sink: 0 };
        let bindings = [x.bind("x"), y.bind("y")];
        rec.dispatch(label, Kernel::new("relu", "forward"), &bindings, &params, Grid::Each(len), len as u64)
    }

    /// `dx = dy · [x > 0]`. The output y may stand for x: both are positive at the same places.
    ///
    /// # Errors
    /// If the shapes differ.
    pub fn backward(
        self,
        rec: &mut Recording,
        label: &str,
        dy: Tensor,
        x: Tensor,
        dx: Tensor,
        sink: GradEpilogue,
    ) -> Result<()> {
        same("relu", label, ["dy", "x"], dy.shape, x.shape)?;
        same("relu", label, ["dy", "dx"], dy.shape, dx.shape)?;
        let len = x.shape.len();
        let params = ReluParams { len: len as u32, sink: sink.flags() };
        let [add, mask] = sink.bind(x.id, len);
        let bindings = [x.bind("x"), dy.bind("dy"), dx.bind("dx"), add, mask];
        rec.dispatch(label, Kernel::new("relu", "backward"), &bindings, &params, Grid::Each(len), len as u64)
    }
}

impl Op for Relu {
    fn name(&self) -> &str {
        "relu"
    }

    fn output(&self, label: &str, xs: &[Shape]) -> Result<Shape> {
        only(self.name(), label, xs)
    }

    fn forward(&self, cx: &mut Forward<'_>, xs: &[Tensor], y: Tensor) -> Result<Saved> {
        Self::forward(*self, cx.rec, cx.label, xs[0], y)?;
        Ok(Saved::new())
    }

    fn backward(&self, cx: &mut Backward<'_>) -> Result<()> {
        let (dx, epilogue) = cx.gradient(0);
        Self::backward(*self, cx.rec, cx.label, cx.dy, cx.xs[0], dx, epilogue)
    }

    fn as_fusable(&self) -> Option<Fusable> {
        Some(Fusable::Relu)
    }
}
