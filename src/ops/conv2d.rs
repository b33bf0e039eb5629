//! conv2d: any window, stride and padding, forward and backward to the input, both as one matrix product.
//!
//! Forward: `y[n,o,p] = Σ_{c,k} w[o,c,k] x[n,c,p·stride + k − pad] + b[o]`.
//! Backward: `dx[n,c,q] = Σ_{o,k} w[o,c,k] dy[n,o,(q + pad − k)/stride]`, over the k for which the division is exact. These k
//! depend on q modulo the stride only, so each residue is a phase of its own, with its own list of taps and stride 1.

use std::sync::Arc;

use super::{Sink, Tensor, misfit, same, words};
use crate::error::Result;
use crate::gpu::{Capabilities, Grid, Kernel, Recording, TensorId};
use crate::shape::{Pad, Shape, window_out};

crate::params! {
    /// Mirrors `Params` of shaders/lib/conv2d.wgsl.
    struct Conv2dParams {
        rows: u32, terms: u32, channels: u32, images: u32, x_h: u32, x_w: u32, y_h: u32, y_w: u32,
        x_step_h: u32, x_step_w: u32, y_step_h: u32, y_step_w: u32, bias: u32, relu: u32, sink: u32,
    }
}

/// Which kernel computes the product. All give the same sums, each in an order of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Variant {
    /// Shuffles between eight lanes; needs subgroups of exactly eight. Tiles of `4 · row_groups` x 64.
    Subgroup {
        /// Rows of the tile in fours: 1, 2, 4 or 8.
        row_groups: u32,
    },
    /// Tiles of 64 x 64 in workgroup memory; runs anywhere.
    Workgroup,
}

/// Columns of every variant's tile.
const TILE_COLUMNS: usize = 64;

impl Variant {
    /// The fixed choice for a product with so many rows.
    pub fn choose(capabilities: Capabilities, rows: usize) -> Self {
        if capabilities.subgroup_size == Some(8) {
            let row_groups = rows.div_ceil(4).next_power_of_two().min(8) as u32;
            return Self::Subgroup { row_groups };
        }
        Self::Workgroup
    }

    fn tile_rows(self) -> usize {
        match self {
            Self::Subgroup { row_groups } => 4 * row_groups as usize,
            Self::Workgroup => 64,
        }
    }

    fn kernel(self) -> Kernel {
        match self {
            Self::Subgroup { row_groups } => Kernel::new("conv2d/subgroup", "multiply").with("ROW_GROUPS", row_groups),
            Self::Workgroup => Kernel::new("conv2d/workgroup", "multiply"),
        }
    }
}

/// What the forward does to the sum before it is stored: `y = relu(sum + b + residual)`, each part optional.
#[derive(Clone, Copy, Debug, Default)]
pub struct Epilogue {
    /// A tensor of y's shape that is added.
    pub residual: Option<TensorId>,
    /// Whether negative values become zero, last.
    pub relu: bool,
}

/// `torch.nn.functional.conv2d` with padding for each side, no dilation and no groups.
#[derive(Clone, Debug)]
pub struct Conv2d {
    /// `[O, C, KH, KW]`, row-major.
    pub w: Arc<[f32]>,
    /// The extents of w.
    pub w_shape: [usize; 4],
    /// `[O]`, if there is a bias.
    pub b: Option<Arc<[f32]>>,
    /// Stride `[h, w]`.
    pub stride: [usize; 2],
    /// Padding `[top, left, bottom, right]`.
    pub pad: Pad,
}

/// One residue of the output's position modulo `y_step`, with the taps that reach it.
struct Phase {
    origin: [usize; 2],
    extent: [usize; 2],
    /// For each tap, its place `[kh, kw]` in w and how far it moves the source position.
    taps: Vec<([usize; 2], [i32; 2])>,
}

impl Conv2d {
    /// The shape of y for x.
    ///
    /// # Errors
    /// If channels differ or the window does not fit.
    pub fn output(&self, label: &str, x: Shape) -> Result<Shape> {
        let [o, c, kh, kw] = self.w_shape;
        if c != x.c() {
            let w = self.w_shape;
            return Err(misfit("conv2d", label, format!("C is {} in x {x} but {c} in w {w:?}", x.c())));
        }
        let [oh, ow] = window_out([x.h(), x.w()], [kh, kw], self.stride, self.pad)
            .ok_or_else(|| misfit("conv2d", label, format!("a window of {kh}x{kw} does not fit x {x}")))?;
        Ok(Shape::new(x.n(), o, oh, ow))
    }

