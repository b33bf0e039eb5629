//! A convolution over texels: four channels in a vec4f, in textures. The direct algorithm is one product with its epilogue.
//! Winograd's tiles add a stage before the product and one after it, which has the epilogue. [`super::window`] has the kernel for groups
//! and dilation. `shaders/conv2d/texels/` holds the kernels.

use std::ops::Range;

use super::pass::Pass;
use super::window::TexelGroups;
use super::{TexelsAlgorithm, Tile, gemm};
use crate::error::Result;
use crate::gpu::{Grid, Kernel, Layout, Recording, TensorId};
use crate::ops::{Format, GradEpilogue, Tensor, pack, shape_error, unpack};

crate::params! {
    /// Mirrors `Params` of shaders/conv2d/texels/winograd.wgsl.
    struct WinogradParams {
        quads: u32, channel_offset: u32, channel_stride: u32, images: u32, first_image: u32, x_h: u32, x_w: u32,
        top: i32, left: i32, tiles_h: u32, tiles_w: u32, y_h: u32, y_w: u32,
    }
}

crate::params! {
    /// Mirrors `Params` of shaders/conv2d/texels/product.wgsl.
    struct ProductParams {
        row_quads: u32, terms: u32, quads: u32, x_channel_offset: u32, x_channel_stride: u32, x_h: u32, x_w: u32,
        plane: u32, x_step_h: u32, x_step_w: u32, y_quads: u32, y_channel_offset: u32, y_channel_stride: u32, y_h: u32,
        y_w: u32, y_step_h: u32, y_step_w: u32, fold_w: u32,
    }
}

/// The most bytes for tiles and sums of the images of one turn: about a third of a processor's last cache.
const CACHE_BYTES: usize = 12 << 20;

/// Positions that share their taps; mirrors `Phase` of shaders/lib/conv2d_phase.wgsl.
struct Phase {
    first_term: usize,
    base: usize,
    taps: [usize; 2],
    /// The first tap.
    tap: [i32; 2],
    extent: [usize; 2],
    /// The index of its first sum, if the phase is an element of Winograd's tiles.
    first: usize,
    columns: usize,
    origin: [usize; 2],
}

impl Phase {
    fn words(&self) -> [u32; 12] {
        let ([taps_h, taps_w], [h, w], [row0, col0]) = (self.taps, self.extent, self.origin);
        let (term, base, first, columns) = (self.first_term, self.base, self.first, self.columns);
        let [tap_row, tap_col] = self.tap.map(|d| d as usize);
        [term, base, taps_h, taps_w, tap_row, tap_col, h, w, first, columns, row0, col0].map(|v| v as u32)
    }
}

/// A texture of vec4f between two stages, or of weights.
#[derive(Clone, Copy)]
struct Texels {
    id: TensorId,
    len: usize,
}

impl Texels {
    fn bind(self, name: &'static str) -> (&'static str, TensorId, usize) {
        (name, self.id, self.len)
    }
}

