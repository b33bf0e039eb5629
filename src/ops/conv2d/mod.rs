//! conv2d: any window, stride and padding, forward and backward to the input, both as one matrix product.
//!
//! Forward: `y[n,o,p] = Σ_{c,k} w[o,c,k] x[n,c,p·stride + k − pad] + b[o]`.
//! Backward: `dx[n,c,q] = Σ_{o,k} w[o,c,k] dy[n,o,(q + pad − k)/stride]`, over the k for which the division is exact.
//! [`product`] lays both out as the product that the kernels compute.

mod choices;
mod product;
mod texels;
mod winograd;

use std::sync::Arc;

pub use choices::Choices;
use product::Product;
use texels::Stages;
pub use winograd::Tile;

use super::{Format, Sink, Tensor, misfit, pack, same, unpack, words};
use crate::error::Result;
use crate::gpu::{Grid, Kernel, Recording, TensorId};
use crate::shape::{Pad, Shape, window_out};

crate::params! {
    /// Mirrors `Params` of shaders/lib/conv2d.wgsl.
    struct Conv2dParams {
        rows: u32, y_channels: u32, terms: u32, channels: u32, images: u32, x_h: u32, x_w: u32, y_h: u32, y_w: u32,
        x_step_h: u32, x_step_w: u32, y_step_h: u32, y_step_w: u32, fold_h: u32, fold_w: u32, phases: u32,
        bias: u32, relu: u32, sink: u32,
    }
}

crate::params! {
    /// Mirrors `Params` of shaders/conv2d/sum.wgsl.
    struct SumParams { len: u32, slices: u32, plane: u32, channels: u32, bias: u32, relu: u32, sink: u32 }
}

/// How a convolution is computed. All give the same sums, each in an order of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Variant {
    /// One kernel that shuffles between eight lanes; needs subgroups of exactly eight. Tiles of `4 · row_groups` x 64.
    Subgroup {
        /// Rows of the tile in fours: 1, 2, 4 or 8.
        row_groups: u32,
    },
    /// Tiles of 64 x 64 in workgroup memory; runs anywhere.
    Workgroup {
        /// Partial sums that are computed beside each other, where y is small and the sum is long; 1 for one kernel.
        slices: u32,
    },
    /// Over texels, in stages; needs textures that can be read and subgroups of exactly eight: software adapters.
    Texels(Algorithm),
}

/// What a convolution over texels multiplies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// Windows as they are.
    Direct,
    /// Winograd's tiles; for 3x3 windows with stride 1.
    Winograd(Tile),
}

/// Columns of the tiles of the variants with one kernel.
const TILE_COLUMNS: usize = 64;

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

impl Conv2d {
    /// The shape of y for x.
    ///
    /// # Errors
    /// If channels differ or the window does not fit.
    pub fn output(&self, label: &str, x: Shape) -> Result<Shape> {
        let [o, c, kh, kw] = self.w_shape;
        if self.w.len() != o * c * kh * kw || self.b.as_ref().is_some_and(|b| b.len() != o) {
            let (w, b) = (self.w.len(), self.b.as_ref().map(|b| b.len()));
            return Err(misfit("conv2d", label, format!("{w} weights and {b:?} biases for w {:?}", self.w_shape)));
        }
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

    /// `y = relu(conv(x, w) + b + residual)`. x: `[N,C,H,W]`, y: `[N,O,OH,OW]`.
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
        let sink = Sink { add: epilogue.residual, mask: None };
        let product = Product::forward(self, y.shape);
        self.multiply(rec, label, product, [x, y], sink, epilogue.relu, variant)
    }

