//! avg_pool2d: the mean of each window. adaptive_avg_pool2d: of windows that divide x into so many rows and columns.

use super::{
    Backward, Format, Formats, Forward, GradEpilogue, Op, Saved, Tensor, nchw, only, same, shape_error, texels,
};
use crate::error::Result;
use crate::gpu::Kernel;
use crate::shape::{Pad, Shape, window_out, window_out_ceil};

crate::params! {
    /// Mirrors `Params` of shaders/avg_pool2d.wgsl.
    struct AvgPool2dParams {
        channels: u32, h: u32, w: u32, oh: u32, ow: u32, pad_top: u32, pad_left: u32, pad_bottom: u32, pad_right: u32,
        epilogue: u32,
    }
}

crate::params! {
    /// Mirrors `Params` of shaders/avg_pool2d_texels.wgsl.
    struct AvgPool2dTexelsParams {
        quads: u32, h: u32, w: u32, oh: u32, ow: u32, pad_top: u32, pad_left: u32, pad_bottom: u32, pad_right: u32,
    }
}

/// `torch.nn.functional.avg_pool2d`, with padding for each side.
///
/// A window divides by its places: with `count_include_pad` by those in the padding too, but never by those that `ceil_mode` adds beyond it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AvgPool2d {
    /// Window `[h, w]`.
    pub kernel: [usize; 2],
    /// Stride `[h, w]`.
    pub stride: [usize; 2],
    /// Padding `[top, left, bottom, right]`, less than the window on each side.
    pub pad: Pad,
    /// Whether the last window may extend past the end.
    pub ceil_mode: bool,
    /// Whether places in the padding count, as zeros.
    pub count_include_pad: bool,
}

/// `torch.nn.functional.adaptive_avg_pool2d`: window o of O along an axis of H goes from `⌊o H/O⌋` up to `⌈(o+1) H/O⌉`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AdaptiveAvgPool2d {
    /// `[OH, OW]`, which may be more than H and W.
    pub output: [usize; 2],
}