    fn flops(&self, y: Shape) -> u64 {
        2 * (y.len() * self.w_shape[1..].iter().product::<usize>()) as u64
    }

    /// `y = relu(conv(x, w) + b + residual)`. x: [N,C,H,W], y: [N,O,OH,OW].
    ///
    /// # Errors
    /// If the shapes do not fit.
    pub fn forward(
        &self,
        rec: &mut Recording,
        label: &str,
        x: Tensor,
        y: Tensor,
        epilogue: Epilogue,
        variant: Variant,
    ) -> Result<()> {
        same("conv2d", label, ["y", "the output"], y.shape, self.output(label, x.shape)?)?;
        let [top, left, ..] = self.pad.map(|p| p as i32);
        let [_, _, kh, kw] = self.w_shape;
        let taps =
            (0..kh * kw).map(|k| [k / kw, k % kw]).map(|k| (k, [k[0] as i32 - top, k[1] as i32 - left])).collect();
        let phases = vec![Phase { origin: [0, 0], extent: [y.shape.h(), y.shape.w()], taps }];
        let direction =
            Direction { name: "forward", rows: self.w_shape[0], channels: self.w_shape[1], reversed: false };
        let sink = Sink { add: epilogue.residual, mask: None };
        let params = Conv2dParams {
            x_step_h: self.stride[0] as u32,
            x_step_w: self.stride[1] as u32,
            bias: u32::from(self.b.is_some()),
            relu: u32::from(epilogue.relu),
            ..direction.params(x.shape, y.shape, sink)
        };
        self.multiply(rec, label, [x, y], &direction, phases, params, sink, variant, self.flops(y.shape))
    }

    /// `dx = sink(convᵀ(dy, w))`. dy: [N,O,OH,OW], dx: [N,C,H,W].
    ///
    /// # Errors
    /// If the shapes do not fit.
    pub fn backward(
        &self,
        rec: &mut Recording,
        label: &str,
        dy: Tensor,
        dx: Tensor,
        sink: Sink,
        variant: Variant,
    ) -> Result<()> {
        same("conv2d", label, ["dy", "the output"], dy.shape, self.output(label, dx.shape)?)?;
        let direction =
            Direction { name: "backward", rows: self.w_shape[1], channels: self.w_shape[0], reversed: true };
        let params = Conv2dParams {
            y_step_h: self.stride[0] as u32,
            y_step_w: self.stride[1] as u32,
            ..direction.params(dy.shape, dx.shape, sink)
        };
        let phases = self.backward_phases(dx.shape);
        self.multiply(rec, label, [dy, dx], &direction, phases, params, sink, variant, self.flops(dy.shape))
    }

    fn backward_phases(&self, dx: Shape) -> Vec<Phase> {
        let [_, _, kh, kw] = self.w_shape;
        let [sh, sw] = self.stride;
        let along = |residue: usize, pad: usize, stride: usize, size: usize| -> Vec<(usize, i32)> {
            let reaches = |k: &usize| (residue + pad) % stride == k % stride;
            (0..size).filter(reaches).map(|k| (k, ((residue + pad) as i32 - k as i32) / stride as i32)).collect()
        };
        let mut phases = Vec::with_capacity(sh * sw);
        for origin in (0..sh * sw).map(|i| [i / sw, i % sw]) {
            let (rows, cols) = (along(origin[0], self.pad[0], sh, kh), along(origin[1], self.pad[1], sw, kw));
            let tap = |&(kh, dh): &(usize, i32)| cols.iter().map(move |&(kw, dw)| ([kh, kw], [dh, dw]));
            let taps = rows.iter().flat_map(tap).collect();
            let count = |size: usize, origin: usize, step: usize| size.saturating_sub(origin).div_ceil(step);
            let extent = [count(dx.h(), origin[0], sh), count(dx.w(), origin[1], sw)];
            phases.push(Phase { origin, extent, taps });
        }
        phases
    }

