//! local_response_norm: divides each value by a power of the sum of squares around it, along the channels.
//!
//! `y[c] = x[c] · s[c]^−β` with `s[c] = k + α/size · Σ x[j]²` over the window of c (Krizhevsky et al. 2012, section 3.3, with
//! PyTorch's division by the size). `dx[c] = dy[c] s[c]^−β − 2αβ/size · x[c] · Σ dy[j] x[j] s[j]^(−β−1)`, over the j whose window
//! contains c.

use super::{
    Backward, Format, Formats, Forward, GradEpilogue, Op, Saved, Tensor, nchw, only, same, shape_error, texels,
};
use crate::error::Result;
use crate::gpu::Kernel;
use crate::shape::Shape;

crate::params! {
    /// Mirrors `Params` of shaders/local_response_norm.wgsl.
    struct LocalResponseNormParams {
        channels: u32, plane: u32, before: u32, after: u32, alpha: f32, beta: f32, k: f32, epilogue: u32,
    }
}

crate::params! {
    /// Mirrors `Params` of shaders/local_response_norm_texels.wgsl.
    struct LocalResponseNormTexelsParams { quads: u32, plane: u32, alpha: f32, beta: f32, k: f32 }
}

/// `torch.nn.functional.local_response_norm`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LocalResponseNorm {
    /// The number of channels in the window: the channel itself, `size / 2` before it, the others after it.
    pub size: usize,
    /// The weight of the squares, before the division by the size; not negative.
    pub alpha: f32,
    /// The exponent.
    pub beta: f32,
    /// The number added to the squares; positive.
    pub k: f32,
}

impl LocalResponseNorm {
    /// How many channels of the window lie before and after the channel itself.
    fn reach(&self) -> [u32; 2] {
        [(self.size / 2) as u32, ((self.size - 1) / 2) as u32]
    }

    /// Whether there is a kernel over texels for such windows.
    pub fn knows_texels(&self) -> bool {
        self.reach().iter().all(|&reach| reach <= 4)
    }

    fn check(&self, label: &str, x: Tensor, y: Tensor) -> Result<()> {
        same("local_response_norm", label, ["y", "x"], y.shape, self.output(label, &[x.shape])?)?;
        if x.format != y.format || (x.format == Format::Texels && !self.knows_texels()) {
            let what = format!("x is {:?} and y is {:?}, with a window of {}", x.format, y.format, self.size);
            return Err(shape_error("local_response_norm", label, what));
        }
        Ok(())
    }

    fn params(&self, shape: Shape, epilogue: GradEpilogue) -> LocalResponseNormParams {
        let [before, after] = self.reach();
        LocalResponseNormParams {
            channels: shape.c() as u32,
            plane: shape.plane_len() as u32,
            before,
            after,
            alpha: self.alpha / self.size as f32,
            beta: self.beta,
            k: self.k,
            epilogue: epilogue.flags(),
        }
    }

    fn texels_params(&self, shape: Shape) -> LocalResponseNormTexelsParams {
        let LocalResponseNormParams { channels, plane, alpha, beta, k, .. } =
            self.params(shape, GradEpilogue::default());
        LocalResponseNormTexelsParams { quads: channels.div_ceil(4), plane, alpha, beta, k }
    }

    fn texels_kernel(&self, entry: &'static str) -> Kernel {
        let [before, after] = self.reach();
        Kernel::new("local_response_norm_texels", entry).with("BEFORE", before).with("AFTER", after)
    }
}

impl Op for LocalResponseNorm {
    fn name(&self) -> &str {
        "local_response_norm"
    }

    /// The shape of x. Refuses an empty window, and numbers with which the base of the power may be zero or negative.
    fn output(&self, label: &str, xs: &[Shape]) -> Result<Shape> {
        let x = only(self.name(), label, xs)?;
        nchw("local_response_norm", label, x)?;
        let Self { size, alpha, beta, k } = *self;
        let finite = [alpha, beta, k].iter().all(|v| v.is_finite());
        if size == 0 || k <= 0.0 || alpha < 0.0 || !finite {
            let what = format!(
                "size {size}, alpha {alpha}, beta {beta} and k {k}: size and k must be positive, alpha not negative"
            );
            return Err(shape_error("local_response_norm", label, what));
        }
        Ok(x)
    }

    /// `y = x · s^−β`; x, y: `[N,C,H,W]`, in one format.
    fn forward(&self, cx: &mut Forward<'_>, xs: &[Tensor], y: Tensor) -> Result<Saved> {
        let (x, label) = (only(self.name(), cx.label, xs)?, cx.label);
        self.check(label, x, y)?;
        let bindings = [x.bind("x"), y.bind("y")];
        let flops = (self.size as u64).saturating_mul(2).saturating_add(3).saturating_mul(x.shape.len() as u64);
        if y.format == Format::Texels {
            let (kernel, params) = (self.texels_kernel("forward"), self.texels_params(y.shape));
            cx.rec.dispatch(label, kernel, &bindings, &params, texels::grid(y), flops)?;
        } else {
            let params = self.params(y.shape, GradEpilogue::default());
            let kernel = Kernel::new("local_response_norm", "forward");
            cx.rec.dispatch(label, kernel, &bindings, &params, y.grid(), flops)?;
        }
        Ok(Saved::new())
    }

    fn backward(&self, cx: &mut Backward<'_>) -> Result<()> {
        let (x, label) = (only(self.name(), cx.label, cx.xs)?, cx.label);
        let ((dx, epilogue), dy) = (cx.gradient(0), cx.dy);
        self.check(label, x, dx)?;
        self.check(label, x, dy)?;
        let [add, mask] = epilogue.bind(x.id, dx.stored_len());
        let texels = dx.format == Format::Texels;
        let out = dx.bind(if texels { "y" } else { "dx" });
        let bindings = [dy.bind("dy"), x.bind("x"), out, add, mask];
        let flops = (self.size as u64).saturating_mul(4).saturating_add(6).saturating_mul(x.shape.len() as u64);
        if texels {
            let kernel = self.texels_kernel("backward").with("EPILOGUE", epilogue.flags());
            return cx.rec.dispatch(label, kernel, &bindings, &self.texels_params(dx.shape), texels::grid(dx), flops);
        }
        let (kernel, params) = (Kernel::new("local_response_norm", "backward"), self.params(dx.shape, epilogue));
        cx.rec.dispatch(label, kernel, &bindings, &params, dx.grid(), flops)
    }

    fn formats(&self, _in_place: bool) -> Formats {
        Formats::alike(self.knows_texels())
    }
}
