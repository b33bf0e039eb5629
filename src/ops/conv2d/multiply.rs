//! The product by one kernel over buffers, `shaders/conv2d/workgroup.wgsl` or `subgroup.wgsl`; or its sum in slices, which
//! `sum.wgsl` adds.

use super::gemm::Conv2dParams;
use super::pass::{Pass, TILE_COLUMNS};
use crate::error::Result;
use crate::gpu::{Grid, Kernel, Layout, Recording, TensorId};

crate::params! {
    /// Mirrors `Params` of shaders/conv2d/sum.wgsl.
    struct SumParams {
        len: u32, slices: u32, plane: u32, channels: u32, channel_offset: u32, channel_stride: u32, bias: u32,
        relu: u32, epilogue: u32,
    }
}

impl Pass<'_> {
    /// The product of the packed weights and x by a kernel whose tiles have `tile` rows; with more than one slice, in partial
    /// sums that a second kernel adds.
    pub(super) fn multiply(&self, rec: &mut Recording, kernel: Kernel, tile: usize, slices: usize) -> Result<()> {
        let Self { x, y, ref gemm, .. } = *self;
        let (name, rows, y_len) = (self.name(), gemm.rows(), y.shape.len());
        let mut params = Conv2dParams {
            bias: u32::from(self.has_bias()),
            relu: u32::from(self.relu),
            epilogue: self.epilogue.flags(),
            ..gemm.params(x, y)
        };
        let columns = (x.shape.n() * gemm.columns()).div_ceil(TILE_COLUMNS).max(1);
        let grid = Grid::Workgroups([columns, rows.div_ceil(tile), gemm.phases.len() * slices]);
        let mut bindings = vec![x.bind_stored("x"), self.weights(rec, tile), self.table(rec)];
        if slices == 1 {
            bindings.push(y.bind_stored("y"));
            bindings.extend(self.epilogue(rec, x.id));
            return rec.dispatch(&name, kernel, &bindings, &params, grid, self.flops());
        }
        let partial = rec.transient(format!("{name} partial"), slices * y_len);
        bindings.push(("y", partial, slices * y_len));
        // The partial sums fill their tensor.
        let [channel_offset, channel_stride] = y.offset_and_stride();
        (params.y_channel_offset, params.y_channel_stride) = (0, y.shape.c() as u32);
        rec.dispatch(&name, kernel, &bindings, &params, grid, self.flops())?;
        let params = SumParams {
            len: y_len as u32,
            slices: slices as u32,
            plane: y.shape.plane_len() as u32,
            channels: y.shape.c() as u32,
            channel_offset,
            channel_stride,
            bias: params.bias,
            relu: params.relu,
            epilogue: params.epilogue,
        };
        let mut bindings = vec![("partial", partial, slices * y_len), y.bind_stored("y")];
        bindings.extend(self.epilogue(rec, x.id));
        rec.dispatch(&format!("{name} sum"), Kernel::new("conv2d/sum", "sum"), &bindings, &params, Grid::Each(y_len), 0)
    }

    fn weights(&self, rec: &mut Recording, tile: usize) -> (&'static str, TensorId, usize) {
        let (conv, gemm) = (self.conv.clone(), self.gemm.clone());
        let len = gemm.rows().next_multiple_of(tile) * gemm.terms().max(1);
        let label = format!("{} w {} {tile}", self.label, gemm.name());
        let make = move || {
            let mut packed = gemm.pack(&conv, tile);
            packed.resize(len, 0);
            Ok(packed)
        };
        ("w", self.weight_constant(rec, label, &format!("tiles of {tile}"), len, Layout::Words, make), len)
    }

    fn table(&self, rec: &mut Recording) -> (&'static str, TensorId, usize) {
        let table = self.gemm.table();
        let len = table.len();
        ("table", rec.table(format!("{} table", self.name()), Layout::Words, table), len)
    }
}
