//! The last part of every backward kernel.

use crate::gpu::TensorId;

/// How a backward kernel writes the gradient of its input: `dx = (v + add) * [mask > 0]`, see `shaders/lib/epilogue.wgsl`.
#[derive(Clone, Copy, Debug, Default)]
pub struct GradEpilogue {
    /// The gradient that other consumers of the input delivered before.
    pub add: Option<TensorId>,
    /// The input itself, if it is the output of a fused ReLU.
    pub mask: Option<TensorId>,
}

impl GradEpilogue {
    /// Whether there is nothing to add and no mask.
    pub fn is_empty(self) -> bool {
        self.add.is_none() && self.mask.is_none()
    }

    /// The value of `params.epilogue` for a kernel that imports `lib/epilogue`.
    pub fn flags(self) -> u32 {
        u32::from(self.add.is_some()) | u32::from(self.mask.is_some()) << 1
    }

    /// The bindings, for `len` elements. A part that does not apply is bound to `spare`, a tensor that the kernel reads anyway.
    pub fn bind(self, spare: TensorId, len: usize) -> [(&'static str, TensorId, usize); 2] {
        let part =
            |name, tensor: Option<TensorId>| (name, tensor.unwrap_or(spare), if tensor.is_some() { len } else { 0 });
        [part("epilogue_add", self.add), part("epilogue_mask", self.mask)]
    }
}
