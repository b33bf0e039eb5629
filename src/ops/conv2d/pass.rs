//! One direction of a convolution over its tensors, and what all algorithms need of it.

use super::Conv2d;
use super::gemm::ImplicitGemm;
use crate::error::Result;
use crate::gpu::{Layout, Recording, TensorId};
use crate::ops::{GradEpilogue, Tensor, words};

/// Columns in a tile of the algorithms with one kernel.
pub(super) const TILE_COLUMNS: usize = 64;

/// One direction of a convolution: x is its input, y its output.
pub(super) struct Pass<'a> {
    pub(super) conv: &'a Conv2d,
    pub(super) label: &'a str,
    pub(super) gemm: ImplicitGemm,
    pub(super) x: Tensor,
    pub(super) y: Tensor,
    pub(super) epilogue: GradEpilogue,
    pub(super) relu: bool,
}

impl Pass<'_> {
    /// The layer and the direction, for labels.
    pub(super) fn name(&self) -> String {
        format!("{} {}", self.label, self.gemm.name())
    }

    /// Whether a bias is added: no gradient has one.
    pub(super) fn has_bias(&self) -> bool {
        self.conv.has_bias() && !self.gemm.backward
    }

    /// Floating-point operations of all images.
    pub(super) fn flops(&self) -> u64 {
        self.conv.flops(if self.gemm.backward { self.x.shape } else { self.y.shape })
    }

    /// Weights of this direction. `packing` tells this way of packing from others.
    pub(super) fn weight_constant(
        &self,
        rec: &mut Recording,
        label: String,
        packing: &str,
        len: usize,
        layout: Layout,
        make: impl Fn() -> Result<Vec<u32>> + Send + Sync + 'static,
    ) -> TensorId {
        let (sources, read) = self.conv.weight_identity();
        let packing = format!("{read} {} {packing}", self.gemm.name());
        rec.constant(label, sources, packing, len, layout, make)
    }

    /// The bias, followed by zeros up to `len`, which is not less.
    pub(super) fn bias_constant(&self, rec: &mut Recording, label: String, len: usize) -> TensorId {
        let (sources, packing) = self.conv.bias_identity();
        let conv = self.conv.clone();
        let make = move || {
            let mut padded = words(&conv.folded_bias().unwrap_or_default());
            padded.resize(len, 0);
            Ok(padded)
        };
        rec.constant(label, sources, packing, len, Layout::Words, make)
    }

    /// The bindings of the bias and the epilogue. A part that does not apply is bound to `spare`, which the kernel reads anyway.
    pub(super) fn epilogue(&self, rec: &mut Recording, spare: TensorId) -> Vec<(&'static str, TensorId, usize)> {
        let mut bindings = Vec::from(self.epilogue.bind(spare, self.y.shape.len()));
        bindings.push(if self.has_bias() {
            let len = self.conv.w_shape[0];
            ("b", self.bias_constant(rec, format!("{} b", self.label), len), len)
        } else {
            ("b", spare, 0)
        });
        bindings
    }
}
