//! Axes over which kernels count: an extent, and the strides in up to three tensors. See shaders/lib/axes.wgsl.

use crate::gpu::{Grid, MAX_WORKGROUPS};
use crate::shape::{MAX_RANK, Shape};

/// One axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Axis {
    pub(super) extent: usize,
    /// The distance between neighbours along the axis, in each tensor; 0 where a tensor is repeated.
    pub(super) strides: [usize; 3],
}

/// The sum of more terms than this is a workgroup's, and that of fewer an invocation's. The number does not depend on the batch, so neither does
/// the order of a sum.
pub(super) const LONG_SUM: usize = 64;

/// The strides of a row-major tensor.
pub(super) fn strides(shape: Shape) -> [usize; MAX_RANK] {
    let mut strides = [0; MAX_RANK];
    let mut stride = 1;
    for (axis, extent) in shape.extents().iter().enumerate().rev() {
        strides[axis] = stride;
        stride *= extent;
    }
    strides
}

/// The axes of `whole`, with the strides of three tensors that are repeated along them where their extent is 1. The last axes of all stand over
/// one another, as NumPy broadcasts.
pub(super) fn broadcast(whole: Shape, parts: [Shape; 3]) -> Vec<Axis> {
    let extents = whole.extents();
    let of = |axis: usize| {
        let stride = |part: Shape| {
            let at = (axis + part.rank()).checked_sub(extents.len());
            at.filter(|&at| part.extents()[at] > 1).map_or(0, |at| strides(part)[at])
        };
        Axis { extent: extents[axis], strides: parts.map(stride) }
    };
    (0..extents.len()).map(of).collect()
}

/// The same elements in the same order over fewer axes: those of extent 1 are left out, and neighbours that every tensor passes as one become
/// one.
pub(super) fn merged(axes: impl IntoIterator<Item = Axis>) -> Vec<Axis> {
    let mut out: Vec<Axis> = Vec::new();
    for axis in axes.into_iter().filter(|axis| axis.extent != 1) {
        match out.last_mut() {
            Some(last) if (0..3).all(|t| last.strides[t] == axis.strides[t] * axis.extent) => {
                *last = Axis { extent: last.extent * axis.extent, ..axis };
            }
            _ => out.push(axis),
        }
    }
    out
}

/// The rows of `params.axes`.
///
/// # Panics
/// If there are more than a shape has.
pub(super) fn rows(axes: &[Axis]) -> [[u32; 4]; MAX_RANK] {
    let mut rows = [[1, 0, 0, 0]; MAX_RANK];
    for (row, axis) in rows[..axes.len()].iter_mut().zip(axes) {
        let [a, b, c] = axis.strides.map(|stride| stride as u32);
        *row = [axis.extent as u32, a, b, c];
    }
    rows
}

/// The elements that axes count.
pub(super) fn count(axes: &[Axis]) -> usize {
    axes.iter().map(|axis| axis.extent).product()
}

/// A workgroup for each of this many elements; the shader finds its element as `group.y * groups.x + group.x`.
pub(super) fn workgroup_each(len: usize) -> Grid {
    let x = len.clamp(1, MAX_WORKGROUPS);
    Grid::Workgroups([x, len.div_ceil(x).max(1), 1])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_are_merged_where_every_tensor_allows_it() {
        let (whole, gate) = (Shape::new(2, 3, 5, 7), Shape::new(2, 3, 1, 1));
        let axes = merged(broadcast(whole, [whole, gate, whole]));
        let axis = |extent, strides| Axis { extent, strides };
        assert_eq!(axes, [axis(6, [35, 1, 35]), axis(35, [1, 0, 1])]);
        assert_eq!(merged(broadcast(whole, [whole; 3])), [axis(210, [1; 3])]);
        let bias = Shape::of(&[3, 1, 1]).expect("three extents");
        let axes = merged(broadcast(whole, [whole, bias, whole]));
        assert_eq!(axes, [axis(2, [105, 0, 105]), axis(3, [35, 1, 35]), axis(35, [1, 0, 1])]);
        assert_eq!(merged(broadcast(gate.with_batch(1), [gate.with_batch(1); 3])), [axis(3, [1; 3])]);
    }
}
