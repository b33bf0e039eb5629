//! matmul: products of matrices, with batches before them. Both gradients are products too, with an operand transposed.

use std::sync::Arc;

use super::axes::{Axis, broadcast, count, merged, rows};
use super::{
    Backward, Forward, GradEpilogue, Op, Saved, Tensor, countable, inputs, only, plain_constant, same, shape_error,
};
use crate::error::Result;
use crate::gpu::{Grid, Kernel, MAX_WORKGROUPS, Recording, TensorId};
use crate::shape::{MAX_RANK, Shape};

crate::params! {
    /// Mirrors `Params` of shaders/matmul.wgsl.
    struct MatMulParams {
        axes: [[u32; 4]; MAX_RANK], outer: u32, repeats: u32, m: u32, n: u32, k: u32, x_row: u32, x_col: u32, z_row: u32,
        z_col: u32, epilogue: u32, first_batch: u32, unused: u32,
    }
}

/// `torch.matmul` of two tensors of one rank from 3 to 6, in buffers: `[N,…,M,K]` and `[N,…,K,L]`. Both have the same batch N; the extents between
/// it and the matrices are equal, or 1 in one of them, which is then repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct MatMul;

/// `torch.matmul` of a tensor and a constant, in buffers: `x c`, or `c x`.
///
/// x is `[N,…,M,K]`, or `[N,K]` if it is the first operand. The constant is a matrix, or has matrices for the extents before those of x, as many as
/// NumPy's broadcasting gives it, but is the same for every image.
#[derive(Clone, Debug)]
pub struct MatMulConstant {
    /// The elements of the constant, row-major.
    pub constant: Arc<[f32]>,
    /// Its shape, `[…,K,L]`.
    pub shape: Shape,
    /// Whether the constant is the first operand.
    pub first: bool,
}

/// A tensor or a constant, as matrices.
#[derive(Clone, Copy)]
struct Operand {
    id: TensorId,
    len: usize,
    shape: Shape,
}

impl Operand {
    fn of(x: Tensor) -> Self {
        let (_, id, len) = x.bind("operand");
        Self { id, len, shape: x.shape }
    }
}

/// The extents before the last two, and these.
fn split(shape: Shape) -> Option<(Shape, [usize; 2])> {
    let (batch, matrix) = shape.extents().split_last_chunk::<2>()?;
    Some((Shape::of(batch).ok()?, *matrix))
}

/// The product, with the batches of the operands that are matrices.
struct Product {
    batch: Shape,
    operands: [(Shape, [usize; 2]); 2],
}

impl Product {
    fn of(label: &str, x: Shape, z: Shape) -> Result<Self> {
        let wrong = || shape_error("matmul", label, format!("x is {x} and z is {z}: these have no product"));
        countable("matmul", label, "x", x)?;
        countable("matmul", label, "z", z)?;
        let operands = [split(x).ok_or_else(wrong)?, split(z).ok_or_else(wrong)?];
        let [(a, [_, inner]), (b, [other, _])] = operands;
        let rank = a.rank().max(b.rank());
        let extent = |of: Shape, axis: usize| (axis + of.rank()).checked_sub(rank).map_or(1, |axis| of.extents()[axis]);
        let extents: Option<Vec<usize>> = (0..rank)
            .map(|axis| {
                let (a, b) = (extent(a, axis), extent(b, axis));
                (a == b || a == 1 || b == 1).then_some(if a == 1 { b } else { a })
            })
            .collect();
        match extents {
            Some(extents) if inner == other => Ok(Self { batch: Shape::of(&extents)?, operands }),
            _ => Err(wrong()),
        }
    }

    fn output(&self, label: &str) -> Result<Shape> {
        let [(_, [m, _]), (_, [_, n])] = self.operands;
        let y = Shape::of(&[self.batch.extents(), &[m, n]].concat())?;
        countable("matmul", label, "y", y)?;
        Ok(y)
    }
}

/// One product: `to[b,m,n] = Σ x[b,m,k] z[b,k,n]`, over k and over the axes `repeated`.
struct Dispatch {
    outer: Vec<Axis>,
    repeated: Vec<Axis>,
    size: [usize; 3],
    x_strides: [usize; 2],
    z_strides: [usize; 2],
}

