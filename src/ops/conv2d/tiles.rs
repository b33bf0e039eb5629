//! Winograd's stages over buffers, for any adapter: transform x into tiles, multiply all their elements with the workgroup kernel,
//! transform back. `shaders/conv2d/winograd.wgsl` holds the transforms; `texels.rs` does the same over texels.

use std::ops::Range;

use super::Tile;
use super::gemm::Conv2dParams;
use super::pass::{Pass, TILE_COLUMNS};
use crate::error::Result;
use crate::gpu::{Grid, Kernel, Layout, Recording, TensorId};

crate::params! {
    /// Mirrors `Params` of shaders/conv2d/winograd.wgsl.
    struct TilesParams {
        channels: u32, channel_offset: u32, channel_stride: u32, images: u32, first_image: u32, x_h: u32, x_w: u32,
        top: i32, left: i32, tiles_h: u32, tiles_w: u32, y_h: u32, y_w: u32, bias: u32, relu: u32, epilogue: u32,
    }
}

/// The most bytes for the tiles, or the sums, of the images of one turn, which has at least one image: far less than any adapter
/// binds at once, and little enough for the caches of large adapters.
const TURN_BYTES: usize = 16 << 20;

/// The rows of a tile in the workgroup kernel.
const TILE_ROWS: usize = 64;