/// What both have in common for their kernels.
struct Windows {
    name: &'static str,
    pad: Pad,
    overrides: [(&'static str, u32); 6],
    /// The places in a window, about.
    taps: u64,
}

impl Windows {
    fn kernel(&self, x: Tensor, entry: &'static str) -> Kernel {
        let file = if x.format == Format::Texels { "avg_pool2d_texels" } else { "avg_pool2d" };
        self.overrides.iter().fold(Kernel::new(file, entry), |kernel, &(name, value)| kernel.with(name, value))
    }

    fn params(&self, x: Shape, y: Shape, epilogue: GradEpilogue) -> AvgPool2dParams {
        let [_, channels, h, w] = x.nchw().map(|n| n as u32);
        let [pad_top, pad_left, pad_bottom, pad_right] = self.pad.map(|n| n as u32);
        let (oh, ow, epilogue) = (y.h() as u32, y.w() as u32, epilogue.flags());
        AvgPool2dParams { channels, h, w, oh, ow, pad_top, pad_left, pad_bottom, pad_right, epilogue }
    }

    fn texels_params(&self, x: Shape, y: Shape) -> AvgPool2dTexelsParams {
        let params = self.params(x, y, GradEpilogue::default());
        let AvgPool2dParams { channels, h, w, oh, ow, pad_top, pad_left, pad_bottom, pad_right, .. } = params;
        AvgPool2dTexelsParams { quads: channels.div_ceil(4), h, w, oh, ow, pad_top, pad_left, pad_bottom, pad_right }
    }

    fn one_format(&self, label: &str, x: Tensor, y: Tensor) -> Result<()> {
        if x.format == y.format {
            return Ok(());
        }
        Err(shape_error(self.name, label, format!("{:?} and {:?}", x.format, y.format)))
    }

    fn forward(&self, cx: &mut Forward<'_>, x: Tensor, y: Tensor) -> Result<Saved> {
        self.one_format(cx.label, x, y)?;
        let (bindings, kernel) = ([x.bind("x"), y.bind("y")], self.kernel(x, "forward"));
        let flops = (y.shape.len() as u64).saturating_mul(self.taps);
        if x.format == Format::Texels {
            let params = self.texels_params(x.shape, y.shape);
            cx.rec.dispatch(cx.label, kernel, &bindings, &params, texels::grid(y), flops)?;
        } else {
            let params = self.params(x.shape, y.shape, GradEpilogue::default());
            cx.rec.dispatch(cx.label, kernel, &bindings, &params, y.grid(), flops)?;
        }
        Ok(Saved::new())
    }

    fn backward(&self, cx: &mut Backward<'_>, (dx, epilogue): (Tensor, GradEpilogue)) -> Result<()> {
        let (dy, label) = (cx.dy, cx.label);
        self.one_format(label, dy, dx)?;
        let [add, mask] = epilogue.bind(dy.id, dx.stored_len());
        let (kernel, flops) = (self.kernel(dx, "backward"), (dy.shape.len() as u64).saturating_mul(self.taps));
        if dx.format == Format::Texels {
            let bindings = [dy.bind("x"), dx.bind("y"), add, mask];
            let (kernel, params) = (kernel.with("EPILOGUE", epilogue.flags()), self.texels_params(dx.shape, dy.shape));
            return cx.rec.dispatch(label, kernel, &bindings, &params, texels::grid(dx), flops);
        }
        let bindings = [dy.bind("dy"), dx.bind("dx"), add, mask];
        cx.rec.dispatch(label, kernel, &bindings, &self.params(dx.shape, dy.shape, epilogue), dx.grid(), flops)
    }
}

impl AvgPool2d {
    fn windows(&self) -> Windows {
        let ([kh, kw], [sh, sw]) = (self.kernel, self.stride);
        let overrides = [
            ("KERNEL_H", kh as u32),
            ("KERNEL_W", kw as u32),
            ("STRIDE_H", sh as u32),
            ("STRIDE_W", sw as u32),
            ("ADAPTIVE", 0),
            ("INCLUDE_PAD", u32::from(self.count_include_pad)),
        ];
        Windows { name: "avg_pool2d", pad: self.pad, overrides, taps: (kh as u64).saturating_mul(kw as u64) }
    }
}

impl Op for AvgPool2d {
    fn name(&self) -> &str {
        "avg_pool2d"
    }

    /// Refuses a padding as large as the window, in which a window could lie entirely.
    fn output(&self, label: &str, xs: &[Shape]) -> Result<Shape> {
        let x = only(self.name(), label, xs)?;
        nchw("avg_pool2d", label, x)?;
        let ([kh, kw], [top, left, bottom, right]) = (self.kernel, self.pad);
        if top.max(bottom) >= kh || left.max(right) >= kw {
            let what = format!("padding {:?} is not less than the window {kh}x{kw}", self.pad);
            return Err(shape_error("avg_pool2d", label, what));
        }
        let count = if self.ceil_mode { window_out_ceil } else { window_out };
        let [oh, ow] = count([x.h(), x.w()], self.kernel, self.stride, self.pad)
            .ok_or_else(|| shape_error("avg_pool2d", label, format!("a window of {kh}x{kw} does not fit x {x}")))?;
        // Sizes are divided by as whole numbers of 32 bits.
        if kh.saturating_mul(kw) > 1 << 31 {
            return Err(shape_error("avg_pool2d", label, format!("a window of {kh}x{kw} has too many places")));
        }
        Ok(Shape::new(x.n(), x.c(), oh, ow))
    }

    /// `y[p]` = mean over the window. x: `[N,C,H,W]`, y: `[N,C,OH,OW]`, in one format.
    fn forward(&self, cx: &mut Forward<'_>, xs: &[Tensor], y: Tensor) -> Result<Saved> {
        let x = only(self.name(), cx.label, xs)?;
        same("avg_pool2d", cx.label, ["y", "the output"], y.shape, self.output(cx.label, &[x.shape])?)?;
        self.windows().forward(cx, x, y)
    }

    /// `dx[q]` = sum of `dy[p]` by the size of the window, over the windows that contain q.
    fn backward(&self, cx: &mut Backward<'_>) -> Result<()> {
        let into = cx.gradient(0);
        same("avg_pool2d", cx.label, ["dy", "the output"], cx.dy.shape, self.output(cx.label, &[into.0.shape])?)?;
        self.windows().backward(cx, into)
    }

    fn formats(&self, _in_place: bool) -> Formats {
        Formats::alike(true)
    }
}

impl AdaptiveAvgPool2d {
    fn windows(&self, x: Shape) -> Windows {
        let [oh, ow] = self.output;
        let taps = (x.h().div_ceil(oh) * x.w().div_ceil(ow)) as u64;
        let fixed = ["KERNEL_H", "KERNEL_W", "STRIDE_H", "STRIDE_W"].map(|name| (name, 1));
        let [a, b, c, d] = fixed;
        let overrides = [a, b, c, d, ("ADAPTIVE", 1), ("INCLUDE_PAD", 0)];
        Windows { name: "adaptive_avg_pool2d", pad: [0; 4], overrides, taps }
    }
}

impl Op for AdaptiveAvgPool2d {
    fn name(&self) -> &str {
        "adaptive_avg_pool2d"
    }

    fn output(&self, label: &str, xs: &[Shape]) -> Result<Shape> {
        let x = only(self.name(), label, xs)?;
        nchw("adaptive_avg_pool2d", label, x)?;
        let [oh, ow] = self.output;
        // The shader multiplies extents of x and y.
        let fits = |len: usize, out: usize| {
            out > 0 && len.checked_add(1).is_some_and(|len| len.saturating_mul(out + 1) < 1 << 31)
        };
        if !fits(x.h(), oh) || !fits(x.w(), ow) {
            return Err(shape_error("adaptive_avg_pool2d", label, format!("no {oh}x{ow} windows in x {x}")));
        }
        Ok(Shape::new(x.n(), x.c(), oh, ow))
    }

    /// `y[p]` = mean over window p. x: `[N,C,H,W]`, y: `[N,C,OH,OW]`, in one format.
    fn forward(&self, cx: &mut Forward<'_>, xs: &[Tensor], y: Tensor) -> Result<Saved> {
        let x = only(self.name(), cx.label, xs)?;
        same("adaptive_avg_pool2d", cx.label, ["y", "the output"], y.shape, self.output(cx.label, &[x.shape])?)?;
        self.windows(x.shape).forward(cx, x, y)
    }

    /// `dx[q]` = sum of `dy[p]` by the size of window p, over the windows that contain q.
    fn backward(&self, cx: &mut Backward<'_>) -> Result<()> {
        let (dx, epilogue) = cx.gradient(0);
        same("adaptive_avg_pool2d", cx.label, ["dy", "the output"], cx.dy.shape, self.output(cx.label, &[dx.shape])?)?;
        self.windows(dx.shape).backward(cx, (dx, epilogue))
    }

    fn formats(&self, _in_place: bool) -> Formats {
        Formats::alike(true)
    }
}