impl Dispatch {
    fn record(
        &self,
        rec: &mut Recording,
        label: &str,
        [x, z]: [(TensorId, usize); 2],
        (to, epilogue): (Tensor, GradEpilogue),
    ) -> Result<()> {
        let [m, n, k] = self.size;
        let axes = [&self.outer[..], &self.repeated].concat();
        let [add, mask] = epilogue.bind(x.0, to.shape.len());
        let bindings = [("x", x.0, x.1), ("z", z.0, z.1), to.bind("y"), add, mask];
        let (batches, repeats) = (count(&self.outer), count(&self.repeated));
        let flops = 2 * (batches * m * n) as u64 * (repeats * k) as u64;
        // A dispatch has no more workgroups along an axis.
        for first in (0..batches).step_by(MAX_WORKGROUPS) {
            let here = (batches - first).min(MAX_WORKGROUPS);
            let params = MatMulParams {
                axes: rows(&axes),
                outer: self.outer.len() as u32,
                repeats: repeats as u32,
                m: m as u32,
                n: n as u32,
                k: k as u32,
                x_row: self.x_strides[0] as u32,
                x_col: self.x_strides[1] as u32,
                z_row: self.z_strides[0] as u32,
                z_col: self.z_strides[1] as u32,
                epilogue: epilogue.flags(),
                first_batch: first as u32,
                unused: 0,
            };
            let grid = Grid::Workgroups([n.div_ceil(TILE), m.div_ceil(TILE), here]);
            let kernel = Kernel::new("matmul", "multiply").with("AXES", axes.len() as u32);
            rec.dispatch(label, kernel, &bindings, &params, grid, flops * here as u64 / batches as u64)?;
        }
        Ok(())
    }
}

/// The side of a workgroup's tile, `TILE` of shaders/matmul.wgsl.
const TILE: usize = 32;

/// The axes of batches, with the strides in two tensors whose matrices have these many elements.
fn batches(whole: Shape, parts: [(Shape, usize); 2]) -> Vec<Axis> {
    let [(a, a_len), (b, b_len)] = parts;
    let mut axes = broadcast(whole, [a, b, b]);
    for axis in &mut axes {
        let [a, b, _] = axis.strides;
        axis.strides = [a * a_len, b * b_len, 0];
    }
    axes
}

fn forward(cx: &mut Forward<'_>, [x, z]: [Operand; 2], y: Tensor) -> Result<Saved> {
    let product = Product::of(cx.label, x.shape, z.shape)?;
    same("matmul", cx.label, ["y", "the output"], y.shape, product.output(cx.label)?)?;
    let [(a, [mut m, k]), (b, [_, n])] = product.operands;
    let mut outer = merged(batches(product.batch, [(a, m * k), (b, k * n)]));
    // One matrix for all: the rows of all batches are those of one product.
    if let [Axis { extent, strides: [_, 0, _] }] = outer[..] {
        m *= extent;
        outer.clear();
    }
    let dispatch = Dispatch { outer, repeated: Vec::new(), size: [m, n, k], x_strides: [k, 1], z_strides: [n, 1] };
    dispatch.record(cx.rec, cx.label, [x, z].map(|t| (t.id, t.len)), (y, GradEpilogue::default()))?;
    Ok(Saved::new())
}

/// `dx = dy zᵀ` or `dz = xᵀ dy`, summed over the batches along which the operand was repeated.
fn backward(cx: &mut Backward<'_>, input: usize, operands: [Operand; 2], operand: usize) -> Result<()> {
    let ([x, z], dy, label) = (operands, cx.dy, cx.label);
    let product = Product::of(label, x.shape, z.shape)?;
    same("matmul", label, ["dy", "the output"], dy.shape, product.output(label)?)?;
    let (dx, epilogue) = cx.gradient(input);
    same("matmul", label, ["dx", "x"], dx.shape, operands[operand].shape)?;
    let [(a, [m, k]), (b, [_, n])] = product.operands;
    let (own, batch) = (if operand == 0 { a } else { b }, product.batch);
    let before = batch.rank() - own.rank();
    let is_repeated = |axis: usize| axis < before || own.extents()[axis - before] != batch.extents()[axis];
    let axes = if operand == 0 {
        batches(batch, [(batch, m * n), (b, k * n)])
    } else {
        batches(batch, [(a, m * k), (batch, m * n)])
    };
    let part =
        |repeated: bool| merged((0..axes.len()).filter(|&axis| is_repeated(axis) == repeated).map(|axis| axes[axis]));
    let (mut outer, repeated) = (part(false), part(true));
    let mut rows = m;
    if let (0, [Axis { extent, strides: [_, 0, _] }], []) = (operand, &outer[..], &repeated[..]) {
        rows *= *extent;
        outer.clear();
    }
    let dy_part = (dy.id, dy.shape.len());
    let (dispatch, operands) = if operand == 0 {
        // dx[m,k] = Σ_n dy[m,n] z[k,n].
        let (size, x_strides, z_strides) = ([rows, k, n], [n, 1], [1, n]);
        (Dispatch { outer, repeated, size, x_strides, z_strides }, [dy_part, (z.id, z.len)])
    } else {
        // dz[k,n] = Σ_m x[m,k] dy[m,n].
        let (size, x_strides, z_strides) = ([k, n, m], [1, k], [n, 1]);
        (Dispatch { outer, repeated, size, x_strides, z_strides }, [(x.id, x.len), dy_part])
    };
    dispatch.record(cx.rec, label, operands, (dx, epilogue))
}

