//! local_response_norm: each value divided by a power of the squares around it along the channels.
//!
//! `y[c] = x[c] · s[c]^−β` with `s[c] = k + α/size · Σ x[j]²` over the window of c (Krizhevsky et al. 2012, section 3.3, with
//! PyTorch's division by the size). With `dx[c] = dy[c] s[c]^−β − 2αβ/size · x[c] · Σ dy[j] x[j] s[j]^(−β−1)` over the j whose
//! window has c.

use super::{
    Backward, Format, Formats, Forward, GradEpilogue, Op, Saved, Tensor, nchw, only, same, shape_error, texels,
};
use crate::error::Result;
use crate::gpu::{Kernel, Recording};
use crate::shape::Shape;

crate::params! {
    /// Mirrors `Params` of shaders/local_response_norm.wgsl.
    struct LocalResponseNormParams {
        channels: u32, plane: u32, before: u32, after: u32, alpha: f32, beta: f32, k: f32, sink: u32,
    }
}

crate::params! {
    /// Mirrors `Params` of shaders/local_response_norm_texels.wgsl.
    struct LocalResponseNormTexelsParams { quads: u32, plane: u32, alpha: f32, beta: f32, k: f32 }
}

/// `torch.nn.functional.local_response_norm`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LocalResponseNorm {
    /// Channels of the window: `size / 2` before its own, the rest after it.
    pub size: usize,
    /// Weight of the squares, before it is divided by the size; not negative.
    pub alpha: f32,
    /// The exponent.
    pub beta: f32,
    /// What is added to the squares; positive.
    pub k: f32,
}

impl LocalResponseNorm {
    /// The shape of y, which is x's.
    ///
    /// # Errors
    /// If the window is empty, or k is not positive or alpha negative, so that the power may be one of zero or less.
    pub fn output(&self, label: &str, x: Shape) -> Result<Shape> {
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

    /// Channels of the window before and after its own.
    fn reach(&self) -> [u32; 2] {
        [(self.size / 2) as u32, ((self.size - 1) / 2) as u32]
    }

    /// Whether there is a kernel over texels for such windows.
    pub fn knows_texels(&self) -> bool {
        self.reach().iter().all(|&reach| reach <= 4)
    }

    /// `y = x · s^−β`; x, y: `[N,C,H,W]`, in one format.
    ///
    /// # Errors
    /// If the shapes do not fit.
    pub fn forward(&self, rec: &mut Recording, label: &str, x: Tensor, y: Tensor) -> Result<()> {
        self.check(label, x, y)?;
        let bindings = [x.bind("x"), y.bind("y")];
        let flops = (x.shape.len() * (2 * self.size + 3)) as u64;
        if y.format == Format::Texels {
            let params = self.texels_params(y.shape);
            return rec.dispatch(label, self.texels_kernel("forward"), &bindings, &params, texels::grid(y), flops);
        }
        let params = self.params(y.shape, GradEpilogue::default());
        rec.dispatch(label, Kernel::new("local_response_norm", "forward"), &bindings, &params, y.grid(), flops)
    }

    /// The gradient of x. dy, x, dx: `[N,C,H,W]`, in one format.
    ///
    /// # Errors
    /// If the shapes do not fit.
    pub fn backward(
        &self,
        rec: &mut Recording,
        label: &str,
        dy: Tensor,
        x: Tensor,
        dx: Tensor,
        sink: GradEpilogue,
    ) -> Result<()> {
        self.check(label, x, dx)?;
        self.check(label, x, dy)?;
        let [add, mask] = sink.bind(x.id, dx.stored());
        let texels = dx.format == Format::Texels;
        let out = dx.bind(if texels { "y" } else { "dx" });
        let bindings = [dy.bind("dy"), x.bind("x"), out, add, mask];
        let flops = (x.shape.len() * (4 * self.size + 6)) as u64;
        if texels {
            let (params, kernel) = (self.texels_params(dx.shape), self.texels_kernel("backward"));
            let kernel = kernel.with("SINK", sink.flags());
            return rec.dispatch(label, kernel, &bindings, &params, texels::grid(dx), flops);
        }
        let params = self.params(dx.shape, sink);
        rec.dispatch(label, Kernel::new("local_response_norm", "backward"), &bindings, &params, dx.grid(), flops)
    }

    fn check(&self, label: &str, x: Tensor, y: Tensor) -> Result<()> {
        same("local_response_norm", label, ["y", "x"], y.shape, self.output(label, x.shape)?)?;
        if x.format != y.format || (x.format == Format::Texels && !self.knows_texels()) {
            let what = format!("x is {:?} and y is {:?}, with a window of {}", x.format, y.format, self.size);
            return Err(shape_error("local_response_norm", label, what));
        }
        Ok(())
    }

    fn params(&self, shape: Shape, sink: GradEpilogue) -> LocalResponseNormParams {
        let [before, after] = self.reach();
        LocalResponseNormParams {
            channels: shape.c() as u32,
            plane: shape.plane_len() as u32,
            before,
            after,
            alpha: self.alpha / self.size as f32,
            beta: self.beta,
            k: self.k,
            sink: sink.flags(),
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

    fn output(&self, label: &str, xs: &[Shape]) -> Result<Shape> {
        self.output(label, only(self.name(), label, xs)?)
    }

    fn forward(&self, cx: &mut Forward<'_>, xs: &[Tensor], y: Tensor) -> Result<Saved> {
        self.forward(cx.rec, cx.label, xs[0], y)?;
        Ok(Saved::new())
    }

    fn backward(&self, cx: &mut Backward<'_>) -> Result<()> {
        let (dx, epilogue) = cx.gradient(0);
        self.backward(cx.rec, cx.label, cx.dy, cx.xs[0], dx, epilogue)
    }

    fn formats(&self, _in_place: bool) -> Formats {
        Formats::alike(self.knows_texels())
    }
}
