//! Activations: y = f(x) for every element; dx = dy·f'(x).

use super::Tensor;

/// One activation.
pub(crate) struct Activation {
    /// Its op's name.
    pub(crate) name: &'static str,
    f: fn(f64) -> f64,
    /// f'.
    df: fn(f64) -> f64,
    /// How far the adapter may be off, in units of f32's rounding of the terms; 0 is exact.
    pub(crate) k: f64,
    /// The x for which to compare.
    pub(crate) range: [f64; 2],
}

const fn of(name: &'static str, k: f64, f: fn(f64) -> f64, df: fn(f64) -> f64) -> Activation {
    Activation { name, f, df, k, range: [-4.0, 4.0] }
}

/// Where f has no value for negative x, or none at 0.
const fn of_positive(name: &'static str, k: f64, f: fn(f64) -> f64, df: fn(f64) -> f64) -> Activation {
    Activation { range: [0.25, 4.0], ..of(name, k, f, df) }
}

/// exp errs by 3 + 2|x| units at most, which is 11 for the |x| up to 4 of the cases; a division and three operations more.
const EXP: f64 = 16.0;

/// All, by name.
pub(crate) const ACTIVATIONS: &[Activation] = &[
    of("relu", 0.0, |x| x.max(0.0), |x| if x > 0.0 { 1.0 } else { 0.0 }),
    of(
        "silu",
        EXP,
        |x| x / (1.0 + (-x).exp()),
        |x| {
            let s = 1.0 / (1.0 + (-x).exp());
            s * (1.0 + x * (1.0 - s))
        },
    ),
    of("relu6", 0.0, |x| x.clamp(0.0, 6.0), |x| if x > 0.0 && x < 6.0 { 1.0 } else { 0.0 }),
    of("clamp", 0.0, |x| x.clamp(-1.0, 1.0), |x| f64::from(x > -1.0 && x < 1.0)),
    of("leaky_relu", 1.0, |x| leaky_relu(x, 0.01), |x| if x > 0.0 { 1.0 } else { f64::from(0.01f32) }),
    of("elu", EXP, |x| elu(x, 1.0), |x| if x > 0.0 { 1.0 } else { x.exp() }),
    of("celu", EXP, |x| elu(x, 1.0), |x| if x > 0.0 { 1.0 } else { x.exp() }),
    of(
        "selu",
        EXP,
        |x| 1.0507009873554805 * elu(x, 1.6732632423543772),
        |x| 1.0507009873554805 * if x > 0.0 { 1.0 } else { 1.6732632423543772 * x.exp() },
    ),
    of("sigmoid", EXP, sigmoid, |x| sigmoid(x) * (1.0 - sigmoid(x))),
    of("hardsigmoid", 2.0, |x| (x / 6.0 + 0.5).clamp(0.0, 1.0), |x| if x > -3.0 && x < 3.0 { 1.0 / 6.0 } else { 0.0 }),
    of(
        "hardswish",
        2.0,
        |x| x * (x / 6.0 + 0.5).clamp(0.0, 1.0),
        |x| if x > -3.0 && x < 3.0 { x / 3.0 + 0.5 } else { f64::from(x >= 3.0) },
    ),
    // A series of eleven terms, and a product.
    of("gelu", 8.0, |x| x * normal(x), |x| normal(x) + x * (-0.5 * x * x).exp() / (2.0 * std::f64::consts::PI).sqrt()),
    of(
        "gelu_tanh",
        EXP,
        |x| 0.5 * x * (1.0 + inner(x).tanh()),
        |x| {
            let t = inner(x).tanh();
            let slope = (2.0 / std::f64::consts::PI).sqrt() * (1.0 + 3.0 * 0.044715 * x * x);
            // Far from zero the slope of tanh vanishes, however large x³ is.
            0.5 * (1.0 + t) + if t.abs() < 1.0 { 0.5 * x * (1.0 - t * t) * slope } else { 0.0 }
        },
    ),
    of("tanh", EXP, f64::tanh, |x| 1.0 - x.tanh() * x.tanh()),
    of("softplus", EXP, softplus, sigmoid),
    of(
        "mish",
        EXP,
        |x| x * softplus(x).tanh(),
        |x| {
            let t = softplus(x).tanh();
            t + x * (1.0 - t * t) * sigmoid(x)
        },
    ),
    of("exp", EXP, f64::exp, f64::exp),
    // WGSL allows log an absolute error of 2⁻²¹ near 1, four units.
    of_positive("log", 8.0, f64::ln, |x| 1.0 / x),
    of_positive("sqrt", 4.0, f64::sqrt, |x| 0.5 / x.sqrt()),
    of("abs", 0.0, f64::abs, |x| if x == 0.0 { 0.0 } else { x.signum() }),
    of("neg", 0.0, |x| -x, |_| -1.0),
    of_positive("reciprocal", 4.0, |x| 1.0 / x, |x| -1.0 / (x * x)),
    of("erf", 8.0, libm::erf, |x| 2.0 / std::f64::consts::PI.sqrt() * (-x * x).exp()),
    of("pow", 2.0, |x| x * x, |x| 2.0 * x),
];

