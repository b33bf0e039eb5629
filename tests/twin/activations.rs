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
}

/// All, by name.
pub(crate) const ACTIVATIONS: &[Activation] = &[
    Activation { name: "relu", f: |x| x.max(0.0), df: |x| if x > 0.0 { 1.0 } else { 0.0 }, k: 0.0 },
    // exp errs by 3 + 2|x| units at most, which is 11 for the |x| up to 4 of the cases; a division and three operations more.
    Activation {
        name: "silu",
        f: |x| x / (1.0 + (-x).exp()),
        df: |x| {
            let s = 1.0 / (1.0 + (-x).exp());
            s * (1.0 + x * (1.0 - s))
        },
        k: 16.0,
    },
];

impl Activation {
    pub(crate) fn forward(&self, x: &Tensor) -> Tensor {
        x.map(self.f)
    }

    pub(crate) fn backward(&self, dy: &Tensor, x: &Tensor) -> Tensor {
        dy.zip(x, |dy, x| dy * (self.df)(x))
    }
}
