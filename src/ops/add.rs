//! add: `y = x + z`, or `max(x + z, 0)`. Both gradients are `dy` itself, so the backward dispatches nothing.

use std::sync::Arc;

use super::texels::finish_texels;
use super::{Backward, Format, Formats, Forward, Fusable, GradEpilogue, Op, Saved, Tensor, inputs, same};
use crate::error::Result;
use crate::gpu::{Grid, Kernel, Recording};
use crate::shape::Shape;

crate::params! {
    /// Mirrors `Params` of shaders/add.wgsl.
    struct AddParams { len: u32, relu: u32 }
}

/// `torch.add` of two tensors of one shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Add;

/// `max(x + z, 0)`: a sum that absorbed a ReLU.
#[derive(Clone, Copy, Debug)]
struct AddRelu;

impl Op for Add {
    fn name(&self) -> &str {
        "add"
    }

    fn output(&self, label: &str, xs: &[Shape]) -> Result<Shape> {
        let [x, z] = inputs(self.name(), label, xs)?;
        same("add", label, ["x", "z"], x, z)?;
        Ok(x)
    }

    fn forward(&self, cx: &mut Forward<'_>, xs: &[Tensor], y: Tensor) -> Result<Saved> {
        forward(cx, xs, y, false)
    }

    fn backward(&self, cx: &mut Backward<'_>) -> Result<()> {
        cx.deliver(0, cx.dy)?;
        cx.deliver(1, cx.dy)
    }

    fn formats(&self, _in_place: bool) -> Formats {
        Formats::alike(true)
    }

    fn as_fusable(&self) -> Option<Fusable> {
        Some(Fusable::Add)
    }

    fn absorb(&self, next: &Fusable) -> Option<Arc<dyn Op>> {
        match next {
            Fusable::Relu => Some(Arc::new(AddRelu)),
            _ => None,
        }
    }
}

impl Op for AddRelu {
    fn name(&self) -> &str {
        Add.name()
    }

    fn output(&self, label: &str, xs: &[Shape]) -> Result<Shape> {
        Add.output(label, xs)
    }

    fn forward(&self, cx: &mut Forward<'_>, xs: &[Tensor], y: Tensor) -> Result<Saved> {
        forward(cx, xs, y, true)
    }

    /// dy has been masked already: see [`Op::ends_in_relu`].
    fn backward(&self, cx: &mut Backward<'_>) -> Result<()> {
        Add.backward(cx)
    }

    fn formats(&self, in_place: bool) -> Formats {
        Add.formats(in_place)
    }

    fn ends_in_relu(&self) -> bool {
        true
    }
}

fn forward(cx: &mut Forward<'_>, xs: &[Tensor], y: Tensor, relu: bool) -> Result<Saved> {
    let [x, z] = inputs(Add.name(), cx.label, xs)?;
    same("add", cx.label, ["x", "z"], x.shape, z.shape)?;
    if x.format == Format::Texels {
        finish_texels(cx.rec, cx.label, x, y, GradEpilogue { add: Some(z.id), mask: None }, relu)?;
    } else {
        dispatch(cx.rec, cx.label, [x, z], y, relu)?;
    }
    Ok(Saved::new())
}

/// `y = x + z`.
pub(super) fn sum(rec: &mut Recording, label: &str, xs: [Tensor; 2], y: Tensor) -> Result<()> {
    dispatch(rec, label, xs, y, false)
}

fn dispatch(rec: &mut Recording, label: &str, [x, z]: [Tensor; 2], y: Tensor, relu: bool) -> Result<()> {
    same("add", label, ["x", "z"], x.shape, z.shape)?;
    same("add", label, ["x", "y"], x.shape, y.shape)?;
    let len = x.shape.len();
    let bindings = [x.bind("x"), z.bind("z"), y.bind("y")];
    let params = AddParams { len: len as u32, relu: u32::from(relu) };
    rec.dispatch(label, Kernel::new("add", "forward"), &bindings, &params, Grid::Each(len), len as u64)
}
