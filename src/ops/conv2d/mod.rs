//! conv2d: any window, stride and padding, forward and backward to the input, both as one matrix product.
//!
//! Forward: `y[n,o,p] = Σ_{c,k} w[o,c,k] x[n,c,p·stride + k − pad] + b[o]`.
//! Backward: `dx[n,c,q] = Σ_{o,k} w[o,c,k] dy[n,o,(q + pad − k)/stride]`, over the k for which the division is exact.
//! [`product`] lays both out as the product that the kernels compute.

mod choices;
mod product;
mod texels;
mod tiles;
mod winograd;

use std::sync::Arc;

pub use choices::ConvAlgorithms;
use product::ImplicitGemm;
pub use winograd::Tile;

use super::{Format, GradEpilogue, Tensor, pack, same, shape_error, unpack, words};
use crate::error::Result;
use crate::gpu::{Grid, Kernel, Recording, TensorId};
use crate::shape::{Pad, Shape, window_out};

crate::params! {
    /// Mirrors `Params` of shaders/lib/conv2d.wgsl.
    struct Conv2dParams {
        rows: u32, y_channels: u32, y_first: u32, y_stored: u32, terms: u32, channels: u32, x_first: u32, x_stored: u32,
        images: u32, x_h: u32, x_w: u32, y_h: u32, y_w: u32,
        x_step_h: u32, x_step_w: u32, y_step_h: u32, y_step_w: u32, fold_h: u32, fold_w: u32, phases: u32,
        bias: u32, relu: u32, sink: u32,
    }
}

crate::params! {
    /// Mirrors `Params` of shaders/conv2d/sum.wgsl.
    struct SumParams {
        len: u32, slices: u32, plane: u32, channels: u32, first: u32, stored: u32, bias: u32, relu: u32, sink: u32,
    }
}

/// How a convolution is computed. All give the same sums, each in an order of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum ConvAlgorithm {
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
    /// Winograd's tiles in buffers, multiplied in tiles of 64 x 64 in workgroup memory; for 3x3 windows with stride 1.
    /// Runs anywhere.
    Winograd(Tile),
    /// Over texels, in stages; needs textures that can be read and subgroups of exactly eight: software adapters.
    Texels(TexelsAlgorithm),
}

/// What a convolution over texels multiplies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TexelsAlgorithm {
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
            return Err(shape_error("conv2d", label, format!("{w} weights and {b:?} biases for w {:?}", self.w_shape)));
        }
        if c != x.c() {
            let w = self.w_shape;
            return Err(shape_error("conv2d", label, format!("C is {} in x {x} but {c} in w {w:?}", x.c())));
        }
        let [oh, ow] = window_out([x.h(), x.w()], [kh, kw], self.stride, self.pad)
            .ok_or_else(|| shape_error("conv2d", label, format!("a window of {kh}x{kw} does not fit x {x}")))?;
        Ok(Shape::new(x.n(), o, oh, ow))
    }

    fn flops(&self, y: Shape) -> u64 {
        2 * (y.len() * self.w_shape[1..].iter().product::<usize>()) as u64
    }

    /// `y = relu(conv(x, w) + b + residual)`. x: `[N,C,H,W]`, y: `[N,O,OH,OW]`; each may be some channels of a tensor, y only
    /// without a residual.
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
        variant: ConvAlgorithm,
    ) -> Result<()> {
        same("conv2d", label, ["y", "the output"], y.shape, self.output(label, x.shape)?)?;
        if epilogue.residual.is_some() && !y.is_whole() {
            return Err(shape_error("conv2d", label, "a residual is not added to some channels of a tensor"));
        }
        let sink = GradEpilogue { add: epilogue.residual, mask: None };
        let product = ImplicitGemm::forward(self, y.shape);
        Pass { conv: self, label, product, x, y, sink, relu: epilogue.relu }.record(rec, variant)
    }

    /// `dx = sink(convᵀ(dy, w))`. dy: `[N,O,OH,OW]`, which may be some channels of a tensor, dx: `[N,C,H,W]`.
    ///
    /// # Errors
    /// If the shapes do not fit.
    pub fn backward(
        &self,
        rec: &mut Recording,
        label: &str,
        dy: Tensor,
        dx: Tensor,
        sink: GradEpilogue,
        variant: ConvAlgorithm,
    ) -> Result<()> {
        same("conv2d", label, ["dy", "the output"], dy.shape, self.output(label, dx.shape)?)?;
        if !dx.is_whole() {
            return Err(shape_error("conv2d", label, "the gradient is not written to some channels of a tensor"));
        }
        let product = ImplicitGemm::backward(self, dx.shape);
        Pass { conv: self, label, product, x: dy, y: dx, sink, relu: false }.record(rec, variant)
    }
}

/// One direction of a convolution: x is its input, y its output.
struct Pass<'a> {
    conv: &'a Conv2d,
    label: &'a str,
    product: ImplicitGemm,
    x: Tensor,
    y: Tensor,
    sink: GradEpilogue,
    relu: bool,
}

