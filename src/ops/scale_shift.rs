//! scale_shift: `y = x · scale[c] + shift[c]`, `dx = dy · scale[c]`: batch norm at inference, and normalize.

use std::sync::Arc;

use super::{
    Backward, Forward, Fusable, GradEpilogue, Op, Saved, Tensor, nchw, only, plain_constant, same, shape_error,
};
use crate::error::Result;
use crate::gpu::{Grid, Kernel, Recording};
use crate::shape::Shape;

crate::params! {
    /// Mirrors `Params` of shaders/scale_shift.wgsl.
    struct ScaleShiftParams { len: u32, channels: u32, plane: u32, sink: u32 }
}

/// A scale and a shift for each channel.
#[derive(Clone, Debug, PartialEq)]
pub struct ScaleShift {
    /// Factor of each channel.
    pub scale: Arc<[f32]>,
    /// What is added to each channel after scaling.
    pub shift: Arc<[f32]>,
}

impl ScaleShift {
    /// A scale and a shift, both with a value for each channel.
    pub fn new(scale: impl Into<Arc<[f32]>>, shift: impl Into<Arc<[f32]>>) -> Self {
        Self { scale: scale.into(), shift: shift.into() }
    }

    /// `torch.nn.functional.batch_norm` at inference: `(x − mean) / sqrt(var + eps) · weight + bias`, folded in f64.
    /// The four slices have one length.
    pub fn batch_norm(weight: &[f32], bias: &[f32], mean: &[f32], var: &[f32], eps: f64) -> Self {
        let scale = weight.iter().zip(var).map(|(&w, &v)| f64::from(w) / (f64::from(v) + eps).sqrt());
        let scale: Vec<f64> = scale.collect();
        let shift: Vec<f32> =
            bias.iter().zip(mean).zip(&scale).map(|((&b, &m), s)| (f64::from(b) - f64::from(m) * s) as f32).collect();
        Self::new(scale.iter().map(|&s| s as f32).collect::<Vec<_>>(), shift)
    }

    /// `torchvision.transforms.Normalize`: `(x − mean) / std`.
    pub fn normalize(mean: &[f32], std: &[f32]) -> Self {
        let scale: Vec<f32> = std.iter().map(|&s| (1.0 / f64::from(s)) as f32).collect();
        let shift: Vec<f32> = mean.iter().zip(std).map(|(&m, &s)| (-f64::from(m) / f64::from(s)) as f32).collect();
        Self::new(scale, shift)
    }

    fn check(&self, label: &str, x: Shape) -> Result<()> {
        nchw("scale_shift", label, x)?;
        if self.scale.len() == x.c() && self.shift.len() == x.c() {
            return Ok(());
        }
        let (scale, shift) = (self.scale.len(), self.shift.len());
        Err(shape_error(
            "scale_shift",
            label,
            format!("C is {} in x {x} but {scale} in scale and {shift} in shift", x.c()),
        ))
    }

    fn params(x: Shape, sink: GradEpilogue) -> ScaleShiftParams {
        ScaleShiftParams {
            len: x.len() as u32,
            channels: x.c() as u32,
            plane: x.plane_len() as u32,
            sink: sink.flags(),
        }
    }

    /// `y = x · scale[c] + shift[c]`; x, y: `[N,C,H,W]`.
    ///
    /// # Errors
    /// If shapes or channels differ.
    pub fn forward(&self, rec: &mut Recording, label: &str, x: Tensor, y: Tensor) -> Result<()> {
        self.check(label, x.shape)?;
        same("scale_shift", label, ["x", "y"], x.shape, y.shape)?;
        let (c, len) = (x.shape.c(), x.shape.len());
        let scale = plain_constant(rec, format!("{label} scale"), &self.scale);
        let shift = plain_constant(rec, format!("{label} shift"), &self.shift);
        let bindings = [x.bind("x"), ("scale", scale, c), ("shift", shift, c), y.bind("y")];
        let params = Self::params(x.shape, GradEpilogue::default());
        let kernel = Kernel::new("scale_shift", "forward");
        rec.dispatch(label, kernel, &bindings, &params, Grid::Each(len), 2 * len as u64)
    }

    /// `dx = dy · scale[c]`; dy, dx: `[N,C,H,W]`.
    ///
    /// # Errors
    /// If shapes or channels differ.
    pub fn backward(&self, rec: &mut Recording, label: &str, dy: Tensor, dx: Tensor, sink: GradEpilogue) -> Result<()> {
        self.check(label, dy.shape)?;
        same("scale_shift", label, ["dy", "dx"], dy.shape, dx.shape)?;
        let (c, len) = (dy.shape.c(), dy.shape.len());
        let scale = plain_constant(rec, format!("{label} scale"), &self.scale);
        let [add, mask] = sink.bind(dy.id, len);
        let bindings = [("scale", scale, c), dy.bind("dy"), dx.bind("dx"), add, mask];
        let params = Self::params(dy.shape, sink);
        let kernel = Kernel::new("scale_shift", "backward");
        rec.dispatch(label, kernel, &bindings, &params, Grid::Each(len), len as u64)
    }
}

impl Op for ScaleShift {
    fn name(&self) -> &str {
        "scale_shift"
    }

    fn output(&self, label: &str, xs: &[Shape]) -> Result<Shape> {
        let x = only(self.name(), label, xs)?;
        self.check(label, x)?;
        Ok(x)
    }

    fn forward(&self, cx: &mut Forward<'_>, xs: &[Tensor], y: Tensor) -> Result<Saved> {
        self.forward(cx.rec, cx.label, xs[0], y)?;
        Ok(Saved::new())
    }

    fn backward(&self, cx: &mut Backward<'_>) -> Result<()> {
        let (dx, epilogue) = cx.gradient(0);
        self.backward(cx.rec, cx.label, cx.dy, dx, epilogue)
    }

    fn as_fusable(&self) -> Option<Fusable> {
        Some(Fusable::ScaleShift(self.clone()))
    }
}
