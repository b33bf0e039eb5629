//! softmax and log_softmax over one axis.

use super::axes::{strides, workgroup_each};
use super::{Backward, Forward, GradEpilogue, Op, Saved, Tensor, countable, only, same, shape_error};
use crate::error::Result;
use crate::gpu::Kernel;
use crate::shape::Shape;

crate::params! {
    /// Mirrors `Params` of shaders/softmax.wgsl.
    struct SoftmaxParams { rows: u32, len: u32, inner: u32, epilogue: u32 }
}

/// `torch.softmax` or `torch.log_softmax` over one axis other than the first, which is the batch. x, y: any rank, in buffers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Softmax {
    /// The axis along which y sums to 1.
    pub axis: usize,
    /// Whether y is the logarithm.
    pub log: bool,
}

impl Softmax {
    fn params(self, label: &str, x: Shape, epilogue: GradEpilogue) -> Result<SoftmaxParams> {
        countable(self.name(), label, "x", x)?;
        if self.axis == 0 || self.axis >= x.rank() {
            let what = format!("axis {} of x {x} must be there, and not be the batch", self.axis);
            return Err(shape_error(self.name(), label, what));
        }
        let len = x.extents()[self.axis];
        let (rows, inner) = ((x.len() / len) as u32, strides(x)[self.axis] as u32);
        Ok(SoftmaxParams { rows, len: len as u32, inner, epilogue: epilogue.flags() })
    }

    fn kernel(self, entry: &'static str) -> Kernel {
        Kernel::new("softmax", entry).with("LOG", u32::from(self.log))
    }
}

impl Op for Softmax {
    fn name(&self) -> &str {
        if self.log { "log_softmax" } else { "softmax" }
    }

    fn output(&self, label: &str, xs: &[Shape]) -> Result<Shape> {
        let x = only(self.name(), label, xs)?;
        self.params(label, x, GradEpilogue::default())?;
        Ok(x)
    }

    /// `y = exp(x) / Σ exp(x)`, the sum along the axis, or its logarithm.
    fn forward(&self, cx: &mut Forward<'_>, xs: &[Tensor], y: Tensor) -> Result<Saved> {
        let (x, label) = (only(self.name(), cx.label, xs)?, cx.label);
        let params = self.params(label, x.shape, GradEpilogue::default())?;
        same(self.name(), label, ["x", "y"], x.shape, y.shape)?;
        let (bindings, grid) = ([x.bind("x"), y.bind("y")], workgroup_each(params.rows as usize));
        cx.rec.dispatch(label, self.kernel("forward"), &bindings, &params, grid, 5 * x.shape.len() as u64)?;
        Ok(Saved::new())
    }

    /// `dx = y (dy − Σ y dy)`, or `dy − exp(y) Σ dy` of the logarithm.
    fn backward(&self, cx: &mut Backward<'_>) -> Result<()> {
        let ((dx, epilogue), dy, y, label) = (cx.gradient(0), cx.dy, cx.y, cx.label);
        let params = self.params(label, dx.shape, epilogue)?;
        same(self.name(), label, ["y", "dx"], y.shape, dx.shape)?;
        same(self.name(), label, ["dy", "dx"], dy.shape, dx.shape)?;
        let [add, mask] = epilogue.bind(dy.id, dx.shape.len());
        let bindings = [y.bind("chosen"), dy.bind("dy"), dx.bind("dx"), add, mask];
        let grid = workgroup_each(params.rows as usize);
        cx.rec.dispatch(label, self.kernel("backward"), &bindings, &params, grid, 4 * dx.shape.len() as u64)
    }
}
