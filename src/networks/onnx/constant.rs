//! Values that do not depend on the image.

use std::sync::Arc;

use crate::weights::Values;

/// A tensor whose values are known when the network is built.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Constant {
    pub(super) dims: Vec<usize>,
    pub(super) data: Data,
}

/// The values, row-major.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Data {
    Floats(Arc<[f32]>),
    /// Integers, and booleans as 0 and 1.
    Ints(Arc<[i64]>),
}

impl From<Values> for Data {
    fn from(values: Values) -> Self {
        match values {
            Values::Floats(values) => Self::Floats(values.into()),
            Values::Ints(values) => Self::Ints(values.into()),
        }
    }
}

impl Data {
    /// The elements at these places.
    pub(super) fn picked(&self, places: impl Iterator<Item = usize>) -> Self {
        match self {
            Self::Floats(values) => Self::Floats(places.map(|at| values[at]).collect()),
            Self::Ints(values) => Self::Ints(places.map(|at| values[at]).collect()),
        }
    }
}

impl Constant {
    pub(super) fn ints(dims: Vec<usize>, values: impl Into<Arc<[i64]>>) -> Self {
        Self { dims, data: Data::Ints(values.into()) }
    }

    pub(super) fn floats(dims: Vec<usize>, values: impl Into<Arc<[f32]>>) -> Self {
        Self { dims, data: Data::Floats(values.into()) }
    }

    /// A list of integers.
    pub(super) fn list(values: Vec<i64>) -> Self {
        Self::ints(vec![values.len()], values)
    }

    pub(super) fn len(&self) -> usize {
        count(&self.dims).unwrap_or(0)
    }

    /// The values as floating-point numbers.
    pub(super) fn to_floats(&self) -> Arc<[f32]> {
        match &self.data {
            Data::Floats(values) => Arc::clone(values),
            Data::Ints(values) => values.iter().map(|&value| value as f32).collect(),
        }
    }

    /// The values as integers, rounded towards zero.
    pub(super) fn to_ints(&self) -> Arc<[i64]> {
        match &self.data {
            Data::Floats(values) => values.iter().map(|&value| value as i64).collect(),
            Data::Ints(values) => Arc::clone(values),
        }
    }
}

/// The number of elements, if it can be counted.
pub(super) fn count(dims: &[usize]) -> Option<usize> {
    dims.iter().try_fold(1usize, |product, &dim| product.checked_mul(dim))
}

/// The distance between neighbours along each axis, row-major.
pub(super) fn strides(dims: &[usize]) -> Vec<usize> {
    let mut strides = vec![1; dims.len()];
    for axis in (1..dims.len()).rev() {
        strides[axis - 1] = strides[axis] * dims[axis];
    }
    strides
}

/// For each element of a tensor of these extents, in order, `first + Σ index · stride`.
pub(super) fn places(dims: &[usize], first: usize, strides: &[isize]) -> impl Iterator<Item = usize> {
    let count = count(dims).unwrap_or(0);
    let along: Vec<(usize, usize, isize)> = self::strides(dims)
        .into_iter()
        .zip(dims)
        .zip(strides)
        .map(|((each, &dim), &stride)| (each, dim, stride))
        .collect();
    (0..count).map(move |at| {
        let steps = along.iter().map(|&(each, dim, stride)| (at / each % dim) as isize * stride);
        first.wrapping_add_signed(steps.sum())
    })
}

/// The strides by which a tensor is read in a shape that it is broadcast to.
pub(super) fn broadcast_strides(dims: &[usize], to: &[usize]) -> Vec<isize> {
    let mut all = vec![0; to.len() - dims.len()];
    let own = strides(dims).into_iter().zip(dims);
    all.extend(own.map(|(stride, &dim)| if dim == 1 { 0 } else { stride as isize }));
    all
}

/// An axis that may count from the end.
pub(super) fn axis(axis: i64, rank: usize) -> Option<usize> {
    let at = if axis < 0 { axis + rank as i64 } else { axis };
    usize::try_from(at).ok().filter(|&at| at < rank)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_found_by_strides() {
        assert_eq!(broadcast_strides(&[3, 1], &[2, 3, 4]), [0, 1, 0]);
        let read: Vec<usize> = places(&[2, 3], 0, &broadcast_strides(&[2, 1], &[2, 3])).collect();
        assert_eq!(read, [0, 0, 0, 1, 1, 1]);
        let reversed: Vec<usize> = places(&[3], 2, &[-1]).collect();
        assert_eq!(reversed, [2, 1, 0]);
        assert_eq!((axis(-1, 4), axis(4, 4), axis(-5, 4)), (Some(3), None, None));
    }
}
