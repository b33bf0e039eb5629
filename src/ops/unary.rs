//! unary: `y = f(x)`, `dx = dy · f'(x)` for every element. The formulas of f and f' stand in shaders/lib/unary.wgsl.

use super::{Backward, Format, Formats, Forward, GradEpilogue, Op, Saved, Tensor, only, same, texels};
use crate::error::Result;
use crate::gpu::{Grid, Kernel};
use crate::named::named;
use crate::shape::Shape;

crate::params! {
    /// Mirrors `Params` of shaders/unary.wgsl.
    struct UnaryParams { len: u32, a: f32, b: f32, epilogue: u32 }
}

crate::params! {
    /// Mirrors `Params` of shaders/unary_texels.wgsl.
    struct UnaryTexelsParams { channels: u32, quads: u32, plane: u32, a: f32, b: f32 }
}

named! {
    /// A function of one number, by its name in `torch.nn.functional` or `torch`. a and b are the parameters of [`Unary`].
    UnaryFunction {
        /// `min(max(x, 0), 6)`. The gradient is zero at 0 and at 6, as that of `relu6` and `hardtanh`.
        Relu6 = "relu6",
        /// `min(max(x, a), b)`. The gradient is zero at a and at b, as that of `torch.clamp` since PyTorch 2.15; older versions let it pass.
        Clamp = "clamp",
        /// x, or `a x` where x is negative.
        LeakyRelu = "leaky_relu",
        /// x, or `a (exp(x) − 1)` where x is negative.
        Elu = "elu",
        /// x, or `a (exp(x/a) − 1)` where x is negative.
        Celu = "celu",
        /// `1.0507 x`, or `1.0507 · 1.6733 (exp(x) − 1)` where x is negative.
        Selu = "selu",
        /// `1 / (1 + exp(−x))`.
        Sigmoid = "sigmoid",
        /// `min(max(a x + b, 0), 1)`. a and b are 1/6 and 1/2 in PyTorch, and 0.2 and 1/2 if ONNX does not say otherwise.
        Hardsigmoid = "hardsigmoid",
        /// `x min(max(x/6 + 1/2, 0), 1)`. The gradient is 0 at −3 and 1 at 3.
        Hardswish = "hardswish",
        /// `x (1 + erf(x/√2)) / 2`.
        Gelu = "gelu",
        /// `x (1 + tanh(√(2/π) (x + 0.044715 x³))) / 2`: `gelu` with `approximate="tanh"`.
        GeluTanh = "gelu_tanh",
        /// `tanh(x)`.
        Tanh = "tanh",
        /// `log(1 + exp(a x)) / a`, for every x: f32 makes no use of PyTorch's threshold of 20.
        Softplus = "softplus",
        /// `x tanh(log(1 + exp(x)))`.
        Mish = "mish",
        /// `exp(x)`.
        Exp = "exp",
        /// `log(x)`.
        Log = "log",
        /// `√x`.
        Sqrt = "sqrt",
        /// `|x|`, whose gradient is 0 at 0.
        Abs = "abs",
        /// `−x`.
        Neg = "neg",
        /// `1/x`.
        Reciprocal = "reciprocal",
        /// `2/√π ∫ exp(−t²) dt` from 0 to x.
        Erf = "erf",
        /// `x^a`; NaN if x is negative and a is not whole.
        Pow = "pow",
    }
}

/// A function of every element, over a tensor of any shape.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Unary {
    /// The function.
    pub function: UnaryFunction,
    /// Its first parameter, which most functions ignore.
    pub a: f32,
    /// Its second parameter.
    pub b: f32,
}

impl Unary {
    /// A function with the parameters that PyTorch takes if none are given. Without limits `clamp` is the identity, and so is `pow`.
    pub const fn new(function: UnaryFunction) -> Self {
        let [a, b] = match function {
            UnaryFunction::Clamp => [f32::NEG_INFINITY, f32::INFINITY],
            UnaryFunction::LeakyRelu => [0.01, 0.0],
            UnaryFunction::Elu | UnaryFunction::Celu | UnaryFunction::Softplus | UnaryFunction::Pow => [1.0, 0.0],
            UnaryFunction::Hardsigmoid => [1.0 / 6.0, 0.5],
            _ => [0.0; 2],
        };
        Self { function, a, b }
    }

    /// `torch.clamp(x, min, max)`. If `min` is more than `max`, y is `max` everywhere.
    pub const fn clamp(min: f32, max: f32) -> Self {
        Self { function: UnaryFunction::Clamp, a: min, b: max }
    }