    #[expect(clippy::too_many_arguments, reason = "one call for both directions; a struct would only rename them")]
    fn multiply(
        &self,
        rec: &mut Recording,
        label: &str,
        [x, y]: [Tensor; 2],
        direction: &Direction,
        phases: Vec<Phase>,
        params: Conv2dParams,
        sink: Sink,
        variant: Variant,
        flops: u64,
    ) -> Result<()> {
        let name = direction.name;
        let table = table_of(&phases);
        let columns = phases.iter().map(|p| x.shape.n() * p.extent[0] * p.extent[1]).max().unwrap_or(0);
        let (columns, phase_count) = (columns.div_ceil(TILE_COLUMNS).max(1), phases.len());
        let terms = direction.channels * phases.iter().map(|p| p.taps.len()).sum::<usize>();
        let params = Conv2dParams { terms: terms as u32, ..params };
        let tile = variant.tile_rows();
        let w_len = direction.rows.next_multiple_of(tile) * terms.max(1);
        let (op, rows, channels, reversed) = (self.clone(), direction.rows, direction.channels, direction.reversed);
        let w = rec.constant(format!("{label} w {name} {variant:?}"), w_len, move || {
            let mut packed = op.pack(&phases, rows, channels, reversed, tile);
            packed.resize(w_len, 0);
            Ok(packed)
        });
        let table_len = table.len();
        let size = format!("{}x{}", y.shape.h(), y.shape.w());
        let table = rec.constant(format!("{label} table {name} {size}"), table_len, move || Ok(table.clone()));
        let mut bindings = vec![x.bind("x"), ("w", w, w_len), ("table", table, table_len), y.bind("y")];
        match &self.b {
            Some(b) if params.bias != 0 => {
                let values = Arc::clone(b);
                let b = rec.constant(format!("{label} b"), b.len(), move || Ok(words(&values)));
                bindings.push(("b", b, direction.rows));
            }
            _ => bindings.push(("b", x.id, 0)),
        }
        bindings.extend(sink.bind(x.id, y.shape.len()));
        let rows = direction.rows.div_ceil(variant.tile_rows());
        let grid = Grid::Workgroups([columns, rows, phase_count]);
        rec.dispatch(&format!("{label} {name}"), variant.kernel(), &bindings, &params, grid, flops)
    }

    /// w as the kernels read it: `[row / tile][tap][channel][row % tile]`, with zeros for rows past the last.
    fn pack(&self, phases: &[Phase], rows: usize, channels: usize, reversed: bool, tile: usize) -> Vec<u32> {
        let [_, c_len, kh_len, kw_len] = self.w_shape;
        let mut packed = Vec::new();
        for first in (0..rows).step_by(tile) {
            for (k, _) in phases.iter().flat_map(|p| &p.taps) {
                for channel in 0..channels {
                    packed.extend((first..first + tile).map(|row| {
                        let (o, c) = if reversed { (channel, row) } else { (row, channel) };
                        if row >= rows {
                            return 0;
                        }
                        self.w[((o * c_len + c) * kh_len + k[0]) * kw_len + k[1]].to_bits()
                    }));
                }
            }
        }
        packed
    }
}

/// The product's view of a direction: rows are the channels of its output, and it sums over the channels of its input.
struct Direction {
    name: &'static str,
    rows: usize,
    channels: usize,
    reversed: bool,
}

impl Direction {
    fn params(&self, x: Shape, y: Shape, sink: Sink) -> Conv2dParams {
        Conv2dParams {
            rows: self.rows as u32,
            terms: 0,
            channels: self.channels as u32,
            images: x.n() as u32,
            x_h: x.h() as u32,
            x_w: x.w() as u32,
            y_h: y.h() as u32,
            y_w: y.w() as u32,
            x_step_h: 1,
            x_step_w: 1,
            y_step_h: 1,
            y_step_w: 1,
            bias: 0,
            relu: 0,
            sink: sink.flags(),
        }
    }
}

/// Two vec4i a phase (first tap, taps, row0, col0; h, w, 0, 0), then one a tap (dh, dw, 0, 0).
fn table_of(phases: &[Phase]) -> Vec<u32> {
    let mut table = Vec::new();
    let mut first = 0;
    for phase in phases {
        let taps = phase.taps.len();
        let [row0, col0] = phase.origin;
        let [h, w] = phase.extent;
        table.extend([first, taps, row0, col0, h, w, 0, 0].map(|v| v as u32));
        first += taps;
    }
    for (_, d) in phases.iter().flat_map(|p| &p.taps) {
        table.extend([d[0] as u32, d[1] as u32, 0, 0]);
    }
    table
}
