//! concat: tensors one after the other along the channels, an input at a time; the gradient of each is its channels of `dy`.
//!
//! Nothing is dispatched for an input that is written to its channels in place, see [`Tensor::channels`].

use super::{Backward, Format, Formats, Forward, GradEpilogue, Op, Saved, Tensor, nchw, same, shape_error};
use crate::error::Result;
use crate::gpu::{Kernel, Recording};
use crate::shape::Shape;

crate::params! {
    /// Mirrors `Params` of shaders/concat.wgsl.
    struct ConcatParams { channels: u32, first: u32, stored: u32, plane: u32, sink: u32 }
}

/// `torch.cat` along the channels, over `[N,C,H,W]` in buffers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Concat;

impl Concat {
    /// The shape of all inputs together.
    ///
    /// # Errors
    /// If there are none, or they differ in more than their channels.
    pub fn output(self, label: &str, inputs: &[Shape]) -> Result<Shape> {
        let Some(first) = inputs.first() else {
            return Err(shape_error("concat", label, "there is nothing to concatenate"));
        };
        let [n, _, h, w] = nchw("concat", label, *first)?;
        if let Some(other) = inputs.iter().find(|x| x.rank() != 4 || [x.n(), x.h(), x.w()] != [n, h, w]) {
            return Err(shape_error("concat", label, format!("{other} beside {}", inputs[0])));
        }
        Ok(Shape::new(n, inputs.iter().map(|x| x.c()).sum(), h, w))
    }

    /// `y = x` for one input; y: its channels of the output.
    ///
    /// # Errors
    /// If the shapes differ, or a tensor is texels.
    pub fn forward(self, rec: &mut Recording, label: &str, x: Tensor, y: Tensor) -> Result<()> {
        check(label, ["x", "y"], x, y)?;
        let bindings = [x.bind("x"), y.bind_stored("y")];
        rec.dispatch(
            label,
            Kernel::new("concat", "forward"),
            &bindings,
            &params(y, GradEpilogue::default()),
            x.grid(),
            0,
        )
    }

    /// `dx = sink(dy)` for one input; dy: its channels of the output's gradient.
    ///
    /// # Errors
    /// If the shapes differ, or a tensor is texels.
    pub fn backward(self, rec: &mut Recording, label: &str, dy: Tensor, dx: Tensor, sink: GradEpilogue) -> Result<()> {
        check(label, ["dy", "dx"], dy, dx)?;
        let [add, mask] = sink.bind(dy.id, dx.shape.len());
        let bindings = [dy.bind_stored("dy"), dx.bind("dx"), add, mask];
        rec.dispatch(label, Kernel::new("concat", "backward"), &bindings, &params(dy, sink), dx.grid(), 0)
    }
}

impl Op for Concat {
    fn name(&self) -> &str {
        "concat"
    }

    fn output(&self, label: &str, xs: &[Shape]) -> Result<Shape> {
        Self::output(*self, label, xs)
    }

    fn forward(&self, cx: &mut Forward<'_>, xs: &[Tensor], y: Tensor) -> Result<Saved> {
        for (x, part) in parts(xs, y)? {
            if !lies_in(x, y) {
                Self::forward(*self, cx.rec, cx.label, x, part)?;
            }
        }
        Ok(Saved::new())
    }

    fn backward(&self, cx: &mut Backward<'_>) -> Result<()> {
        for (i, (x, dy)) in parts(cx.xs, cx.dy)?.into_iter().enumerate() {
            if lies_in(x, cx.y) {
                cx.deliver(i, dy)?;
            } else {
                let (dx, epilogue) = cx.gradient(i);
                Self::backward(*self, cx.rec, cx.label, dy, dx, epilogue)?;
            }
        }
        Ok(())
    }

    /// All are one tensor if they are in place, and otherwise copied from buffer to buffer.
    fn formats(&self, in_place: bool) -> Formats {
        if in_place { Formats::alike(true) } else { Formats::BUFFERS }
    }

    fn concatenates(&self) -> bool {
        true
    }
}

/// The inputs, each with its channels of a tensor of the output's shape.
fn parts(xs: &[Tensor], whole: Tensor) -> Result<Vec<(Tensor, Tensor)>> {
    let mut first = 0;
    let part = |&x: &Tensor| {
        let part = whole.channels(first, x.shape.c())?;
        first += x.shape.c();
        Ok((x, part))
    };
    xs.iter().map(part).collect()
}

/// Whether an input is in place in the output.
fn lies_in(x: Tensor, y: Tensor) -> bool {
    x.id == y.id
}

fn check(label: &str, names: [&str; 2], a: Tensor, b: Tensor) -> Result<()> {
    nchw("concat", label, a.shape)?;
    same("concat", label, names, a.shape, b.shape)?;
    if [a, b].iter().any(|t| t.format == Format::Texels) {
        let what =
            format!("{} is {:?} and {} is {:?}: both must be in buffers", names[0], a.format, names[1], b.format);
        return Err(shape_error("concat", label, what));
    }
    Ok(())
}

fn params(y: Tensor, sink: GradEpilogue) -> ConcatParams {
    let [first, stored] = y.slice();
    let (channels, plane) = (y.shape.c() as u32, y.shape.plane_len() as u32);
    ConcatParams { channels, first, stored, plane, sink: sink.flags() }
}