    /// `dx = sink(convᵀ(dy, w))`. dy: `[N,O,OH,OW]`, dx: `[N,C,H,W]`.
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
        let product = Product::backward(self, dx.shape);
        self.multiply(rec, label, product, [dy, dx], sink, false, variant)
    }

    /// Appends a product of the packed weights and `x`, the input of the direction, to `y`, its output.
    #[expect(clippy::too_many_arguments, reason = "one call for both directions; a struct would only rename them")]
    fn multiply(
        &self,
        rec: &mut Recording,
        label: &str,
        product: Product,
        [x, y]: [Tensor; 2],
        sink: Sink,
        relu: bool,
        variant: Variant,
    ) -> Result<()> {
        if !variant.fits(self) {
            let (window, stride) = (&self.w_shape[2..], self.stride);
            return Err(misfit(
                "conv2d",
                label,
                format!("{variant:?} is not for windows {window:?}, stride {stride:?}"),
            ));
        }
        let (kernel, tile, slices) = match variant {
            Variant::Subgroup { row_groups } => {
                (Kernel::new("conv2d/subgroup", "multiply").with("ROW_GROUPS", row_groups), 4 * row_groups as usize, 1)
            }
            Variant::Workgroup { slices: 1 } => (Kernel::new("conv2d/workgroup", "multiply"), 64, 1),
            Variant::Workgroup { slices } => {
                let kernel = Kernel::new("conv2d/workgroup", "multiply_part").with("SLICES", slices);
                (kernel, 64, slices as usize)
            }
            Variant::Texels(algorithm) => return self.over_texels(rec, label, product, [x, y], sink, relu, algorithm),
        };
        let (name, rows) = (product.name(), product.rows());
        let bias = self.b.as_ref().filter(|_| !product.backward);
        let (bias_flag, relu, y_len) = (u32::from(bias.is_some()), u32::from(relu), y.shape.len());
        let params = Conv2dParams { bias: bias_flag, relu, sink: sink.flags(), ..product.params(x.shape, y.shape) };
        let flops = self.flops(if product.backward { x.shape } else { y.shape });
        let columns = (x.shape.n() * product.columns()).div_ceil(TILE_COLUMNS).max(1);
        let grid = Grid::Workgroups([columns, rows.div_ceil(tile), product.phases.len() * slices]);

        let table = product.table();
        let table_len = table.len();
        let size = format!("{}x{}", y.shape.h(), y.shape.w());
        let table = rec.constant(format!("{label} table {name} {size}"), table_len, move || Ok(table.clone()));
        let w_len = rows.next_multiple_of(tile) * product.terms().max(1);
        let weights = self.clone();
        let w = rec.constant(format!("{label} w {name} {tile}"), w_len, move || {
            let mut packed = product.pack(&weights, tile);
            packed.resize(w_len, 0);
            Ok(packed)
        });
        let mut epilogue = Vec::from(sink.bind(x.id, y_len));
        epilogue.push(match bias {
            Some(b) => {
                let (values, len) = (Arc::clone(b), b.len());
                ("b", rec.constant(format!("{label} b"), len, move || Ok(words(&values))), len)
            }
            None => ("b", x.id, 0),
        });
        let mut bindings = vec![x.bind("x"), ("w", w, w_len), ("table", table, table_len)];
        let name = format!("{label} {name}");
        if slices == 1 {
            bindings.push(y.bind("y"));
            bindings.extend(epilogue);
            return rec.dispatch(&name, kernel, &bindings, &params, grid, flops);
        }
        let partial = rec.transient(format!("{name} partial"), slices * y_len);
        bindings.push(("y", partial, slices * y_len));
        rec.dispatch(&name, kernel, &bindings, &params, grid, flops)?;
        let params = SumParams {
            len: y_len as u32,
            slices: slices as u32,
            plane: y.shape.plane_len() as u32,
            channels: y.shape.c() as u32,
            bias: bias_flag,
            relu,
            sink: sink.flags(),
        };
        epilogue.extend([("partial", partial, slices * y_len), y.bind("y")]);
        rec.dispatch(&format!("{name} sum"), Kernel::new("conv2d/sum", "sum"), &epilogue, &params, Grid::Each(y_len), 0)
    }

    /// The same over texels. What comes or goes in a buffer is packed before, or unpacked after, with the sink.
    #[expect(clippy::too_many_arguments, reason = "as `multiply`")]
    fn over_texels(
        &self,
        rec: &mut Recording,
        label: &str,
        product: Product,
        [x, y]: [Tensor; 2],
        sink: Sink,
        relu: bool,
        algorithm: Algorithm,
    ) -> Result<()> {
        let name = format!("{label} {}", product.name());
        let x = pack(rec, &name, x)?;
        let stages = |y, sink, relu| Stages { conv: self, label, product, x, y, sink, relu };
        if y.format == Format::Texels {
            return stages(y, sink, relu).record(rec, algorithm);
        }
        let packed = Tensor::transient_texels(rec, &format!("{name} texels"), y.shape);
        stages(packed, Sink::default(), false).record(rec, algorithm)?;
        unpack(rec, &name, packed, y, sink, relu)
    }
}
