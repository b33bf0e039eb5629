//! binary: `y = f(x, z)` element by element, with NumPy's broadcasting. The gradient of an operand that was repeated is the sum over its copies.

use std::sync::Arc;

use super::axes::{Axis, LONG_SUM, broadcast, count, merged, rows, workgroup_each};
use super::{Backward, Forward, Op, Saved, Tensor, countable, inputs, only, plain_constant, same, shape_error};
use crate::error::Result;
use crate::gpu::{Grid, Kernel, Recording, TensorId};
use crate::named::named;
use crate::shape::{MAX_RANK, Shape};

crate::params! {
    /// Mirrors `Params` of shaders/binary.wgsl.
    struct BinaryParams { axes: [[u32; 4]; MAX_RANK], len: u32, outer: u32, terms: u32, epilogue: u32 }
}

named! {
    /// A function of two numbers, by its name in `torch`.
    BinaryFunction {
        /// `x + z`. For two tensors of one shape, [`Add`](super::Add) is faster in a network, because convolutions absorb it.
        Add = "add",
        /// `x − z`.
        Sub = "sub",
        /// `x z`.
        Mul = "mul",
        /// `x / z`.
        Div = "div",
        /// The smaller of both. Equal operands get half of the gradient each, as in PyTorch.
        Minimum = "minimum",
        /// The larger of both; gradients as for the smaller.
        Maximum = "maximum",
        /// `x^z`; NaN if x is negative and z is not whole.
        Pow = "pow",
    }
}

impl BinaryFunction {
    fn name(self) -> &'static str {
        Self::NAMES[self as usize]
    }

    /// Whether the gradient of an operand is that of y.
    fn passes(self, operand: usize) -> bool {
        self == Self::Add || (self == Self::Sub && operand == 0)
    }
}

/// A function of two tensors of one rank, up to 6. Where an extent is 1 in one of them, that one is repeated. The first extent is the batch, and
/// both must have the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Binary(pub BinaryFunction);

/// A function of a tensor and a constant.
///
/// The constant has at most the rank of x, and is the same for every image: if it has the rank of x, its first extent is 1. As NumPy
/// broadcasts, its last axes stand over those of x, and where an extent is 1 in one of them, that one is repeated.
#[derive(Clone, Debug)]
pub struct BinaryConstant {
    /// The function.
    pub function: BinaryFunction,
    /// The elements of the constant, row-major.
    pub constant: Arc<[f32]>,
    /// The shape of the constant; no extents for a number.
    pub shape: Shape,
    /// Whether the constant is the first operand: `c − x`, and not `x − c`.
    pub first: bool,
}

impl BinaryConstant {
    /// A function of a tensor and a number: `x − c`.
    ///
    /// # Panics
    /// Never: no extents are a shape.
    pub fn number(function: BinaryFunction, constant: f32) -> Self {
        let shape = Shape::of(&[]).expect("a scalar");
        Self { function, constant: Arc::from([constant]), shape, first: false }
    }

    /// A function of a number and a tensor: `c − x`.
    pub fn number_first(function: BinaryFunction, constant: f32) -> Self {
        Self { first: true, ..Self::number(function, constant) }
    }

    /// The operands in their order, x and the constant.
    fn operands(&self, rec: &mut Recording, label: &str, x: Tensor) -> [Operand; 2] {
        let id = plain_constant(rec, format!("{label} constant"), &self.constant);
        let [x, constant] = [Operand::of(x), Operand { id, len: self.constant.len(), shape: self.shape }];
        if self.first { [constant, x] } else { [x, constant] }
    }
}

/// A tensor or a constant.
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

/// The shape of both together, as NumPy broadcasts them.
fn together(op: &str, label: &str, x: Shape, z: Shape) -> Result<Shape> {
    let extents = crate::shape::broadcast(x.extents(), z.extents());
    let extents = extents.ok_or_else(|| {
        let what = format!("x is {x} and z is {z}: along each axis, extents must be equal, or one of them 1");
        shape_error(op, label, what)
    })?;
    let y = Shape::of(&extents)?;
    countable(op, label, "y", y)?;
    Ok(y)
}

fn forward(function: BinaryFunction, cx: &mut Forward<'_>, [x, z]: [Operand; 2], y: Tensor) -> Result<Saved> {
    let label = cx.label;
    same(function.name(), label, ["y", "the output"], y.shape, together(function.name(), label, x.shape, z.shape)?)?;
    let axes = merged(broadcast(y.shape, [x.shape, z.shape, y.shape]));
    let len = y.shape.len();
    let params = BinaryParams { axes: rows(&axes), len: len as u32, outer: 0, terms: 1, epilogue: 0 };
    let kernel = Kernel::new("binary", "forward").with("FUNCTION", function as u32).with("AXES", axes.len() as u32);
    let bindings = [("x", x.id, x.len), ("z", z.id, z.len), y.bind("y")];
    cx.rec.dispatch(label, kernel, &bindings, &params, Grid::Each(len), len as u64)?;
    Ok(Saved::new())
}

