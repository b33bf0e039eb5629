//! feature: what a module's output x shows of a unit, one value an image, and its gradient. Each image has its unit. x: [N,C,H,W].

use super::Tensor;

/// A unit of one image.
#[derive(Clone, Debug)]
pub(crate) enum Unit {
    /// mean over h, w of x[c,h,w]
    Channel(usize),
    /// x[c,h,w]
    Neuron([usize; 3]),
    /// mean over h, w of Σ_c v[c]·x[c,h,w]
    Direction(Vec<f64>),
    /// mean over c, h, w of x²
    Layer,
}

/// One value per image.
pub(crate) fn forward(x: &Tensor, units: &[Unit]) -> Vec<f64> {
    let [_, channels, h, w] = x.shape;
    let plane = (h * w) as f64;
    let mut f = vec![0.0; units.len()];
    for i @ [n, c, row, column] in x.indices() {
        f[n] += match &units[n] {
            Unit::Channel(of) if *of == c => x[i] / plane,
            Unit::Neuron(at) if *at == [c, row, column] => x[i],
            Unit::Direction(v) => v[c] * x[i] / plane,
            Unit::Layer => x[i] * x[i] / (channels as f64 * plane),
            _ => 0.0,
        };
    }
    f
}

/// d f[n] / d x[n].
pub(crate) fn backward(x: &Tensor, units: &[Unit]) -> Tensor {
    let [_, channels, h, w] = x.shape;
    let plane = (h * w) as f64;
    let slope = |i @ [n, c, row, column]: [usize; 4]| match &units[n] {
        Unit::Channel(of) if *of == c => 1.0 / plane,
        Unit::Neuron(at) if *at == [c, row, column] => 1.0,
        Unit::Direction(v) => v[c] / plane,
        Unit::Layer => 2.0 * x[i] / (channels as f64 * plane),
        _ => 0.0,
    };
    Tensor::new(x.shape, x.indices().map(slope).collect())
}
