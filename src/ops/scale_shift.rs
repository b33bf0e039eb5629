//! scale_shift: `y = x · scale[c] + shift[c]`, `dx = dy · scale[c]`: batch norm at inference, or the normalisation of an image.

use super::{
    Backward, ChannelAffine, Forward, Fusable, GradEpilogue, Op, Saved, Tensor, nchw, only, plain_constant, same,
    shape_error,
};
use crate::error::Result;
use crate::gpu::{Grid, Kernel, Recording, TensorId};
use crate::shape::Shape;

crate::params! {
    /// Mirrors `Params` of shaders/scale_shift.wgsl.
    struct ScaleShiftParams { len: u32, channels: u32, plane: u32, epilogue: u32 }
}

/// A [`ChannelAffine`] as an op, over `[N,C,H,W]`.
#[derive(Clone, Debug, PartialEq)]
pub struct ScaleShift(pub ChannelAffine);

impl ScaleShift {
    fn check(&self, label: &str, x: Shape) -> Result<()> {
        nchw("scale_shift", label, x)?;
        let (scale, shift) = (self.0.scale.len(), self.0.shift.len());
        if [scale, shift] == [x.c(); 2] {
            return Ok(());
        }
        let what = format!("C is {} in x {x} but {scale} in scale and {shift} in shift", x.c());
        Err(shape_error("scale_shift", label, what))
    }

    fn params(x: Shape, epilogue: GradEpilogue) -> ScaleShiftParams {
        ScaleShiftParams {
            len: x.len() as u32,
            channels: x.c() as u32,
            plane: x.plane_len() as u32,
            epilogue: epilogue.flags(),
        }
    }

    /// The binding of the scale.
    fn scale(&self, rec: &mut Recording, label: &str) -> (&'static str, TensorId, usize) {
        ("scale", plain_constant(rec, format!("{label} scale"), &self.0.scale), self.0.scale.len())
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
        let (x, label) = (only(self.name(), cx.label, xs)?, cx.label);
        self.check(label, x.shape)?;
        same("scale_shift", label, ["x", "y"], x.shape, y.shape)?;
        let scale = self.scale(cx.rec, label);
        let shift = plain_constant(cx.rec, format!("{label} shift"), &self.0.shift);
        let bindings = [x.bind("x"), scale, ("shift", shift, x.shape.c()), y.bind("y")];
        let params = Self::params(x.shape, GradEpilogue::default());
        let (kernel, len) = (Kernel::new("scale_shift", "forward"), x.shape.len());
        cx.rec.dispatch(label, kernel, &bindings, &params, Grid::Each(len), 2 * len as u64)?;
        Ok(Saved::new())
    }

    fn backward(&self, cx: &mut Backward<'_>) -> Result<()> {
        let ((dx, epilogue), dy, label) = (cx.gradient(0), cx.dy, cx.label);
        self.check(label, dy.shape)?;
        same("scale_shift", label, ["dy", "dx"], dy.shape, dx.shape)?;
        let len = dy.shape.len();
        let [add, mask] = epilogue.bind(dy.id, len);
        let bindings = [self.scale(cx.rec, label), dy.bind("dy"), dx.bind("dx"), add, mask];
        let (kernel, params) = (Kernel::new("scale_shift", "backward"), Self::params(dy.shape, epilogue));
        cx.rec.dispatch(label, kernel, &bindings, &params, Grid::Each(len), len as u64)
    }

    fn as_fusable(&self) -> Option<Fusable> {
        Some(Fusable::ChannelAffine(self.0.clone()))
    }
}
