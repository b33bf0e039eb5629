//! cat: its inputs one after the other along any axis but the batch. One dispatch copies one input; the gradient of an input is its part of `dy`.

use super::axes::{broadcast, merged, rows, strides};
use super::{Backward, Forward, GradEpilogue, Op, Saved, Tensor, countable, same, shape_error};
use crate::error::Result;
use crate::gpu::{Grid, Kernel, Recording};
use crate::shape::{MAX_RANK, Shape};

crate::params! {
    /// Mirrors `Params` of shaders/cat.wgsl.
    struct CatParams { axes: [[u32; 4]; MAX_RANK], len: u32, first: u32, epilogue: u32, unused: u32 }
}

/// `torch.cat` along any axis but the first, over buffers of any rank. For channels of `[N,C,H,W]`, [`Concat`](super::Concat) is faster in a
/// network: convolutions write to their channels directly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cat {
    /// The axis; 1 is that of channels.
    pub axis: usize,
}

impl Cat {
    /// The kernel and the parameters of the part of y that begins with place `first` of the axis.
    fn part(
        self,
        entry: &'static str,
        x: Shape,
        y: Shape,
        first: usize,
        epilogue: GradEpilogue,
    ) -> (Kernel, CatParams) {
        let of_y = strides(y);
        let mut axes = broadcast(x, [x; 3]);
        for (axis, stride) in axes.iter_mut().zip(of_y) {
            axis.strides = [stride; 3];
        }
        let axes = merged(axes);
        let params = CatParams {
            axes: rows(&axes),
            len: x.len() as u32,
            first: (first * of_y[self.axis]) as u32,
            epilogue: epilogue.flags(),
            unused: 0,
        };
        (Kernel::new("cat", entry).with("AXES", axes.len() as u32), params)
    }

    /// y is the output for the inputs.
    fn check(self, label: &str, xs: &[Tensor], names: [&str; 2], y: Shape) -> Result<()> {
        let shapes: Vec<Shape> = xs.iter().map(|x| x.shape).collect();
        same("cat", label, names, y, self.output(label, &shapes)?)
    }
}

/// `y = x`.
pub(super) fn copy(rec: &mut Recording, label: &str, x: Tensor, y: Tensor) -> Result<()> {
    same("copy", label, ["x", "y"], x.shape, y.shape)?;
    let axes = merged(broadcast(x.shape, [x.shape; 3]));
    let len = x.shape.len();
    let params = CatParams { axes: rows(&axes), len: len as u32, first: 0, epilogue: 0, unused: 0 };
    let kernel = Kernel::new("cat", "forward").with("AXES", axes.len() as u32);
    rec.dispatch(label, kernel, &[x.bind("x"), y.bind("y")], &params, Grid::Each(len), 0)
}

impl Op for Cat {
    fn name(&self) -> &str {
        "cat"
    }

    fn output(&self, label: &str, xs: &[Shape]) -> Result<Shape> {
        let Some(first) = xs.first() else {
            return Err(shape_error("cat", label, "there is nothing to concatenate"));
        };
        if self.axis == 0 || self.axis >= first.rank() {
            let what = format!("axis {} of x {first} must be there, and not be the batch", self.axis);
            return Err(shape_error("cat", label, what));
        }
        let mut extents = first.extents().to_vec();
        extents[self.axis] = 0;
        for x in xs {
            countable("cat", label, "x", *x)?;
            let fits = x.rank() == first.rank()
                && (0..x.rank()).all(|axis| axis == self.axis || x.extents()[axis] == first.extents()[axis]);
            if !fits {
                return Err(shape_error("cat", label, format!("{x} beside {first} along axis {}", self.axis)));
            }
            extents[self.axis] += x.extents()[self.axis];
        }
        let y = Shape::of(&extents)?;
        countable("cat", label, "y", y)?;
        Ok(y)
    }

    fn forward(&self, cx: &mut Forward<'_>, xs: &[Tensor], y: Tensor) -> Result<Saved> {
        self.check(cx.label, xs, ["y", "the output"], y.shape)?;
        let mut first = 0;
        for x in xs {
            let (kernel, params) = self.part("forward", x.shape, y.shape, first, GradEpilogue::default());
            let grid = Grid::Each(x.shape.len());
            cx.rec.dispatch(cx.label, kernel, &[x.bind("x"), y.bind("y")], &params, grid, 0)?;
            first += x.shape.extents()[self.axis];
        }
        Ok(Saved::new())
    }

    fn backward(&self, cx: &mut Backward<'_>) -> Result<()> {
        let (dy, label) = (cx.dy, cx.label);
        self.check(label, cx.xs, ["dy", "the output"], dy.shape)?;
        let mut first = 0;
        for (i, x) in cx.xs.iter().enumerate() {
            let (dx, epilogue) = cx.gradient(i);
            same("cat", label, ["dx", "x"], dx.shape, x.shape)?;
            let (kernel, params) = self.part("backward", dx.shape, dy.shape, first, epilogue);
            let [add, mask] = epilogue.bind(dy.id, dx.shape.len());
            let bindings = [dy.bind("dy"), dx.bind("dx"), add, mask];
            cx.rec.dispatch(label, kernel, &bindings, &params, Grid::Each(dx.shape.len()), 0)?;
            first += x.shape.extents()[self.axis];
        }
        Ok(())
    }
}