impl Pass<'_> {
    /// Appends it, computed by a variant.
    fn record(self, rec: &mut Recording, variant: ConvAlgorithm) -> Result<()> {
        if !variant.fits(self.conv) {
            let (window, stride) = (&self.conv.w_shape[2..], self.conv.stride);
            let what = format!("{variant:?} is not for windows {window:?}, stride {stride:?}");
            return Err(shape_error("conv2d", self.label, what));
        }
        match variant {
            ConvAlgorithm::Subgroup { row_groups } => {
                let kernel = Kernel::new("conv2d/subgroup", "multiply").with("ROW_GROUPS", row_groups);
                self.multiply(rec, kernel, 4 * row_groups as usize, 1)
            }
            ConvAlgorithm::Workgroup { slices: 1 } => {
                self.multiply(rec, Kernel::new("conv2d/workgroup", "multiply"), 64, 1)
            }
            ConvAlgorithm::Workgroup { slices } => {
                let kernel = Kernel::new("conv2d/workgroup", "multiply_part").with("SLICES", slices);
                self.multiply(rec, kernel, 64, slices as usize)
            }
            ConvAlgorithm::Winograd(tile) => self.winograd_in_buffers(rec, tile),
            ConvAlgorithm::Texels(algorithm) => self.over_texels(rec, algorithm),
        }
    }

    /// Of the product, for labels.
    fn name(&self) -> String {
        format!("{} {}", self.label, self.product.name())
    }

    /// What reaches y if it is the forward: no gradient has a bias.
    fn bias(&self) -> Option<&Arc<[f32]>> {
        self.conv.b.as_ref().filter(|_| !self.product.backward)
    }

    /// Floating-point operations of all images.
    fn flops(&self) -> u64 {
        self.conv.flops(if self.product.backward { self.x.shape } else { self.y.shape })
    }

    /// The product of the packed weights and x by one kernel, whose tiles have so many rows; or in slices, which another adds.
    fn multiply(&self, rec: &mut Recording, kernel: Kernel, tile: usize, slices: usize) -> Result<()> {
        let Self { x, y, ref product, .. } = *self;
        let (name, rows, y_len) = (self.name(), product.rows(), y.shape.len());
        let mut params = Conv2dParams {
            bias: u32::from(self.bias().is_some()),
            relu: u32::from(self.relu),
            sink: self.sink.flags(),
            ..product.params(x, y)
        };
        let columns = (x.shape.n() * product.columns()).div_ceil(TILE_COLUMNS).max(1);
        let grid = Grid::Workgroups([columns, rows.div_ceil(tile), product.phases.len() * slices]);
        let mut bindings = vec![x.bind_stored("x"), self.weights(rec, tile), self.table(rec)];
        if slices == 1 {
            bindings.push(y.bind_stored("y"));
            bindings.extend(self.epilogue(rec, x.id));
            return rec.dispatch(&name, kernel, &bindings, &params, grid, self.flops());
        }
        let partial = rec.transient(format!("{name} partial"), slices * y_len);
        bindings.push(("y", partial, slices * y_len));
        // The partial sums are all there is in their tensor.
        let [first, stored] = y.slice();
        (params.y_first, params.y_stored) = (0, y.shape.c() as u32);
        rec.dispatch(&name, kernel, &bindings, &params, grid, self.flops())?;
        let params = SumParams {
            len: y_len as u32,
            slices: slices as u32,
            plane: y.shape.plane_len() as u32,
            channels: y.shape.c() as u32,
            first,
            stored,
            bias: params.bias,
            relu: params.relu,
            sink: params.sink,
        };
        let mut bindings = vec![("partial", partial, slices * y_len), y.bind_stored("y")];
        bindings.extend(self.epilogue(rec, x.id));
        rec.dispatch(&format!("{name} sum"), Kernel::new("conv2d/sum", "sum"), &bindings, &params, Grid::Each(y_len), 0)
    }

    fn weights(&self, rec: &mut Recording, tile: usize) -> (&'static str, TensorId, usize) {
        let (conv, product) = (self.conv.clone(), self.product.clone());
        let len = product.rows().next_multiple_of(tile) * product.terms().max(1);
        let label = format!("{} w {} {tile}", self.label, product.name());
        let make = move || {
            let mut packed = product.pack(&conv, tile);
            packed.resize(len, 0);
            Ok(packed)
        };
        ("w", rec.constant(label, len, make), len)
    }

    fn table(&self, rec: &mut Recording) -> (&'static str, TensorId, usize) {
        let (table, y) = (self.product.table(), self.y.shape);
        let len = table.len();
        let label = format!("{} table {} {}x{}", self.label, self.product.name(), y.h(), y.w());
        ("table", rec.constant(label, len, move || Ok(table.clone())), len)
    }

    /// Bindings of the bias and the sink; what does not apply is bound to `spare`, which the kernel reads anyway.
    fn epilogue(&self, rec: &mut Recording, spare: TensorId) -> Vec<(&'static str, TensorId, usize)> {
        let mut bindings = Vec::from(self.sink.bind(spare, self.y.shape.len()));
        bindings.push(match self.bias() {
            Some(b) => {
                let (values, len) = (Arc::clone(b), b.len());
                ("b", rec.constant(format!("{} b", self.label), len, move || Ok(words(&values))), len)
            }
            None => ("b", spare, 0),
        });
        bindings
    }

    /// The same over texels. What comes or goes in a buffer is packed before, or unpacked after, with the sink.
    fn over_texels(self, rec: &mut Recording, algorithm: TexelsAlgorithm) -> Result<()> {
        let (name, y, sink, relu) = (self.name(), self.y, self.sink, self.relu);
        let x = pack(rec, &name, self.x)?;
        if y.format == Format::Texels {
            return Self { x, ..self }.stages(rec, algorithm);
        }
        let packed = Tensor::transient_texels(rec, &format!("{name} texels"), y.shape);
        Self { x, y: packed, sink: GradEpilogue::default(), relu: false, ..self }.stages(rec, algorithm)?;
        unpack(rec, &name, packed, y, sink, relu)
    }
}
