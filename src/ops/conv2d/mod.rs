//! conv2d: any window, stride and padding, forward and backward to the input, both as one matrix product.
//!
//! Forward: `y[n,o,p] = Σ_{c,k} w[o,c,k] x[n,c,p·stride + k − pad] + b[o]`.
//! Backward: `dx[n,c,q] = Σ_{o,k} w[o,c,k] dy[n,o,(q + pad − k)/stride]`, over the k for which the division is exact.
//! [`product`] lays both out as the product that the kernels compute.

mod choices;
mod key;
mod op;
mod product;
mod texels;
mod tiles;
mod winograd;

use std::borrow::Cow;
use std::sync::Arc;

pub use choices::ConvAlgorithms;
pub use key::{ConvKey, Direction};
use product::ImplicitGemm;
pub use winograd::Tile;

use super::{Format, GradEpilogue, ScaleShift, Tensor, nchw, pack, same, shape_error, unpack, words};
use crate::error::Result;
use crate::gpu::{Grid, Kernel, Layout, Recording, Sources, TensorId};
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

/// `torch.nn.functional.conv2d` with padding for each side. There are no kernels for dilation and groups yet: a layer that has
/// either is refused.
#[derive(Clone, Debug)]
pub struct Conv2d {
    /// `[O, C/groups, KH, KW]`, row-major.
    pub w: Arc<[f32]>,
    /// The extents of w.
    pub w_shape: [usize; 4],
    /// `[O]`, if there is a bias.
    pub b: Option<Arc<[f32]>>,
    /// Stride `[h, w]`.
    pub stride: [usize; 2],
    /// Padding `[top, left, bottom, right]`.
    pub pad: Pad,
    /// Distance between the taps of a window, `[h, w]`.
    pub dilation: [usize; 2],
    /// Groups of channels that are convolved apart.
    pub groups: usize,
    /// Batch norms that follow, in order. They are folded into w and b when these are packed for an adapter, so that a graph
    /// can be fused as often as one likes without a copy of its weights.
    pub norms: Vec<ScaleShift>,
}

impl Conv2d {
    /// A convolution without dilation, groups and batch norms.
    pub fn new(
        w: impl Into<Arc<[f32]>>,
        w_shape: [usize; 4],
        b: Option<Arc<[f32]>>,
        stride: [usize; 2],
        pad: Pad,
    ) -> Self {
        Self { w: w.into(), w_shape, b, stride, pad, dilation: [1, 1], groups: 1, norms: Vec::new() }
    }

    /// Whether y has a bias: one of its own or from a norm.
    fn has_bias(&self) -> bool {
        self.b.is_some() || !self.norms.is_empty()
    }

    /// w with the norms folded in: `scale · (w x + b) + shift = (scale w) x + (scale b + shift)`, each in f64, rounded once.
    fn folded_weights(&self) -> Cow<'_, [f32]> {
        let each = self.w_shape[1..].iter().product::<usize>().max(1);
        self.norms.iter().fold(Cow::Borrowed(&*self.w), |w, norm| {
            let scaled = |(i, &w): (usize, &f32)| (f64::from(w) * f64::from(norm.scale[i / each])) as f32;
            Cow::Owned(w.iter().enumerate().map(scaled).collect())
        })
    }

    /// b with the norms folded in, if there is either.
    fn folded_bias(&self) -> Option<Vec<f32>> {
        self.norms.iter().fold(self.b.as_ref().map(|b| b.to_vec()), |b, norm| {
            let bias = |o: usize| b.as_ref().map_or(0.0, |b| f64::from(b[o]));
            let folded = |o: usize| (bias(o) * f64::from(norm.scale[o]) + f64::from(norm.shift[o])) as f32;
            Some((0..self.w_shape[0]).map(folded).collect())
        })
    }

    /// What the packed weights are made of, and how w is read.
    fn weight_identity(&self) -> (Sources, String) {
        let sources = self.norms.iter().fold(Sources::of(&self.w), |sources, norm| sources.and(&norm.scale));
        (sources, format!("conv2d w {:?} stride {:?} pad {:?}", self.w_shape, self.stride, self.pad))
    }

    /// What the bias is made of.
    fn bias_identity(&self) -> (Sources, &'static str) {
        let own = self.b.as_ref().map_or_else(Sources::default, Sources::of);
        let sources = self.norms.iter().fold(own, |sources, norm| sources.and(&norm.scale).and(&norm.shift));
        (sources, if self.b.is_some() { "conv2d b" } else { "conv2d b of norms" })
    }

    /// The shape of y for x.
    ///
    /// # Errors
    /// If channels differ or the window does not fit.
    pub fn output(&self, label: &str, x: Shape) -> Result<Shape> {
        let [o, c, kh, kw] = self.w_shape;
        if self.w.len() != Shape::from(self.w_shape).len() || self.b.as_ref().is_some_and(|b| b.len() != o) {
            let (w, b) = (self.w.len(), self.b.as_ref().map(|b| b.len()));
            return Err(shape_error("conv2d", label, format!("{w} weights and {b:?} biases for w {:?}", self.w_shape)));
        }
        nchw("conv2d", label, x)?;
        let Self { dilation, groups, .. } = *self;
        if (dilation, groups) != ([1, 1], 1) {
            let what =
                format!("there is no kernel yet for dilation {dilation:?} and {groups} groups, only for [1, 1] and 1");
            return Err(shape_error("conv2d", label, what));
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

    /// Whether a bias is added: no gradient has one.
    fn has_bias(&self) -> bool {
        self.conv.has_bias() && !self.product.backward
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
            bias: u32::from(self.has_bias()),
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
        ("w", self.weight_constant(rec, label, &format!("tiles of {tile}"), len, Layout::Words, make), len)
    }

    fn table(&self, rec: &mut Recording) -> (&'static str, TensorId, usize) {
        let table = self.product.table();
        let len = table.len();
        ("table", rec.table(format!("{} table", self.name()), Layout::Words, table), len)
    }

    /// Weights of this direction, packed in a way that `packing` tells from others.
    fn weight_constant(
        &self,
        rec: &mut Recording,
        label: String,
        packing: &str,
        len: usize,
        layout: Layout,
        make: impl Fn() -> Result<Vec<u32>> + Send + Sync + 'static,
    ) -> TensorId {
        let (sources, read) = self.conv.weight_identity();
        let packing = format!("{read} {} {packing}", self.product.name());
        rec.constant(label, sources, packing, len, layout, make)
    }

    /// The bias and zeros up to `len`, which is not less.
    fn bias_constant(&self, rec: &mut Recording, label: String, len: usize) -> TensorId {
        let (sources, packing) = self.conv.bias_identity();
        let conv = self.conv.clone();
        let make = move || {
            let mut padded = words(&conv.folded_bias().unwrap_or_default());
            padded.resize(len, 0);
            Ok(padded)
        };
        rec.constant(label, sources, packing, len, Layout::Words, make)
    }

    /// Bindings of the bias and the sink; what does not apply is bound to `spare`, which the kernel reads anyway.
    fn epilogue(&self, rec: &mut Recording, spare: TensorId) -> Vec<(&'static str, TensorId, usize)> {
        let mut bindings = Vec::from(self.sink.bind(spare, self.y.shape.len()));
        bindings.push(if self.has_bias() {
            let len = self.conv.w_shape[0];
            ("b", self.bias_constant(rec, format!("{} b", self.label), len), len)
        } else {
            ("b", spare, 0)
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