impl Op for MatMul {
    fn name(&self) -> &str {
        "matmul"
    }

    fn output(&self, label: &str, xs: &[Shape]) -> Result<Shape> {
        let [x, z] = inputs(self.name(), label, xs)?;
        if x.rank() != z.rank() || x.rank() < 3 || x.extents()[0] != z.extents()[0] {
            let what =
                format!("x is {x} and z is {z}: both must have one rank, 3 at least, and one batch, the first extent");
            return Err(shape_error("matmul", label, what));
        }
        Product::of(label, x, z)?.output(label)
    }

    /// `y[…,m,l] = Σ_k x[…,m,k] z[…,k,l]`.
    fn forward(&self, cx: &mut Forward<'_>, xs: &[Tensor], y: Tensor) -> Result<Saved> {
        let [x, z] = inputs(self.name(), cx.label, xs)?;
        self.output(cx.label, &[x.shape, z.shape])?;
        forward(cx, [x, z].map(Operand::of), y)
    }

    /// `dx = dy zᵀ`, `dz = xᵀ dy`.
    fn backward(&self, cx: &mut Backward<'_>) -> Result<()> {
        let [x, z] = inputs(self.name(), cx.label, cx.xs)?;
        self.output(cx.label, &[x.shape, z.shape])?;
        (0..2).try_for_each(|input| backward(cx, input, [x, z].map(Operand::of), input))
    }
}

impl MatMulConstant {
    /// The operands in their order.
    fn operands(&self, rec: &mut Recording, label: &str, x: Tensor) -> [Operand; 2] {
        let id = plain_constant(rec, format!("{label} constant"), &self.constant);
        let [x, constant] = [Operand::of(x), Operand { id, len: self.constant.len(), shape: self.shape }];
        if self.first { [constant, x] } else { [x, constant] }
    }
}

impl Op for MatMulConstant {
    fn name(&self) -> &str {
        "matmul"
    }

    fn output(&self, label: &str, xs: &[Shape]) -> Result<Shape> {
        let (x, c) = (only(self.name(), label, xs)?, self.shape);
        if self.constant.len() != c.len() {
            let what = format!("the constant is {c}, but has {} elements", self.constant.len());
            return Err(shape_error("matmul", label, what));
        }
        // The batch must not be a row that the constant multiplies, and the constant must not have one.
        let least = if self.first { 3 } else { 2 };
        let shared = c.rank() < x.rank() || (c.rank() == x.rank() && (c.rank() == 2 || c.with_batch(1) == c));
        if x.rank() < least || !shared {
            let what = format!("x is {x} and the constant {c}, which must be the same for every image");
            return Err(shape_error("matmul", label, what));
        }
        let [x, z] = if self.first { [c, x] } else { [x, c] };
        Product::of(label, x, z)?.output(label)
    }

    /// `y[…,m,l] = Σ_k x[…,m,k] c[…,k,l]`, or of `c x`.
    fn forward(&self, cx: &mut Forward<'_>, xs: &[Tensor], y: Tensor) -> Result<Saved> {
        let x = only(self.name(), cx.label, xs)?;
        self.output(cx.label, &[x.shape])?;
        let operands = self.operands(cx.rec, cx.label, x);
        forward(cx, operands, y)
    }

    /// `dx = dy cᵀ`, or `cᵀ dy`.
    fn backward(&self, cx: &mut Backward<'_>) -> Result<()> {
        let x = only(self.name(), cx.label, cx.xs)?;
        self.output(cx.label, &[x.shape])?;
        let operands = self.operands(cx.rec, cx.label, x);
        backward(cx, 0, operands, usize::from(self.first))
    }
}