impl Pass<'_> {
    /// Appends the stages. Packs x before them if it is in a buffer; if y is, unpacks it after them, with the epilogue.
    pub(super) fn over_texels(self, rec: &mut Recording, algorithm: TexelsAlgorithm) -> Result<()> {
        let (name, y, epilogue, relu) = (self.name(), self.y, self.epilogue, self.relu);
        let x = pack(rec, &name, self.x)?;
        if y.format == Format::Texels {
            return Self { x, ..self }.stages(rec, algorithm);
        }
        let packed = Tensor::transient_texels(rec, &format!("{name} texels"), y.shape);
        Self { x, y: packed, epilogue: GradEpilogue::default(), relu: false, ..self }.stages(rec, algorithm)?;
        unpack(rec, &name, packed, y, epilogue, relu)
    }

    /// Appends the stages; x and y are texels.
    fn stages(&self, rec: &mut Recording, algorithm: TexelsAlgorithm) -> Result<()> {
        match algorithm {
            TexelsAlgorithm::Direct => self.direct(rec),
            TexelsAlgorithm::Winograd(tile) => self.winograd(rec, tile),
            TexelsAlgorithm::Window => {
                let split = || shape_error("conv2d", self.label, "a texel has channels of several groups");
                self.by_windows_of_texels(rec, TexelGroups::of_conv(self.conv).ok_or_else(split)?)
            }
        }
    }

    fn stage(&self, stage: &str) -> String {
        format!("{} {stage}", self.name())
    }

    fn transient(&self, rec: &mut Recording, stage: &str, len: usize) -> Texels {
        Texels { id: rec.transient_of(self.stage(stage), len, Layout::Texels), len }
    }

    fn images(&self) -> usize {
        self.x.shape.n()
    }

    fn x_quads(&self) -> usize {
        self.x.shape.c().div_ceil(4)
    }

    fn y_quads(&self) -> usize {
        self.y.shape.c().div_ceil(4)
    }

    /// Quads of rows in the product: each fold has all quads of y.
    fn row_quads(&self) -> usize {
        self.gemm.folds.iter().product::<usize>() * self.y_quads()
    }

    fn direct(&self, rec: &mut Recording) -> Result<()> {
        let y = (self.y.id, self.y.stored_len());
        self.product_of(rec, &self.phases(), (self.x.id, self.x.stored_len()), y, None)
    }

    /// Takes as many images per turn as have their tiles in a processor's cache.
    fn winograd(&self, rec: &mut Recording, tile: Tile) -> Result<()> {
        let [tiles_h, tiles_w] = self.tiles(tile);
        let one = 16 * tile.elements() * tiles_h * tiles_w;
        let most = (CACHE_BYTES / (one * (self.x_quads() + self.y_quads())).max(1)).max(1);
        let turns = self.images().div_ceil(most).max(1);
        let each = self.images().div_ceil(turns);
        (0..self.images()).step_by(each).try_for_each(|first| {
            let images = first..self.images().min(first + each);
            self.tiles_of(rec, tile, images)
        })
    }

    /// Winograd's three stages for the images of one turn.
    fn tiles_of(&self, rec: &mut Recording, tile: Tile, images: Range<usize>) -> Result<()> {
        let (x, y) = (self.x.shape, self.y.shape);
        let tiles = self.tiles(tile);
        let columns = images.len() * tiles[0] * tiles[1];
        let (x_quads, y_quads) = (self.x_quads(), self.y_quads());
        let [channel_offset, channel_stride] = self.x.offset_and_stride();
        let [top, left] = first_tap(&self.gemm.phases[0]).0.map(|d| -d);
        let params = WinogradParams {
            quads: x_quads as u32,
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
        };
        let grid = |quads| Grid::Planes { planes: images.len(), h: quads, w: tiles[0] * tiles[1] };
        let kernel = |entry| Kernel::new("conv2d/texels/winograd", entry);
        let tiled = self.transient(rec, "tiles", tile.elements() * x_quads * columns);
        let bindings = [self.x.bind_stored("x"), tiled.bind("y")];
        rec.dispatch(&self.stage("tiles"), kernel(tile.input()), &bindings, &params, grid(x_quads), 0)?;

        let element = |i: usize| Phase {
            first_term: 4 * x_quads * i,
            base: i * x_quads * columns,
            taps: [1, 1],
            tap: [0, 0],
            extent: [1, columns],
            first: i * y_quads * columns,
            columns,
            origin: [0, 0],
        };
        let elements: Vec<Phase> = (0..tile.elements()).map(element).collect();
        let sum = self.transient(rec, "product", tile.elements() * y_quads * columns);
        self.product_of(rec, &elements, (tiled.id, tiled.len), (sum.id, sum.len), Some((tile, images.len())))?;

        let (b, [add, mask]) = (self.texel_bias(rec), self.epilogue.bind(sum.id, self.y.stored_len()));
        let bindings = [sum.bind("x"), self.y.bind_stored("y"), b, add, mask];
        let [channel_offset, channel_stride] = self.y.offset_and_stride();
        let params = WinogradParams { quads: y_quads as u32, channel_offset, channel_stride, ..params };
        let kernel = self.with_epilogue(kernel(tile.output()));
        rec.dispatch(&self.stage("untile"), kernel, &bindings, &params, grid(y_quads), 0)
    }

    pub(super) fn with_epilogue(&self, kernel: Kernel) -> Kernel {
        kernel.with("EPILOGUE", self.epilogue.flags()).with("RELU", u32::from(self.relu))
    }

    fn phases(&self) -> Vec<Phase> {
        let mut first_tap_at = 0;
        let phase = |p: &gemm::Phase| {
            let (tap, taps) = first_tap(p);
            let columns = self.images() * p.extent[0] * p.extent[1];
            let phase = Phase {
                first_term: 4 * self.x_quads() * first_tap_at,
                base: 0,
                taps,
                tap,
                extent: p.extent,
                first: 0,
                columns,
                origin: p.origin,
            };
            first_tap_at += p.taps.len();
            phase
        };
        self.gemm.phases.iter().map(phase).collect()
    }

    /// The product of all phases: of windows, or of the elements of Winograd's tiles for a number of images.
    fn product_of(
        &self,
        rec: &mut Recording,
        phases: &[Phase],
        (x, x_len): (TensorId, usize),
        (y, y_len): (TensorId, usize),
        of_tiles: Option<(Tile, usize)>,
    ) -> Result<()> {
        let (tile, images) = of_tiles.map_or((None, self.images()), |(tile, images)| (Some(tile), images));
        let columns = phases.iter().map(|p| p.columns).max().unwrap_or(0);
        let row_quads = self.row_quads();
        let taps: usize = phases.iter().map(|p| p.taps[0] * p.taps[1]).sum();
        let terms = 4 * self.x_quads() * taps;
        let (shape, x_step) = (self.x.shape, self.gemm.steps[0]);
        let ([x_channel_offset, x_channel_stride], [y_channel_offset, y_channel_stride]) =
            (self.x.offset_and_stride(), self.y.offset_and_stride());
        let params = ProductParams {
            row_quads: row_quads as u32,
            terms: terms as u32,
            quads: self.x_quads() as u32,
            x_channel_offset,
            x_channel_stride,
            x_h: shape.h() as u32,
            x_w: shape.w() as u32,
            plane: if tile.is_some() { columns } else { shape.plane_len() } as u32,
            x_step_h: x_step[0] as u32,
            x_step_w: x_step[1] as u32,
            y_quads: self.y_quads() as u32,
            y_channel_offset,
            y_channel_stride,
            y_h: self.y.shape.h() as u32,
            y_w: self.y.shape.w() as u32,
            y_step_h: self.gemm.steps[1][0] as u32,
            y_step_w: self.gemm.steps[1][1] as u32,
            fold_w: self.gemm.folds[1] as u32,
        };
        // A workgroup has at most 8 quads of rows and 64 columns, divided evenly. The order of a sum does not depend on this.
        // With one quad of channels, each tap is one iteration of the loop, and shorter code is faster.
        let most = if self.x_quads() == 1 { 4 } else { 8 };
        let evenly = |count: usize| count.max(1).div_ceil(count.max(1).div_ceil(most));
        let (tile_quads, tile_columns) = (evenly(row_quads), evenly(columns.div_ceil(8)));
        let w = self.texel_weights(rec, tile_quads, terms, tile);
        let epilogue = if tile.is_some() { GradEpilogue::default() } else { self.epilogue };
        let [add, mask] = epilogue.bind(x, self.y.stored_len());
        let table = self.phase_table(rec, phases);
        let bindings = [("x", x, x_len), w.bind("w"), table, self.texel_bias(rec), ("y", y, y_len), add, mask];
        let kernel = Kernel::new("conv2d/texels/product", "multiply")
            .with("ROW_GROUPS", tile_quads as u32)
            .with("COLUMNS", tile_columns as u32)
            .with("FLAT", u32::from(tile.is_some()))
            .with("SINGLE", u32::from(self.x_quads() == 1))
            .with("EPILOGUE", epilogue.flags())
            .with("RELU", u32::from(self.relu && tile.is_none()));
        let groups = [columns.div_ceil(8 * tile_columns).max(1), row_quads.div_ceil(tile_quads), phases.len()];
        let flops = self.flops() / self.images().max(1) as u64 * images as u64;
        rec.dispatch(&self.stage("product"), kernel, &bindings, &params, Grid::Workgroups(groups), flops)
    }

    fn phase_table(&self, rec: &mut Recording, phases: &[Phase]) -> (&'static str, TensorId, usize) {
        let table: Vec<u32> = phases.iter().flat_map(Phase::words).collect();
        let len = table.len();
        ("table", rec.table(self.stage("table"), Layout::Words, table), len)
    }

    /// The bias, or zeros if there is none: one kernel serves both.
    pub(super) fn texel_bias(&self, rec: &mut Recording) -> (&'static str, TensorId, usize) {
        let len = 4 * self.y_quads();
        let b = if self.has_bias() {
            self.bias_constant(rec, self.stage("b"), len)
        } else {
            rec.table(format!("{len} zeros"), Layout::Words, vec![0; len])
        };
        ("b", b, len)
    }

    /// Weights as `[row quad / tile][tap][channel][row quad % tile]`, four rows per quad; zeros past the last row and channel.
    fn texel_weights(&self, rec: &mut Recording, tile_quads: usize, terms: usize, tile: Option<Tile>) -> Texels {
        let len = self.row_quads().next_multiple_of(tile_quads) * terms;
        let (conv, gemm, x_channels) = (self.conv.clone(), self.gemm.clone(), 4 * self.x_quads());
        let algorithm = tile.map_or(TexelsAlgorithm::Direct, TexelsAlgorithm::Winograd);
        let label = self.stage(&format!("w {algorithm:?} {tile_quads}"));
        let make = move || {
            let mut packed = vec![0u32; 4 * len];
            let mut put = |term: usize, row: usize, value: f32| {
                let (quad, at) = (row / 4, row % 4);
                let block = (quad / tile_quads * terms + term) * tile_quads;
                packed[4 * (block + quad % tile_quads) + at] = value.to_bits();
            };
            match tile {
                None => gemm.each_weight(&conv, |tap, channel, row, value| put(tap * x_channels + channel, row, value)),
                Some(tile) => tile.each_weight(&gemm, &conv, |element, channel, row, value| {
                    put(element * x_channels + channel, row, value);
                }),
            }
            Ok(packed)
        };
        let packing = format!("{algorithm:?} over texels, tiles of {tile_quads}");
        Texels { id: self.weight_constant(rec, label, &packing, len, Layout::Texels, make), len }
    }
}

/// The first tap of a phase, and the number of its taps, vertically and horizontally.
fn first_tap(phase: &gemm::Phase) -> ([i32; 2], [usize; 2]) {
    let along = |axis: usize| {
        let mut moves: Vec<i32> = phase.taps.iter().map(|d| d[axis]).collect();
        moves.sort_unstable();
        moves.dedup();
        (moves.first().copied().unwrap_or(0), moves.len())
    };
    let ((row, rows), (col, cols)) = (along(0), along(1));
    ([row, col], [rows, cols])
}
