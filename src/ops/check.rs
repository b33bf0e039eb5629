//! Checks of shapes, and their errors.

use crate::error::{Error, Result};
use crate::gpu::MAX_ELEMENTS;
use crate::shape::Shape;

/// An input error of an op and its layer: `conv2d (layer1.0.conv1): what`.
pub(super) fn shape_error(op: &str, label: &str, what: impl std::fmt::Display) -> Error {
    Error::input(format!("{op} ({label}): {what}"))
}

/// The four extents of `[N,C,H,W]`, or an error. The number of elements is neither zero (kernels always read the first) nor too large
/// to count.
pub(super) fn nchw(op: &str, label: &str, x: Shape) -> Result<[usize; 4]> {
    match x.rank() {
        4 => countable(op, label, "x", x).map(|()| x.nchw()),
        rank => Err(shape_error(op, label, format!("x is {x}, of rank {rank}, and must be [N,C,H,W]"))),
    }
}

/// Whether the elements can be counted, and there is one.
pub(super) fn countable(op: &str, label: &str, name: &str, x: Shape) -> Result<()> {
    if (1..=MAX_ELEMENTS).contains(&x.len()) {
        return Ok(());
    }
    Err(shape_error(op, label, format!("{name} is {x}: it must have between 1 and {MAX_ELEMENTS} elements")))
}

/// Checks that two shapes agree, and that their elements can be counted as in [`nchw`].
pub(super) fn same(op: &str, label: &str, names: [&str; 2], a: Shape, b: Shape) -> Result<()> {
    countable(op, label, names[0], a)?;
    if a == b { Ok(()) } else { Err(shape_error(op, label, format!("{} is {a} but {} is {b}", names[0], names[1]))) }
}
