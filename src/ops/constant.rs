//! Values as constants of a recording.

use std::sync::Arc;

use crate::gpu::{Layout, Recording, Sources, TensorId};

/// A constant with these values, unchanged.
pub(super) fn plain_constant(rec: &mut Recording, label: String, values: &Arc<[f32]>) -> TensorId {
    let (source, len, values) = (Sources::of(values), values.len(), Arc::clone(values));
    rec.constant(label, source, "as it is", len, Layout::Words, move || Ok(words(&values)))
}

/// f32 values as the words of a constant.
pub(crate) fn words(values: &[f32]) -> Vec<u32> {
    bytemuck::cast_slice(values).to_vec()
}
