//! global_avg_pool2d: the mean of each plane (`adaptive_avg_pool2d` to 1x1).

use super::{Sink, Tensor, same};
use crate::error::Result;
use crate::gpu::{Grid, Kernel, Recording};
use crate::shape::Shape;

crate::params! {
    /// Mirrors `Params` of shaders/global_avg_pool2d.wgsl.
    struct GlobalAvgPool2dParams { planes: u32, plane: u32, sink: u32 }
}

/// `torch.nn.functional.adaptive_avg_pool2d(x, 1)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct GlobalAvgPool2d;

impl GlobalAvgPool2d {
    /// `[N,C,1,1]` for `[N,C,H,W]`.
    pub fn output(self, x: Shape) -> Shape {
        Shape::new(x.n(), x.c(), 1, 1)
    }

    fn params(x: Shape, sink: Sink) -> GlobalAvgPool2dParams {
        GlobalAvgPool2dParams { planes: (x.n() * x.c()) as u32, plane: x.plane_len() as u32, sink: sink.flags() }
    }

    /// `y[n,c]` = mean of `x[n,c,:,:]`. x: `[N,C,H,W]`, y: `[N,C,1,1]`.
    ///
    /// # Errors
    /// If the shapes do not fit.
    pub fn forward(self, rec: &mut Recording, label: &str, x: Tensor, y: Tensor) -> Result<()> {
        same("global_avg_pool2d", label, ["y", "the output"], y.shape, self.output(x.shape))?;
        let kernel = Kernel::new("global_avg_pool2d", "forward");
        let params = Self::params(x.shape, Sink::default());
        let (grid, flops) = (Grid::Each(y.shape.len()), x.shape.len() as u64);
        rec.dispatch(label, kernel, &[x.bind("x"), y.bind("y")], &params, grid, flops)
    }

    /// `dx = dy / (H·W)` everywhere. dy: `[N,C,1,1]`, dx: `[N,C,H,W]`.
    ///
    /// # Errors
    /// If the shapes do not fit.
    pub fn backward(self, rec: &mut Recording, label: &str, dy: Tensor, dx: Tensor, sink: Sink) -> Result<()> {
        same("global_avg_pool2d", label, ["dy", "the output"], dy.shape, self.output(dx.shape))?;
        let len = dx.shape.len();
        let [add, mask] = sink.bind(dy.id, len);
        let kernel = Kernel::new("global_avg_pool2d", "backward");
        let params = Self::params(dx.shape, sink);
        rec.dispatch(label, kernel, &[dy.bind("dy"), dx.bind("dx"), add, mask], &params, Grid::Each(len), len as u64)
    }
}
