//! concat: its inputs one after the other along the channels. One dispatch copies one input; the gradient of an input is its
//! channels of `dy`.
//!
//! An input that lies in the output already needs no dispatch, see [`Tensor::channels`].

use super::{Backward, Format, Formats, Forward, GradEpilogue, Op, Saved, Tensor, nchw, same, shape_error};
use crate::error::Result;
use crate::gpu::{Kernel, Recording};
use crate::shape::Shape;

crate::params! {
    /// Mirrors `Params` of shaders/concat.wgsl.
    struct ConcatParams { channels: u32, channel_offset: u32, channel_stride: u32, plane: u32, epilogue: u32 }
}

/// `torch.cat` along the channels, over `[N,C,H,W]` in buffers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Concat;

impl Op for Concat {
    fn name(&self) -> &str {
        "concat"
    }

    fn output(&self, label: &str, xs: &[Shape]) -> Result<Shape> {
        let Some(first) = xs.first() else {
            return Err(shape_error("concat", label, "there is nothing to concatenate"));
        };
        let [n, _, h, w] = nchw("concat", label, *first)?;
        if let Some(other) = xs.iter().find(|x| x.rank() != 4 || [x.n(), x.h(), x.w()] != [n, h, w]) {
            return Err(shape_error("concat", label, format!("{other} beside {first}")));
        }
        let channels = xs.iter().fold(0usize, |channels, x| channels.saturating_add(x.c()));
        Ok(Shape::new(n, channels, h, w))
    }

    fn forward(&self, cx: &mut Forward<'_>, xs: &[Tensor], y: Tensor) -> Result<Saved> {
        for (x, part) in parts(cx.label, xs, ["y", "the output"], y)? {
            if !lies_in(x, y) {
                write_part(cx.rec, cx.label, x, part)?;
            }
        }
        Ok(Saved::new())
    }

    fn backward(&self, cx: &mut Backward<'_>) -> Result<()> {
        for (i, (x, dy)) in parts(cx.label, cx.xs, ["dy", "the output"], cx.dy)?.into_iter().enumerate() {
            if lies_in(x, cx.y) {
                cx.deliver(i, dy)?;
            } else {
                let (dx, epilogue) = cx.gradient(i);
                read_part(cx.rec, cx.label, dy, dx, epilogue)?;
            }
        }
        Ok(())
    }

    /// If the inputs lie in the output, all are one tensor of one format. Otherwise the op copies from buffer to buffer.
    fn formats(&self, in_place: bool) -> Formats {
        if in_place { Formats::alike(true) } else { Formats::BUFFERS }
    }

    fn concatenates(&self) -> bool {
        true
    }
}

/// `part = x`: copies one input to its channels of the output.
fn write_part(rec: &mut Recording, label: &str, x: Tensor, part: Tensor) -> Result<()> {
    check(label, ["x", "y"], x, part)?;
    let bindings = [x.bind("x"), part.bind_stored("y")];
    let (kernel, params) = (Kernel::new("concat", "forward"), params(part, GradEpilogue::default()));
    rec.dispatch(label, kernel, &bindings, &params, x.grid(), 0)
}

/// The gradient of one input, from its channels of the gradient of the output.
fn read_part(rec: &mut Recording, label: &str, part: Tensor, dx: Tensor, epilogue: GradEpilogue) -> Result<()> {
    check(label, ["dy", "dx"], part, dx)?;
    let [add, mask] = epilogue.bind(part.id, dx.shape.len());
    let bindings = [part.bind_stored("dy"), dx.bind("dx"), add, mask];
    rec.dispatch(label, Kernel::new("concat", "backward"), &bindings, &params(part, epilogue), dx.grid(), 0)
}

/// The inputs, each with its channels of a tensor of the output's shape.
fn parts(label: &str, xs: &[Tensor], names: [&str; 2], whole: Tensor) -> Result<Vec<(Tensor, Tensor)>> {
    let shapes: Vec<Shape> = xs.iter().map(|x| x.shape).collect();
    same("concat", label, names, whole.shape, Concat.output(label, &shapes)?)?;
    let mut first = 0;
    let part = |&x: &Tensor| {
        let part = whole.channels(first, x.shape.c())?;
        first += x.shape.c();
        Ok((x, part))
    };
    xs.iter().map(part).collect()
}

/// Whether an input lies in the output.
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

fn params(part: Tensor, epilogue: GradEpilogue) -> ConcatParams {
    let [channel_offset, channel_stride] = part.offset_and_stride();
    let (channels, plane) = (part.shape.c() as u32, part.shape.plane_len() as u32);
    ConcatParams { channels, channel_offset, channel_stride, plane, epilogue: epilogue.flags() }
}