    /// `torch.nn.functional.leaky_relu(x, slope)`.
    pub const fn leaky_relu(slope: f32) -> Self {
        Self { function: UnaryFunction::LeakyRelu, a: slope, b: 0.0 }
    }

    /// `torch.nn.functional.elu(x, alpha)`.
    pub const fn elu(alpha: f32) -> Self {
        Self { function: UnaryFunction::Elu, a: alpha, b: 0.0 }
    }

    /// `torch.nn.functional.celu(x, alpha)`.
    pub const fn celu(alpha: f32) -> Self {
        Self { function: UnaryFunction::Celu, a: alpha, b: 0.0 }
    }

    /// `min(max(alpha x + beta, 0), 1)`, as ONNX has it.
    pub const fn hardsigmoid(alpha: f32, beta: f32) -> Self {
        Self { function: UnaryFunction::Hardsigmoid, a: alpha, b: beta }
    }

    /// `torch.nn.functional.softplus(x, beta)`.
    pub const fn softplus(beta: f32) -> Self {
        Self { function: UnaryFunction::Softplus, a: beta, b: 0.0 }
    }

    /// `torch.pow(x, exponent)`.
    pub const fn pow(exponent: f32) -> Self {
        Self { function: UnaryFunction::Pow, a: exponent, b: 0.0 }
    }

    fn kernel(self, file: &'static str, entry: &'static str) -> Kernel {
        Kernel::new(file, entry).with("FUNCTION", self.function as u32)
    }

    fn params(self, x: Tensor, epilogue: GradEpilogue) -> UnaryParams {
        UnaryParams { len: x.shape.len() as u32, a: self.a, b: self.b, epilogue: epilogue.flags() }
    }

    fn texels_params(self, x: Tensor) -> UnaryTexelsParams {
        let texels::PlaneParams { quads, plane } = texels::PlaneParams::of(x);
        UnaryTexelsParams { channels: x.shape.c() as u32, quads, plane, a: self.a, b: self.b }
    }
}

impl Op for Unary {
    fn name(&self) -> &str {
        UnaryFunction::NAMES[self.function as usize]
    }

    fn output(&self, label: &str, xs: &[Shape]) -> Result<Shape> {
        only(self.name(), label, xs)
    }

    fn forward(&self, cx: &mut Forward<'_>, xs: &[Tensor], y: Tensor) -> Result<Saved> {
        let (x, label) = (only(self.name(), cx.label, xs)?, cx.label);
        same(self.name(), label, ["x", "y"], x.shape, y.shape)?;
        let (bindings, len) = ([x.bind("x"), y.bind("y")], x.shape.len());
        if x.format == Format::Texels {
            let (kernel, params) = (self.kernel("unary_texels", "forward"), self.texels_params(x));
            cx.rec.dispatch(label, kernel, &bindings, &params, texels::grid(x), 4 * len as u64)?;
        } else {
            let (kernel, params) = (self.kernel("unary", "forward"), self.params(x, GradEpilogue::default()));
            cx.rec.dispatch(label, kernel, &bindings, &params, Grid::Each(len), 4 * len as u64)?;
        }
        Ok(Saved::new())
    }

    fn backward(&self, cx: &mut Backward<'_>) -> Result<()> {
        let (x, dy, label) = (only(self.name(), cx.label, cx.xs)?, cx.dy, cx.label);
        let (dx, epilogue) = cx.gradient(0);
        same(self.name(), label, ["x", "dx"], x.shape, dx.shape)?;
        same(self.name(), label, ["dy", "dx"], dy.shape, dx.shape)?;
        let (len, [add, mask]) = (dx.shape.len(), epilogue.bind(x.id, dx.stored_len()));
        if x.format == Format::Texels {
            let kernel = self.kernel("unary_texels", "backward").with("EPILOGUE", epilogue.flags());
            let bindings = [x.bind("x"), dy.bind("dy"), dx.bind("y"), add, mask];
            let grid = texels::grid(x);
            return cx.rec.dispatch(label, kernel, &bindings, &self.texels_params(x), grid, 8 * len as u64);
        }
        let bindings = [x.bind("x"), dy.bind("dy"), dx.bind("dx"), add, mask];
        let (kernel, params) = (self.kernel("unary", "backward"), self.params(x, epilogue));
        cx.rec.dispatch(label, kernel, &bindings, &params, Grid::Each(len), 8 * len as u64)
    }

    fn formats(&self, _in_place: bool) -> Formats {
        Formats::alike(true)
    }
}