/// The gradient of an input of the node, which is operand number `operand`.
fn backward(
    function: BinaryFunction,
    cx: &mut Backward<'_>,
    input: usize,
    operands: [Operand; 2],
    operand: usize,
) -> Result<()> {
    let (dy, label, [x, z], of) = (cx.dy, cx.label, operands, operands[operand].shape);
    same(function.name(), label, ["dy", "the output"], dy.shape, together(function.name(), label, x.shape, z.shape)?)?;
    if function.passes(operand) && of == dy.shape {
        return cx.deliver(input, dy);
    }
    let (dx, epilogue) = cx.gradient(input);
    same(function.name(), label, ["dx", "x"], dx.shape, of)?;
    let axes = broadcast(dy.shape, [x.shape, z.shape, dy.shape]);
    // The operand has the last axes of y, and is repeated along those where it has 1 and y has not.
    let before = dy.shape.rank() - of.rank();
    let repeated = |axis: usize| axis < before || of.extents()[axis - before] != dy.shape.extents()[axis];
    let part = |inner: bool| merged((0..axes.len()).filter(|&axis| repeated(axis) == inner).map(|axis| axes[axis]));
    let (outer, inner): (Vec<Axis>, Vec<Axis>) = (part(false), part(true));
    let (len, terms) = (dx.shape.len(), count(&inner));
    let all = [&outer[..], &inner].concat();
    let params = BinaryParams {
        axes: rows(&all),
        len: len as u32,
        outer: outer.len() as u32,
        terms: terms as u32,
        epilogue: epilogue.flags(),
    };
    let (entry, grid) =
        if terms > LONG_SUM { ("backward_long", workgroup_each(len)) } else { ("backward", Grid::Each(len)) };
    let kernel = Kernel::new("binary", entry)
        .with("FUNCTION", function as u32)
        .with("OPERAND", operand as u32)
        .with("AXES", all.len() as u32);
    let [add, mask] = epilogue.bind(dy.id, len);
    let bindings = [("x", x.id, x.len), ("z", z.id, z.len), dy.bind("dy"), dx.bind("dx"), add, mask];
    cx.rec.dispatch(label, kernel, &bindings, &params, grid, 2 * dy.shape.len() as u64)
}

impl Op for Binary {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn output(&self, label: &str, xs: &[Shape]) -> Result<Shape> {
        let [x, z] = inputs(self.name(), label, xs)?;
        if x.rank() != z.rank() || x.extents().first() != z.extents().first() {
            let what = format!("x is {x} and z is {z}: two tensors must have one rank and one batch, the first extent");
            return Err(shape_error(self.name(), label, what));
        }
        together(self.name(), label, x, z)
    }

    /// `y = f(x, z)`. x and z: `[N,…]`, of extents that are equal or 1.
    fn forward(&self, cx: &mut Forward<'_>, xs: &[Tensor], y: Tensor) -> Result<Saved> {
        let [x, z] = inputs(self.name(), cx.label, xs)?;
        self.output(cx.label, &[x.shape, z.shape])?;
        forward(self.0, cx, [x, z].map(Operand::of), y)
    }

    /// `dx = Σ dy ∂f/∂x` over the elements of y for which x was read, and dz likewise.
    fn backward(&self, cx: &mut Backward<'_>) -> Result<()> {
        let [x, z] = inputs(self.name(), cx.label, cx.xs)?;
        self.output(cx.label, &[x.shape, z.shape])?;
        (0..2).try_for_each(|input| backward(self.0, cx, input, [x, z].map(Operand::of), input))
    }
}

impl Op for BinaryConstant {
    fn name(&self) -> &str {
        self.function.name()
    }

    fn output(&self, label: &str, xs: &[Shape]) -> Result<Shape> {
        let (x, name) = (only(self.name(), label, xs)?, self.name());
        if self.constant.len() != self.shape.len() {
            let (shape, len) = (self.shape, self.constant.len());
            return Err(shape_error(name, label, format!("the constant is {shape}, but has {len} elements")));
        }
        let shared =
            self.shape.rank() < x.rank() || (self.shape.rank() == x.rank() && self.shape.with_batch(1) == self.shape);
        if !shared {
            let what = format!("the constant is {}, but must be the same for every image of x, {x}", self.shape);
            return Err(shape_error(name, label, what));
        }
        together(name, label, x, self.shape)
    }

    /// `y = f(x, c)` or `f(c, x)`. x: `[N,…]`.
    fn forward(&self, cx: &mut Forward<'_>, xs: &[Tensor], y: Tensor) -> Result<Saved> {
        let x = only(self.name(), cx.label, xs)?;
        self.output(cx.label, &[x.shape])?;
        let operands = self.operands(cx.rec, cx.label, x);
        forward(self.function, cx, operands, y)
    }

    /// `dx = Σ dy ∂f/∂x`. The constant has no gradient.
    fn backward(&self, cx: &mut Backward<'_>) -> Result<()> {
        let x = only(self.name(), cx.label, cx.xs)?;
        self.output(cx.label, &[x.shape])?;
        let operands = self.operands(cx.rec, cx.label, x);
        backward(self.function, cx, 0, operands, usize::from(self.first))
    }
}
