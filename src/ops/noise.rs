//! noise: adds normal noise to each image, from a counter-based generator that has no state. The gradient is the identity.

use super::{AffineWarp, Clock, Tensor, nchw, same};
use crate::error::Result;
use crate::gpu::{Grid, Kernel, Recording, TensorId};

crate::params! {
    /// Mirrors `Params` of shaders/noise.wgsl.
    struct NoiseParams { steps: u32, images: u32, len: u32, deviation: f32 }
}

/// Normal noise.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Noise {
    /// The standard deviation.
    pub deviation: f32,
}

impl Noise {
    /// `y = x + deviation · g`. x, y: `[N,C,H,W]`; keys: `[steps,N,ROW]` with the row's length of [`AffineWarp::ROW`]. The first two numbers
    /// of a row are the key, whole and from 0 to 2²⁴ − 1. g depends only on the key and on the element's index within its image.
    ///
    /// # Errors
    /// If the shapes differ.
    pub fn forward(self, rec: &mut Recording, x: Tensor, keys: TensorId, clock: Clock, y: Tensor) -> Result<()> {
        let [n, ..] = nchw("noise", "noise", x.shape)?;
        same("noise", "noise", ["x", "y"], x.shape, y.shape)?;
        let len = x.shape.image_len();
        let params = NoiseParams { steps: clock.count(), images: n as u32, len: len as u32, deviation: self.deviation };
        let bindings = [x.bind("x"), ("theta", keys, clock.rows(AffineWarp::ROW * n)), clock.bind(), y.bind("y")];
        let grid = Grid::Planes { planes: n, h: 1, w: len.div_ceil(4) };
        rec.dispatch("noise", Kernel::new("noise", "step"), &bindings, &params, grid, 20 * x.shape.len() as u64)
    }
}
