//! Checks of shapes, and their errors.

use crate::error::{Error, Result};
use crate::gpu::MAX_ELEMENTS;
use crate::shape::Shape;

/// An input error of an op and its layer: `conv2d (layer1.0.conv1): what`.
pub(super) fn shape_error(op: &str, label: &str, what: impl std::fmt::Display) -> Error {
    Error::input(format!("{op} ({label}): {what}"))
}

/// The four extents of `[N,C,H,W]`, or an error.
pub(super) fn nchw(op: &str, label: &str, x: Shape) -> Result<[usize; 4]> {
    match x.rank() {
        4 => Ok(x.nchw()),
        rank => Err(shape_error(op, label, format!("x is {x}, of rank {rank}, and must be [N,C,H,W]"))),
    }
}

/// Checks that two shapes agree, and that the number of elements is neither zero (kernels always read the first) nor too large to
/// count.
pub(super) fn same(op: &str, label: &str, names: [&str; 2], a: Shape, b: Shape) -> Result<()> {
    if !(1..=MAX_ELEMENTS).contains(&a.len()) {
        let what = format!("{} is {a}: it must have between 1 and {MAX_ELEMENTS} elements", names[0]);
        return Err(shape_error(op, label, what));
    }
    if a == b { Ok(()) } else { Err(shape_error(op, label, format!("{} is {a} but {} is {b}", names[0], names[1]))) }
}