impl Pass<'_> {
    /// Takes as many images per turn as [`TURN_BYTES`] allows.
    pub(super) fn winograd_in_buffers(&self, rec: &mut Recording, tile: Tile) -> Result<()> {
        let (x, y) = (self.x.shape, self.y.shape);
        let [tiles_h, tiles_w] = self.tiles(tile);
        let one = 4 * tile.elements() * tiles_h * tiles_w * x.c().max(y.c());
        let most = (TURN_BYTES / one.max(1)).max(1);
        let turns = x.n().div_ceil(most).max(1);
        let each = x.n().div_ceil(turns).max(1);
        (0..x.n()).step_by(each).try_for_each(|first| self.turn(rec, tile, first..x.n().min(first + each)))
    }

    /// How many of Winograd's tiles cover an image of y, vertically and horizontally.
    pub(super) fn tiles(&self, tile: Tile) -> [usize; 2] {
        [self.y.shape.h(), self.y.shape.w()].map(|size| size.div_ceil(tile.size()))
    }

    /// The three stages for the images of one turn.
    fn turn(&self, rec: &mut Recording, tile: Tile, images: Range<usize>) -> Result<()> {
        let (x, y, elements) = (self.x.shape, self.y.shape, tile.elements());
        let tiles = self.tiles(tile);
        let columns = images.len() * tiles[0] * tiles[1];
        let [channel_offset, channel_stride] = self.x.offset_and_stride();
        let [top, left] = self.gemm.phases[0].taps[0].map(|d| -d);
        let params = TilesParams {
            channels: x.c() as u32,
            channel_offset,
            channel_stride,
            images: images.len() as u32,
            first_image: images.start as u32,
            x_h: x.h() as u32,
            x_w: x.w() as u32,
            top,
            left,
            tiles_h: tiles[0] as u32,
            tiles_w: tiles[1] as u32,
            y_h: y.h() as u32,
            y_w: y.w() as u32,
            bias: u32::from(self.has_bias()),
            relu: u32::from(self.relu),
            epilogue: self.epilogue.flags(),
        };
        let name = self.name();
        let stage = |stage: &str| format!("{name} {stage}");
        let [x_len, y_len] = [x.c(), y.c()].map(|channels| channels * columns);
        let tiled = rec.transient(stage("tiles"), elements * x_len);
        let bindings = [self.x.bind_stored("x"), ("y", tiled, elements * x_len)];
        let kernel = Kernel::new("conv2d/winograd", tile.input());
        rec.dispatch(&stage("tiles"), kernel, &bindings, &params, Grid::Each(x_len), 0)?;

        let sums = rec.transient(stage("product"), elements * y_len);
        let flops = self.flops() / x.n().max(1) as u64 * images.len() as u64;
        self.elements_product(rec, tile, columns, flops, (tiled, elements * x_len), (sums, elements * y_len))?;

        let [channel_offset, channel_stride] = self.y.offset_and_stride();
        let params = TilesParams { channels: y.c() as u32, channel_offset, channel_stride, ..params };
        let mut bindings = vec![("x", sums, elements * y_len), self.y.bind_stored("y")];
        bindings.extend(self.epilogue(rec, sums));
        let kernel = Kernel::new("conv2d/winograd", tile.output());
        rec.dispatch(&stage("untile"), kernel, &bindings, &params, Grid::Each(y_len), 0)
    }

    /// `sums[e,m,p] = Σ_c w[e,c,m] tiled[e,c,p]`: each element is a phase with one tap.
    fn elements_product(
        &self,
        rec: &mut Recording,
        tile: Tile,
        columns: usize,
        flops: u64,
        (tiled, tiled_len): (TensorId, usize),
        (sums, sums_len): (TensorId, usize),
    ) -> Result<()> {
        let ([rows, channels], elements) = (self.gemm.channels, tile.elements());
        let (count, terms) = (columns as u32, elements * channels);
        let params = Conv2dParams {
            rows: rows as u32,
            y_channels: rows as u32,
            y_channel_offset: 0,
            y_channel_stride: rows as u32,
            terms: terms as u32,
            channels: channels as u32,
            x_channel_offset: 0,
            x_channel_stride: channels as u32,
            images: 1,
            x_h: 1,
            x_w: count,
            y_h: 1,
            y_w: count,
            x_step_h: 1,
            x_step_w: 1,
            y_step_h: 1,
            y_step_w: 1,
            fold_h: 1,
            fold_w: 1,
            phases: elements as u32,
            bias: 0,
            relu: 0,
            epilogue: 0,
        };
        let phase = |e: usize| [e, 1, 0, 0, 1, columns, e * channels * columns, e * rows * columns].map(|v| v as u32);
        let taps = std::iter::repeat_n(0, 4 * elements);
        let table: Vec<u32> = (0..elements).flat_map(phase).chain(taps).collect();
        let (name, table_len) = (self.name(), table.len());
        let table = rec.table(format!("{name} table"), Layout::Words, table);
        let w = self.elements_weights(rec, tile, terms);
        let x = ("x", tiled, tiled_len);
        // The last stage has the epilogue, so no part of it applies here.
        let spare = [("b", tiled, 0), ("epilogue_add", tiled, 0), ("epilogue_mask", tiled, 0)];
        let mut bindings = vec![x, w, ("table", table, table_len), ("y", sums, sums_len)];
        bindings.extend(spare);
        let grid = Grid::Workgroups([columns.div_ceil(TILE_COLUMNS), rows.div_ceil(TILE_ROWS), elements]);
        let kernel = Kernel::new("conv2d/workgroup", "multiply");
        rec.dispatch(&format!("{name} product"), kernel, &bindings, &params, grid, flops)
    }

    /// Weights as `[row / 64][element][channel][row % 64]`; zeros past the last row.
    fn elements_weights(&self, rec: &mut Recording, tile: Tile, terms: usize) -> (&'static str, TensorId, usize) {
        let (conv, gemm) = (self.conv.clone(), self.gemm.clone());
        let [rows, channels] = gemm.channels;
        let len = rows.next_multiple_of(TILE_ROWS) * terms;
        let make = move || {
            let mut packed = vec![0u32; len];
            tile.each_weight(&gemm, &conv, |element, channel, row, value| {
                let term = element * channels + channel;
                packed[(row / TILE_ROWS * terms + term) * TILE_ROWS + row % TILE_ROWS] = value.to_bits();
            });
            Ok(packed)
        };
        let label = format!("{} w {tile:?}", self.name());
        ("w", self.weight_constant(rec, label, &format!("{tile:?} in buffers"), len, Layout::Words, make), len)
    }
}
