//! The epilogue of a gradient by itself, where no kernel of an op could apply it.

use super::{Format, GradEpilogue, Tensor, add, relu, shape_error, texels};
use crate::error::Result;
use crate::gpu::Recording;

/// `dx = (dy + add) · [mask > 0]`, each part if it is there. dy, dx and the tensors of the epilogue have one shape and format.
/// Without either part there is nothing to compute: use dy.
///
/// # Errors
/// If the tensors do not fit, or the epilogue has no part.
pub fn finish_gradient(rec: &mut Recording, label: &str, dy: Tensor, dx: Tensor, epilogue: GradEpilogue) -> Result<()> {
    if dy.format == Format::Texels {
        return texels::finish_texels(rec, label, dy, dx, epilogue, false);
    }
    match epilogue {
        GradEpilogue { mask: Some(mask), .. } => relu::mask(rec, label, dy, Tensor::new(mask, dy.shape), dx, epilogue),
        GradEpilogue { add: Some(before), .. } => add::sum(rec, label, [Tensor::new(before, dy.shape), dy], dx),
        GradEpilogue { .. } => Err(shape_error("finish_gradient", label, "there is nothing to add and no mask")),
    }
}