/// Activations with other parameters than those of [`ACTIVATIONS`].
pub(crate) const WITH_PARAMETERS: &[Activation] = &[
    of("clamp from -0.5 to 2.25", 0.0, |x| x.clamp(-0.5, 2.25), |x| f64::from(x > -0.5 && x < 2.25)),
    of("clamp from 0", 0.0, |x| x.max(0.0), |x| f64::from(x > 0.0)),
    of("clamp to 1", 0.0, |x| x.min(1.0), |x| f64::from(x < 1.0)),
    of("clamp from 2 to 1", 0.0, |_| 1.0, |_| 0.0),
    of("leaky_relu of 0.25", 1.0, |x| leaky_relu(x, 0.25), |x| if x > 0.0 { 1.0 } else { 0.25 }),
    of("elu of 0.5", EXP, |x| elu(x, 0.5), |x| if x > 0.0 { 1.0 } else { 0.5 * x.exp() }),
    of("celu of 2", EXP, |x| 2.0 * elu(x / 2.0, 1.0), |x| if x > 0.0 { 1.0 } else { (x / 2.0).exp() }),
    of(
        "hardsigmoid of 0.25 and 0.375",
        2.0,
        |x| (0.25 * x + 0.375).clamp(0.0, 1.0),
        |x| if x > -1.5 && x < 2.5 { 0.25 } else { 0.0 },
    ),
    of("softplus of 2", EXP, |x| softplus(2.0 * x) / 2.0, |x| sigmoid(2.0 * x)),
    of("pow of 3", 4.0, |x| x * x * x, |x| 3.0 * x * x),
    of("pow of 0", 0.0, |_| 1.0, |_| 0.0),
    of("pow of 1", 1.0, |x| x, |_| 1.0),
    of_positive("pow of -2", 8.0, |x| 1.0 / (x * x), |x| -2.0 / (x * x * x)),
    // pow is exp2 of a product with log2: its error grows with both.
    of_positive("pow of 0.5", 64.0, f64::sqrt, |x| 0.5 / x.sqrt()),
    of_positive("pow of 2.5", 64.0, |x| x.powf(2.5), |x| 2.5 * x.powf(1.5)),
];

fn leaky_relu(x: f64, slope: f32) -> f64 {
    if x > 0.0 { x } else { f64::from(slope) * x }
}

fn elu(x: f64, alpha: f64) -> f64 {
    if x > 0.0 { x } else { alpha * x.exp_m1() }
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

/// The distribution function of the normal distribution.
fn normal(x: f64) -> f64 {
    0.5 * libm::erfc(-x / 2f64.sqrt())
}

/// What gelu_tanh takes the tanh of.
fn inner(x: f64) -> f64 {
    (2.0 / std::f64::consts::PI).sqrt() * (x + 0.044715 * x * x * x)
}

impl Activation {
    pub(crate) fn forward(&self, x: &Tensor) -> Tensor {
        x.map(self.f)
    }

    pub(crate) fn backward(&self, dy: &Tensor, x: &Tensor) -> Tensor {
        dy.zip(x, |dy, x| dy * (self.df)(x))
    }
}
