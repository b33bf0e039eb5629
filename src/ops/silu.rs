//! silu: `y = x · s` with `s = 1/(1 + exp(−x))`, `dx = dy · s · (1 + x · (1 − s))`.

use super::{Backward, Forward, Op, Saved, Tensor, only, same};
use crate::error::Result;
use crate::gpu::{Grid, Kernel};
use crate::shape::Shape;

crate::params! {
    /// Mirrors `Params` of shaders/silu.wgsl.
    struct SiluParams { len: u32, epilogue: u32 }
}

/// `torch.nn.functional.silu`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Silu;

impl Op for Silu {
    fn name(&self) -> &str {
        "silu"
    }

    fn output(&self, label: &str, xs: &[Shape]) -> Result<Shape> {
        only(self.name(), label, xs)
    }

    fn forward(&self, cx: &mut Forward<'_>, xs: &[Tensor], y: Tensor) -> Result<Saved> {
        let x = only(self.name(), cx.label, xs)?;
        same("silu", cx.label, ["x", "y"], x.shape, y.shape)?;
        let len = x.shape.len();
        let params = SiluParams { len: len as u32, epilogue: 0 };
        let bindings = [x.bind("x"), y.bind("y")];
        let (kernel, flops) = (Kernel::new("silu", "forward"), 4 * len as u64);
        cx.rec.dispatch(cx.label, kernel, &bindings, &params, Grid::Each(len), flops)?;
        Ok(Saved::new())
    }

    fn backward(&self, cx: &mut Backward<'_>) -> Result<()> {
        let x = only(self.name(), cx.label, cx.xs)?;
        let (dx, epilogue) = cx.gradient(0);
        same("silu", cx.label, ["x", "dx"], x.shape, dx.shape)?;
        same("silu", cx.label, ["dy", "dx"], cx.dy.shape, dx.shape)?;
        let len = dx.shape.len();
        let params = SiluParams { len: len as u32, epilogue: epilogue.flags() };
        let [add, mask] = epilogue.bind(x.id, len);
        let bindings = [x.bind("x"), cx.dy.bind("dy"), dx.bind("dx"), add, mask];
        cx.rec.dispatch(cx.label, Kernel::new("silu", "backward"), &bindings, &params, Grid::Each(len), 8 * len as u64)
    }
}
