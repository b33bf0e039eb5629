//! binary: y = f(x, z) with NumPy's broadcasting; dx = Σ dy ∂f/∂x and dz = Σ dy ∂f/∂z, over the y for which the element was read.

use super::nd::{Nd, broadcast};

/// f, ∂f/∂x and ∂f/∂z.
pub(crate) struct Function {
    pub(crate) name: &'static str,
    pub(crate) f: fn(f64, f64) -> f64,
    pub(crate) by: [fn(f64, f64) -> f64; 2],
    /// The x and z for which to compare.
    pub(crate) ranges: [[f64; 2]; 2],
    /// How far one value may be off, in units of f32's rounding; 0 is exact.
    pub(crate) k: f64,
}

const ALL: [f64; 2] = [-2.0, 2.0];
const POSITIVE: [f64; 2] = [0.25, 2.0];

/// The step at which of two numbers is larger: ½ where they are equal.
fn larger(a: f64, b: f64) -> f64 {
    if a == b { 0.5 } else { f64::from(a > b) }
}

pub(crate) const FUNCTIONS: [Function; 7] = [
    Function { name: "add", f: |x, z| x + z, by: [|_, _| 1.0, |_, _| 1.0], ranges: [ALL, ALL], k: 0.0 },
    Function { name: "sub", f: |x, z| x - z, by: [|_, _| 1.0, |_, _| -1.0], ranges: [ALL, ALL], k: 0.0 },
    Function { name: "mul", f: |x, z| x * z, by: [|_, z| z, |x, _| x], ranges: [ALL, ALL], k: 0.0 },
    // WGSL allows a division an error of two and a half units.
    Function { name: "div", f: |x, z| x / z, by: [|_, z| 1.0 / z, |x, z| -x / z / z], ranges: [ALL, POSITIVE], k: 6.0 },
    Function { name: "minimum", f: f64::min, by: [|x, z| larger(z, x), larger], ranges: [ALL, ALL], k: 0.0 },
    Function { name: "maximum", f: f64::max, by: [larger, |x, z| larger(z, x)], ranges: [ALL, ALL], k: 0.0 },
    // exp2 of a product with log2.
    Function {
        name: "pow",
        f: f64::powf,
        by: [|x, z| z * x.powf(z - 1.0), |x, z| x.powf(z) * x.ln()],
        ranges: [POSITIVE, ALL],
        k: 64.0,
    },
];

pub(crate) fn forward(function: &Function, x: &Nd, z: &Nd) -> Nd {
    let shape = broadcast(&x.shape, &z.shape);
    let mut y = Nd::filled(&shape, 0.0);
    for (i, index) in y.indices().iter().enumerate() {
        y.data[i] = (function.f)(x.data[x.at(index)], z.data[z.at(index)]);
    }
    y
}

/// dx and dz.
pub(crate) fn backward(function: &Function, dy: &Nd, x: &Nd, z: &Nd) -> [Nd; 2] {
    let mut gradients = [x, z].map(|of| Nd::filled(&of.shape, 0.0));
    for (i, index) in dy.indices().iter().enumerate() {
        let [a, b] = [x.at(index), z.at(index)];
        for (operand, at) in [a, b].into_iter().enumerate() {
            gradients[operand].data[at] += dy.data[i] * (function.by[operand])(x.data[a], z.data[b]);
        }
    }
    gradients
}

/// Σ |dy ∂f/∂x| for each element of x, likewise for z: what rounding errors are measured by.
pub(crate) fn magnitude(function: &Function, dy: &Nd, x: &Nd, z: &Nd) -> [Nd; 2] {
    let mut sizes = [x, z].map(|of| Nd::filled(&of.shape, 0.0));
    for (i, index) in dy.indices().iter().enumerate() {
        let [a, b] = [x.at(index), z.at(index)];
        for (operand, at) in [a, b].into_iter().enumerate() {
            sizes[operand].data[at] += (dy.data[i] * (function.by[operand])(x.data[a], z.data[b])).abs();
        }
    }
    sizes
}
