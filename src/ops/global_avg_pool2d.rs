//! global_avg_pool2d: the mean of each plane (`adaptive_avg_pool2d` to 1x1).

use super::{
    Backward, Format, Formats, Forward, GradEpilogue, InputFormat, Op, Saved, Tensor, nchw, only, same, texels,
};
use crate::error::Result;
use crate::gpu::{Grid, Kernel, Layout, Recording};
use crate::shape::Shape;

crate::params! {
    /// Mirrors `Params` of shaders/global_avg_pool2d.wgsl.
    struct GlobalAvgPool2dParams { planes: u32, plane: u32, sink: u32 }
}

crate::params! {
    /// Mirrors `Params` of shaders/global_avg_pool2d_texels.wgsl.
    struct TexelsParams { channels: u32, quads: u32, plane: u32 }
}

/// `torch.nn.functional.adaptive_avg_pool2d(x, 1)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct GlobalAvgPool2d;

impl GlobalAvgPool2d {
    /// `[N,C,1,1]` for `[N,C,H,W]`.
    ///
    /// # Errors
    /// If x has another rank.
    pub fn output(self, label: &str, x: Shape) -> Result<Shape> {
        let [n, c, ..] = nchw("global_avg_pool2d", label, x)?;
        Ok(Shape::new(n, c, 1, 1))
    }

    fn params(x: Shape, sink: GradEpilogue) -> GlobalAvgPool2dParams {
        GlobalAvgPool2dParams { planes: (x.n() * x.c()) as u32, plane: x.plane_len() as u32, sink: sink.flags() }
    }

    fn texels_params(x: Shape) -> TexelsParams {
        TexelsParams { channels: x.c() as u32, quads: x.c().div_ceil(4) as u32, plane: x.plane_len() as u32 }
    }

    /// `y[n,c]` = mean of `x[n,c,:,:]`. x: `[N,C,H,W]`, in any format, y: `[N,C,1,1]`.
    ///
    /// # Errors
    /// If the shapes do not fit.
    pub fn forward(self, rec: &mut Recording, label: &str, x: Tensor, y: Tensor) -> Result<()> {
        same("global_avg_pool2d", label, ["y", "the output"], y.shape, self.output(label, x.shape)?)?;
        if x.format == Format::Texels {
            let kernel = Kernel::new("global_avg_pool2d_texels", "forward");
            let params = Self::texels_params(x.shape);
            let grid = Grid::Planes { planes: 1, h: x.shape.n(), w: x.shape.c().div_ceil(4) };
            let bindings = [x.bind("x"), y.bind("mean")];
            return rec.dispatch(label, kernel, &bindings, &params, grid, x.shape.len() as u64);
        }
        let kernel = Kernel::new("global_avg_pool2d", "forward");
        let params = Self::params(x.shape, GradEpilogue::default());
        let (grid, flops) = (Grid::Each(y.shape.len()), x.shape.len() as u64);
        rec.dispatch(label, kernel, &[x.bind("x"), y.bind("y")], &params, grid, flops)
    }

    /// `dx = dy / (H·W)` everywhere. dy: `[N,C,1,1]`, dx: `[N,C,H,W]`, in any format; the sink in that of dx.
    ///
    /// # Errors
    /// If the shapes do not fit.
    pub fn backward(self, rec: &mut Recording, label: &str, dy: Tensor, dx: Tensor, sink: GradEpilogue) -> Result<()> {
        same("global_avg_pool2d", label, ["dy", "the output"], dy.shape, self.output(label, dx.shape)?)?;
        let len = dx.shape.len();
        if dx.format == Format::Texels {
            // Where a sink's part does not apply, some texture that is not written is bound.
            let spare = match sink.add.or(sink.mask) {
                Some(id) => id,
                None => rec.table("zero texel", Layout::Texels, vec![0; 4]),
            };
            let [add, mask] = sink.bind(spare, dx.stored());
            let kernel = Kernel::new("global_avg_pool2d_texels", "backward").with("SINK", sink.flags());
            let bindings = [dy.bind("dy"), dx.bind("y"), add, mask];
            return rec.dispatch(
                label,
                kernel,
                &bindings,
                &Self::texels_params(dx.shape),
                texels::grid(dx),
                len as u64,
            );
        }
        let [add, mask] = sink.bind(dy.id, len);
        let kernel = Kernel::new("global_avg_pool2d", "backward");
        let params = Self::params(dx.shape, sink);
        rec.dispatch(label, kernel, &[dy.bind("dy"), dx.bind("dx"), add, mask], &params, Grid::Each(len), len as u64)
    }
}

impl Op for GlobalAvgPool2d {
    fn name(&self) -> &str {
        "global_avg_pool2d"
    }

    fn output(&self, label: &str, xs: &[Shape]) -> Result<Shape> {
        Self::output(*self, label, only(self.name(), label, xs)?)
    }

    fn forward(&self, cx: &mut Forward<'_>, xs: &[Tensor], y: Tensor) -> Result<Saved> {
        Self::forward(*self, cx.rec, cx.label, xs[0], y)?;
        Ok(Saved::new())
    }

    fn backward(&self, cx: &mut Backward<'_>) -> Result<()> {
        let (dx, epilogue) = cx.gradient(0);
        Self::backward(*self, cx.rec, cx.label, cx.dy, dx, epilogue)
    }

    fn formats(&self, _in_place: bool) -> Formats {
        Formats { first: InputFormat::Any, ..Formats::BUFFERS }
    }
}
