//! silu: `y = x · s` with `s = 1/(1 + exp(−x))`, `dx = dy · s · (1 + x · (1 − s))`.

use super::{Backward, Forward, Op, Saved, Tensor, only};
use crate::error::Result;
use crate::gpu::{Grid, Kernel};
use crate::shape::Shape;

crate::params! {
    /// Mirrors `Params` of shaders/silu.wgsl.
    struct SiluParams { len: u32, sink: u32 }
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
        let len = y.shape.len();
        let params = SiluParams { len: len as u32, sink: 0 };
        let bindings = [xs[0].bind("x"), y.bind("y")];
        cx.rec.dispatch(
            cx.label,
            Kernel::new("silu", "forward"),
            &bindings,
            &params,
            Grid::Each(len),
            4 * len as u64,
        )?;
        Ok(Saved::new())
    }

    fn backward(&self, cx: &mut Backward<'_>) -> Result<()> {
        let (dx, epilogue) = cx.gradient(0);
        let (x, len) = (cx.xs[0], dx.shape.len());
        let params = SiluParams { len: len as u32, sink: epilogue.flags() };
        let [add, mask] = epilogue.bind(x.id, len);
        let bindings = [x.bind("x"), cx.dy.bind("dy"), dx.bind("dx"), add, mask];
        cx.rec.dispatch(cx.label, Kernel::new("silu", "backward"), &bindings, &params, Grid::Each(len), 8 * len as u64)
    }
}
