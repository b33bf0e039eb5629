//! max_pool2d: the maximum of each window; padding counts as −∞. The gradient goes to the first maximum.

use super::{
    Backward, Format, Formats, Forward, GradEpilogue, Op, Saved, Tensor, nchw, only, same, shape_error, texels,
};
use crate::error::Result;
use crate::gpu::{Grid, Kernel};
use crate::shape::{Pad, Shape, window_out, window_out_ceil};

crate::params! {
    /// Mirrors `Params` of shaders/max_pool2d.wgsl.
    struct MaxPool2dParams {
        channels: u32, h: u32, w: u32, oh: u32, ow: u32, pad_top: u32, pad_left: u32, epilogue: u32,
    }
}

crate::params! {
    /// Mirrors `Params` of shaders/max_pool2d_texels.wgsl.
    struct MaxPool2dTexelsParams {
        quads: u32, h: u32, w: u32, oh: u32, ow: u32, pad_top: u32, pad_left: u32,
    }
}

/// `torch.nn.functional.max_pool2d`, with padding for each side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MaxPool2d {
    /// Window `[h, w]`.
    pub kernel: [usize; 2],
    /// Stride `[h, w]`.
    pub stride: [usize; 2],
    /// Padding `[top, left, bottom, right]`, less than the window on each side.
    pub pad: Pad,
    /// Whether the last window may extend past the end.
    pub ceil_mode: bool,
}

impl MaxPool2d {
    fn check_format(&self, label: &str, x: Tensor, y: Tensor) -> Result<()> {
        if x.format == y.format && (x.format == Format::Nchw || self.knows_texels()) {
            return Ok(());
        }
        let what = format!("{:?} and {:?} for a window of {:?}", x.format, y.format, self.kernel);
        Err(shape_error("max_pool2d", label, what))
    }

    fn kernel(&self, file: &'static str, entry: &'static str) -> Kernel {
        Kernel::new(file, entry)
            .with("KERNEL_H", self.kernel[0] as u32)
            .with("KERNEL_W", self.kernel[1] as u32)
            .with("STRIDE_H", self.stride[0] as u32)
            .with("STRIDE_W", self.stride[1] as u32)
    }

    fn params(&self, x: Shape, y: Shape, epilogue: GradEpilogue) -> MaxPool2dParams {
        MaxPool2dParams {
            channels: x.c() as u32,
            h: x.h() as u32,
            w: x.w() as u32,
            oh: y.h() as u32,
            ow: y.w() as u32,
            pad_top: self.pad[0] as u32,
            pad_left: self.pad[1] as u32,
            epilogue: epilogue.flags(),
        }
    }

    fn texels_params(&self, x: Shape, y: Shape) -> MaxPool2dTexelsParams {
        let MaxPool2dParams { h, w, oh, ow, pad_top, pad_left, .. } = self.params(x, y, GradEpilogue::default());
        MaxPool2dTexelsParams { quads: x.c().div_ceil(4) as u32, h, w, oh, ow, pad_top, pad_left }
    }

    /// The positions in a window.
    fn taps(&self) -> u64 {
        let [h, w] = self.kernel;
        (h as u64).saturating_mul(w as u64)
    }

    /// Whether there is a kernel over texels for this window: it stores a position in the window as a byte.
    pub fn knows_texels(&self) -> bool {
        self.taps() <= 256
    }
}

impl Op for MaxPool2d {
    fn name(&self) -> &str {
        "max_pool2d"
    }

    /// Refuses a padding as large as the window, in which a window could lie entirely.
    fn output(&self, label: &str, xs: &[Shape]) -> Result<Shape> {
        let x = only(self.name(), label, xs)?;
        nchw("max_pool2d", label, x)?;
        let [kh, kw] = self.kernel;
        let [top, left, bottom, right] = self.pad;
        if top.max(bottom) >= kh || left.max(right) >= kw {
            let what = format!("padding {:?} is not less than the window {kh}x{kw}", self.pad);
            return Err(shape_error("max_pool2d", label, what));
        }
        let count = if self.ceil_mode { window_out_ceil } else { window_out };
        let [oh, ow] = count([x.h(), x.w()], self.kernel, self.stride, self.pad)
            .ok_or_else(|| shape_error("max_pool2d", label, format!("a window of {kh}x{kw} does not fit x {x}")))?;
        Ok(Shape::new(x.n(), x.c(), oh, ow))
    }

    /// `y[p]` = maximum over the window. x: `[N,C,H,W]`, y: `[N,C,OH,OW]`, in one format. Saves the positions of the maxima: for
    /// each element of y its position in the plane of x; or for each texel the positions of its four channels in their window, a
    /// byte each.
    fn forward(&self, cx: &mut Forward<'_>, xs: &[Tensor], y: Tensor) -> Result<Saved> {
        let (x, label) = (only(self.name(), cx.label, xs)?, cx.label);
        same("max_pool2d", label, ["y", "the output"], y.shape, self.output(label, &[x.shape])?)?;
        self.check_format(label, x, y)?;
        let argmax = cx.rec.transient(format!("{label} argmax"), y.stored_len());
        let bindings = [x.bind("x"), y.bind("y"), ("argmax", argmax, y.stored_len())];
        let flops = (y.shape.len() as u64).saturating_mul(self.taps());
        if y.format == Format::Texels {
            let (kernel, params) = (self.kernel("max_pool2d_texels", "forward"), self.texels_params(x.shape, y.shape));
            cx.rec.dispatch(label, kernel, &bindings, &params, texels::grid(y), flops)?;
        } else {
            let params = self.params(x.shape, y.shape, GradEpilogue::default());
            cx.rec.dispatch(label, self.kernel("max_pool2d", "forward"), &bindings, &params, y.grid(), flops)?;
        }
        Ok(vec![argmax])
    }

    /// `dx[q]` = sum of `dy[p]` over the windows whose maximum is at q.
    fn backward(&self, cx: &mut Backward<'_>) -> Result<()> {
        let ((dx, epilogue), dy, label) = (cx.gradient(0), cx.dy, cx.label);
        same("max_pool2d", label, ["dy", "the output"], dy.shape, self.output(label, &[dx.shape])?)?;
        self.check_format(label, dy, dx)?;
        let chosen = ("chosen", only(self.name(), label, cx.saved)?, dy.stored_len());
        let [add, mask] = epilogue.bind(dy.id, dx.stored_len());
        let flops = (dy.shape.len() as u64).saturating_mul(self.taps());
        if dx.format == Format::Texels {
            let blocks = dx.shape.h().div_ceil(2) * dx.shape.w().div_ceil(2);
            let grid = Grid::Planes { planes: dx.shape.n(), h: dx.shape.c().div_ceil(4), w: blocks };
            let bindings = [dy.bind("x"), chosen, dx.bind("y"), add, mask];
            let kernel = self.kernel("max_pool2d_texels", "backward").with("EPILOGUE", epilogue.flags());
            return cx.rec.dispatch(label, kernel, &bindings, &self.texels_params(dx.shape, dy.shape), grid, flops);
        }
        let bindings = [dy.bind("dy"), chosen, dx.bind("dx"), add, mask];
        let params = self.params(dx.shape, dy.shape, epilogue);
        cx.rec.dispatch(label, self.kernel("max_pool2d", "backward"), &bindings, &params, dx.grid(), flops)
    }

    fn formats(&self, _in_place: bool) -> Formats {
        Formats::alike(self.knows_texels())
    }
}
