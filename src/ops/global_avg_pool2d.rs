//! global_avg_pool2d: the mean of each plane (`adaptive_avg_pool2d` to 1x1).

use super::{
    Backward, Format, Formats, Forward, GradEpilogue, InputFormat, Op, Saved, Tensor, nchw, only, same, texels,
};
use crate::error::Result;
use crate::gpu::{Grid, Kernel, Layout};
use crate::shape::Shape;

crate::params! {
    /// Mirrors `Params` of shaders/global_avg_pool2d.wgsl.
    struct GlobalAvgPool2dParams { planes: u32, plane: u32, epilogue: u32 }
}

crate::params! {
    /// Mirrors `Params` of shaders/global_avg_pool2d_texels.wgsl.
    struct TexelsParams { channels: u32, quads: u32, plane: u32 }
}

/// `torch.nn.functional.adaptive_avg_pool2d(x, 1)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct GlobalAvgPool2d;

impl GlobalAvgPool2d {
    fn params(x: Shape, epilogue: GradEpilogue) -> GlobalAvgPool2dParams {
        GlobalAvgPool2dParams {
            planes: (x.n() * x.c()) as u32,
            plane: x.plane_len() as u32,
            epilogue: epilogue.flags(),
        }
    }

    fn texels_params(x: Shape) -> TexelsParams {
        TexelsParams { channels: x.c() as u32, quads: x.c().div_ceil(4) as u32, plane: x.plane_len() as u32 }
    }
}

impl Op for GlobalAvgPool2d {
    fn name(&self) -> &str {
        "global_avg_pool2d"
    }

    /// `[N,C,1,1]` for `[N,C,H,W]`.
    fn output(&self, label: &str, xs: &[Shape]) -> Result<Shape> {
        let [n, c, ..] = nchw("global_avg_pool2d", label, only(self.name(), label, xs)?)?;
        Ok(Shape::new(n, c, 1, 1))
    }

    /// `y[n,c]` = mean of `x[n,c,:,:]`. x may have any format.
    fn forward(&self, cx: &mut Forward<'_>, xs: &[Tensor], y: Tensor) -> Result<Saved> {
        let (x, label) = (only(self.name(), cx.label, xs)?, cx.label);
        same("global_avg_pool2d", label, ["y", "the output"], y.shape, self.output(label, &[x.shape])?)?;
        let flops = x.shape.len() as u64;
        if x.format == Format::Texels {
            let kernel = Kernel::new("global_avg_pool2d_texels", "forward");
            let params = Self::texels_params(x.shape);
            let grid = Grid::Planes { planes: 1, h: x.shape.n(), w: x.shape.c().div_ceil(4) };
            cx.rec.dispatch(label, kernel, &[x.bind("x"), y.bind("mean")], &params, grid, flops)?;
        } else {
            let kernel = Kernel::new("global_avg_pool2d", "forward");
            let params = Self::params(x.shape, GradEpilogue::default());
            let grid = Grid::Each(y.shape.len());
            cx.rec.dispatch(label, kernel, &[x.bind("x"), y.bind("y")], &params, grid, flops)?;
        }
        Ok(Saved::new())
    }

    /// `dx = dy / (H·W)` everywhere. dx may have any format; the tensors of the epilogue have the same.
    fn backward(&self, cx: &mut Backward<'_>) -> Result<()> {
        let ((dx, epilogue), dy, label) = (cx.gradient(0), cx.dy, cx.label);
        same("global_avg_pool2d", label, ["dy", "the output"], dy.shape, self.output(label, &[dx.shape])?)?;
        let len = dx.shape.len();
        if dx.format == Format::Texels {
            // A part of the epilogue that does not apply is bound to a texture that nothing writes.
            let spare = match epilogue.add.or(epilogue.mask) {
                Some(id) => id,
                None => cx.rec.table("zero texel", Layout::Texels, vec![0; 4]),
            };
            let [add, mask] = epilogue.bind(spare, dx.stored_len());
            let kernel = Kernel::new("global_avg_pool2d_texels", "backward").with("EPILOGUE", epilogue.flags());
            let bindings = [dy.bind("dy"), dx.bind("y"), add, mask];
            let (params, grid) = (Self::texels_params(dx.shape), texels::grid(dx));
            return cx.rec.dispatch(label, kernel, &bindings, &params, grid, len as u64);
        }
        let [add, mask] = epilogue.bind(dy.id, len);
        let (kernel, params) = (Kernel::new("global_avg_pool2d", "backward"), Self::params(dx.shape, epilogue));
        let bindings = [dy.bind("dy"), dx.bind("dx"), add, mask];
        cx.rec.dispatch(label, kernel, &bindings, &params, Grid::Each(len), len as u64)
    }

    fn formats(&self, _in_place: bool) -> Formats {
        Formats { first: InputFormat::Any, ..Formats::BUFFERS }
    }
}
