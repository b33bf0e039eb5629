//! masked: where and masked_fill with a constant condition.

use std::sync::Arc;

use super::axes::{broadcast, merged, rows};
use super::{Backward, Forward, GradEpilogue, Op, Saved, Tensor, inputs, only, same, shape_error};
use crate::error::Result;
use crate::gpu::{Grid, Kernel, Layout, Recording, Sources, TensorId};
use crate::shape::{MAX_RANK, Shape};

crate::params! {
    /// Mirrors `Params` of shaders/masked.wgsl.
    struct MaskedParams { axes: [[u32; 4]; MAX_RANK], len: u32, value: f32, epilogue: u32, unused: u32 }
}

/// A constant condition. It is the same for every image: it has fewer axes than what it chooses from, or 1 as the first extent. Where another extent
/// is 1, it is repeated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    /// The elements, row-major.
    pub holds: Arc<[bool]>,
    /// The shape.
    pub shape: Shape,
}

/// `torch.where(condition, x, z)` of two tensors of one shape, in buffers of any rank.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Where(pub Condition);

/// `torch.where(condition, x, value)` with a number in place of z, in buffers of any rank: `x.masked_fill(~condition, value)`.
#[derive(Clone, Debug, PartialEq)]
pub struct MaskedFill {
    /// Where x stays.
    pub keep: Condition,
    /// What stands elsewhere.
    pub value: f32,
}

impl Condition {
    /// Checks that it fits x.
    fn check(&self, op: &str, label: &str, x: Shape) -> Result<()> {
        let Self { holds, shape } = self;
        let before = x.rank().checked_sub(shape.rank());
        let fits = holds.len() == shape.len()
            && before.is_some_and(|before| {
                (before > 0 || shape.with_batch(1) == *shape)
                    && (0..shape.rank()).all(|axis| [1, x.extents()[axis + before]].contains(&shape.extents()[axis]))
            });
        let what = || format!("a condition {shape} of {} elements does not fit every image of {x}", holds.len());
        if fits { Ok(()) } else { Err(shape_error(op, label, what())) }
    }

    /// The binding of the condition.
    fn bind(&self, rec: &mut Recording, label: &str) -> (&'static str, TensorId, usize) {
        let (holds, len) = (Arc::clone(&self.holds), self.holds.len());
        let make = move || Ok(holds.iter().map(|&holds| u32::from(holds)).collect());
        let source = Sources::of(&self.holds);
        ("c", rec.constant(format!("{label} condition"), source, "condition", len, Layout::Words, make), len)
    }

    /// A kernel and its parameters for elements of this shape.
    fn kernel(&self, entry: &'static str, y: Shape, value: f32, epilogue: GradEpilogue) -> (Kernel, MaskedParams) {
        let axes = merged(broadcast(y, [self.shape; 3]));
        let params =
            MaskedParams { axes: rows(&axes), len: y.len() as u32, value, epilogue: epilogue.flags(), unused: 0 };
        (Kernel::new("masked", entry).with("AXES", axes.len() as u32), params)
    }

    /// The gradient of an input, which was read where the condition is `holds`.
    fn backward(&self, name: &str, cx: &mut Backward<'_>, input: usize, holds: bool) -> Result<()> {
        let ((dx, epilogue), dy, label) = (cx.gradient(input), cx.dy, cx.label);
        same(name, label, ["dy", "dx"], dy.shape, dx.shape)?;
        self.check(name, label, dy.shape)?;
        let (kernel, params) = self.kernel("backward", dy.shape, 0.0, epilogue);
        let len = dy.shape.len();
        let [add, mask] = epilogue.bind(dy.id, len);
        let bindings = [dy.bind("dy"), self.bind(cx.rec, label), dx.bind("dx"), add, mask];
        let kernel = kernel.with("HOLDS", u32::from(holds));
        cx.rec.dispatch(label, kernel, &bindings, &params, Grid::Each(len), 0)
    }
}

impl Op for Where {
    fn name(&self) -> &str {
        "where"
    }

    fn output(&self, label: &str, xs: &[Shape]) -> Result<Shape> {
        let [x, z] = inputs(self.name(), label, xs)?;
        same("where", label, ["x", "z"], x, z)?;
        self.0.check("where", label, x)?;
        Ok(x)
    }

    /// `y = x` where the condition holds, and z elsewhere.
    fn forward(&self, cx: &mut Forward<'_>, xs: &[Tensor], y: Tensor) -> Result<Saved> {
        let ([x, z], label) = (inputs(self.name(), cx.label, xs)?, cx.label);
        same("where", label, ["y", "the output"], y.shape, self.output(label, &[x.shape, z.shape])?)?;
        let (kernel, params) = self.0.kernel("choose", y.shape, 0.0, GradEpilogue::default());
        let bindings = [x.bind("x"), z.bind("z"), self.0.bind(cx.rec, label), y.bind("y")];
        cx.rec.dispatch(label, kernel, &bindings, &params, Grid::Each(y.shape.len()), 0)?;
        Ok(Saved::new())
    }

    /// dx is dy where the condition holds, and dz is dy elsewhere.
    fn backward(&self, cx: &mut Backward<'_>) -> Result<()> {
        self.0.backward("where", cx, 0, true)?;
        self.0.backward("where", cx, 1, false)
    }
}

impl Op for MaskedFill {
    fn name(&self) -> &str {
        "masked_fill"
    }

    fn output(&self, label: &str, xs: &[Shape]) -> Result<Shape> {
        let x = only(self.name(), label, xs)?;
        same("masked_fill", label, ["x", "y"], x, x)?;
        self.keep.check("masked_fill", label, x)?;
        Ok(x)
    }

    /// `y = x` where the condition holds, and the number elsewhere.
    fn forward(&self, cx: &mut Forward<'_>, xs: &[Tensor], y: Tensor) -> Result<Saved> {
        let (x, label) = (only(self.name(), cx.label, xs)?, cx.label);
        same("masked_fill", label, ["y", "the output"], y.shape, self.output(label, &[x.shape])?)?;
        let (kernel, params) = self.keep.kernel("fill", y.shape, self.value, GradEpilogue::default());
        let bindings = [x.bind("x"), self.keep.bind(cx.rec, label), y.bind("y")];
        cx.rec.dispatch(label, kernel, &bindings, &params, Grid::Each(y.shape.len()), 0)?;
        Ok(Saved::new())
    }

    /// dx is dy where the condition holds, and 0 elsewhere.
    fn backward(&self, cx: &mut Backward<'_>) -> Result<()> {
        self.keep.backward("masked_fill", cx, 0, true)
    }
}
