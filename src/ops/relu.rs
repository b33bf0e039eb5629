//! relu: `y = max(x, 0)`, `dx = dy · [x > 0]`.

use super::texels::{PlaneParams, finish_texels, grid};
use super::{Backward, Format, Formats, Forward, Fusable, GradEpilogue, Op, Saved, Tensor, only, same};
use crate::error::Result;
use crate::gpu::{Grid, Kernel, Recording};
use crate::shape::Shape;

crate::params! {
    /// Mirrors `Params` of shaders/relu.wgsl.
    struct ReluParams { len: u32, epilogue: u32 }
}

/// `torch.nn.functional.relu`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Relu;

impl Op for Relu {
    fn name(&self) -> &str {
        "relu"
    }

    fn output(&self, label: &str, xs: &[Shape]) -> Result<Shape> {
        only(self.name(), label, xs)
    }

    fn forward(&self, cx: &mut Forward<'_>, xs: &[Tensor], y: Tensor) -> Result<Saved> {
        let x = only(self.name(), cx.label, xs)?;
        if x.format == Format::Texels {
            finish_texels(cx.rec, cx.label, x, y, GradEpilogue::default(), true)?;
            return Ok(Saved::new());
        }
        same("relu", cx.label, ["x", "y"], x.shape, y.shape)?;
        let len = x.shape.len();
        let params = ReluParams { len: len as u32, epilogue: 0 };
        let bindings = [x.bind("x"), y.bind("y")];
        cx.rec.dispatch(cx.label, Kernel::new("relu", "forward"), &bindings, &params, Grid::Each(len), len as u64)?;
        Ok(Saved::new())
    }

    fn backward(&self, cx: &mut Backward<'_>) -> Result<()> {
        let x = only(self.name(), cx.label, cx.xs)?;
        let (dx, epilogue) = cx.gradient(0);
        if x.format == Format::Nchw {
            return mask(cx.rec, cx.label, cx.dy, x, dx, epilogue);
        }
        same("relu", cx.label, ["dy", "x"], cx.dy.shape, x.shape)?;
        same("relu", cx.label, ["dy", "dx"], cx.dy.shape, dx.shape)?;
        let [add, mask] = epilogue.bind(x.id, x.stored_len());
        let bindings = [x.bind("x"), cx.dy.bind("dy"), dx.bind("y"), add, mask];
        let kernel = Kernel::new("relu_texels", "backward").with("EPILOGUE", epilogue.flags());
        cx.rec.dispatch(cx.label, kernel, &bindings, &PlaneParams::of(x), grid(x), 0)
    }

    fn formats(&self, _in_place: bool) -> Formats {
        Formats::alike(true)
    }

    fn as_fusable(&self) -> Option<Fusable> {
        Some(Fusable::Relu)
    }
}

/// `dx = dy · [x > 0]`, and then the epilogue. The output of a relu may stand for x: both are positive at the same places.
pub(super) fn mask(
    rec: &mut Recording,
    label: &str,
    dy: Tensor,
    x: Tensor,
    dx: Tensor,
    epilogue: GradEpilogue,
) -> Result<()> {
    same("relu", label, ["dy", "x"], dy.shape, x.shape)?;
    same("relu", label, ["dy", "dx"], dy.shape, dx.shape)?;
    let len = x.shape.len();
    let params = ReluParams { len: len as u32, epilogue: epilogue.flags() };
    let [add, mask] = epilogue.bind(x.id, len);
    let bindings = [x.bind("x"), dy.bind("dy"), dx.bind("dx"), add, mask];
    rec.dispatch(label, Kernel::new("relu", "backward"), &bindings, &params, Grid::Each(len), len as u64)
}
