//! reduce: the sum, mean, maximum or minimum over some axes. The gradient of an extreme value goes in equal parts to all elements that have it.

use super::axes::{LONG_SUM, broadcast, count, merged, rows, workgroup_each};
use super::{Backward, Forward, Op, Saved, Tensor, countable, only, same, shape_error};
use crate::error::Result;
use crate::gpu::{Grid, Kernel};
use crate::named::named;
use crate::shape::{MAX_RANK, Shape};

crate::params! {
    /// Mirrors `Params` of shaders/reduce.wgsl.
    struct ReduceParams { axes: [[u32; 4]; MAX_RANK], len: u32, outer: u32, terms: u32, epilogue: u32 }
}

named! {
    /// What becomes of the elements over which an axis is reduced, by its name in `torch`.
    Reduction {
        /// Their sum.
        Sum = "sum",
        /// Their mean.
        Mean = "mean",
        /// The largest. Where several are, each gets an equal part of the gradient, as of `torch.amax`.
        Max = "amax",
        /// The smallest; gradients as of the largest.
        Min = "amin",
    }
}

impl Reduction {
    fn is_extreme(self) -> bool {
        matches!(self, Self::Max | Self::Min)
    }
}

/// `torch.sum`, `mean`, `amax` or `amin` over axes other than the first, which is the batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reduce {
    /// What is computed of the elements.
    pub reduction: Reduction,
    /// The axes, each once and none the first; 1 is that of channels.
    pub axes: Vec<usize>,
    /// Whether the axes stay, with extent 1.
    pub keepdim: bool,
}

impl Reduce {
    /// The shape of y if the axes stay.
    fn kept(&self, label: &str, x: Shape) -> Result<Shape> {
        countable(self.name(), label, "x", x)?;
        let mut extents = x.extents().to_vec();
        for (i, &axis) in self.axes.iter().enumerate() {
            if axis == 0 || axis >= extents.len() || self.axes[..i].contains(&axis) {
                let what = format!("the axes {:?} of x {x}: each must be there once, and not the first", self.axes);
                return Err(shape_error(self.name(), label, what));
            }
            extents[axis] = 1;
        }
        Shape::of(&extents)
    }

    fn params(&self, x: Shape, y: Shape) -> ReduceParams {
        let terms = (x.len() / y.len()) as u32;
        ReduceParams { axes: rows(&[]), len: 0, outer: 0, terms, epilogue: 0 }
    }
}

impl Op for Reduce {
    fn name(&self) -> &str {
        Reduction::NAMES[self.reduction as usize]
    }

    /// The extents of x without the reduced ones, or with 1 in their place.
    fn output(&self, label: &str, xs: &[Shape]) -> Result<Shape> {
        let x = only(self.name(), label, xs)?;
        let kept = self.kept(label, x)?;
        if self.keepdim {
            return Ok(kept);
        }
        let stays = |&(axis, _): &(usize, &usize)| !self.axes.contains(&axis);
        let extents: Vec<usize> = kept.extents().iter().enumerate().filter(stays).map(|(_, &extent)| extent).collect();
        Shape::of(&extents)
    }

    /// `y[…]` = the sum, mean or extreme value of `x[…]` over the axes. An extreme value saves how many elements have it.
    fn forward(&self, cx: &mut Forward<'_>, xs: &[Tensor], y: Tensor) -> Result<Saved> {
        let (x, label) = (only(self.name(), cx.label, xs)?, cx.label);
        same(self.name(), label, ["y", "the output"], y.shape, self.output(label, &[x.shape])?)?;
        let all = broadcast(x.shape, [x.shape; 3]);
        let part = |reduced: bool| {
            merged((0..all.len()).filter(|axis| self.axes.contains(axis) == reduced).map(|axis| all[axis]))
        };
        let (outer, inner) = (part(false), part(true));
        let (axes, len, long) = ([&outer[..], &inner].concat(), y.shape.len(), count(&inner) > LONG_SUM);
        let params = ReduceParams {
            axes: rows(&axes),
            len: len as u32,
            outer: outer.len() as u32,
            ..self.params(x.shape, y.shape)
        };
        let entry = match (self.reduction.is_extreme(), long) {
            (false, false) => "sum",
            (false, true) => "sum_long",
            (true, false) => "extreme",
            (true, true) => "extreme_long",
        };
        let kernel = Kernel::new("reduce", entry).with("KIND", self.reduction as u32).with("AXES", axes.len() as u32);
        let (grid, flops) = (if long { workgroup_each(len) } else { Grid::Each(len) }, x.shape.len() as u64);
        let [x, y] = [x.bind("x"), y.bind("y")];
        if !self.reduction.is_extreme() {
            cx.rec.dispatch(label, kernel, &[x, y], &params, grid, flops)?;
            return Ok(Saved::new());
        }
        let ties = cx.rec.transient(format!("{label} ties"), len);
        cx.rec.dispatch(label, kernel, &[x, y, ("ties", ties, len)], &params, grid, flops)?;
        Ok(vec![ties])
    }

    /// `dx = dy`, `dy / terms`, or `dy / ties` where x is the extreme value and 0 elsewhere.
    fn backward(&self, cx: &mut Backward<'_>) -> Result<()> {
        let (x, dy, label) = (only(self.name(), cx.label, cx.xs)?, cx.dy, cx.label);
        let (dx, epilogue) = cx.gradient(0);
        same(self.name(), label, ["dy", "the output"], dy.shape, self.output(label, &[dx.shape])?)?;
        let kept = self.kept(label, dx.shape)?;
        let axes = merged(broadcast(dx.shape, [kept; 3]));
        let len = dx.shape.len();
        let params = ReduceParams {
            axes: rows(&axes),
            len: len as u32,
            epilogue: epilogue.flags(),
            ..self.params(dx.shape, dy.shape)
        };
        let entry = if self.reduction.is_extreme() { "extreme_backward" } else { "sum_backward" };
        let kernel = Kernel::new("reduce", entry).with("KIND", self.reduction as u32).with("AXES", axes.len() as u32);
        let [add, mask] = epilogue.bind(dy.id, len);
        let mut bindings = vec![dy.bind("dy"), dx.bind("dx"), add, mask];
        if self.reduction.is_extreme() {
            same(self.name(), label, ["x", "dx"], x.shape, dx.shape)?;
            same(self.name(), label, ["y", "dy"], cx.y.shape, dy.shape)?;
            let ties = only(self.name(), label, cx.saved)?;
            bindings.extend([x.bind("x"), cx.y.bind("best"), ("shared_by", ties, dy.shape.len())]);
        }
        cx.rec.dispatch(label, kernel, &bindings, &params, Grid::Each(len), len as u64)
    }
}
