//! roll: moves each image by its own whole pixels, around its edges (`torch.roll`), or mirrors it; and the exact adjoint.

use super::{AffineWarp, Clock, Tensor, nchw, same, shape_error};
use crate::error::Result;
use crate::gpu::{Grid, Kernel, Recording, TensorId};

crate::params! {
    /// Mirrors `Params` of shaders/roll.wgsl.
    struct RollParams { steps: u32, images: u32, channels: u32, h: u32, w: u32 }
}

/// The longest side, so that sums of places and shifts are exact.
const MAX_SIDE: usize = 1 << 24;

/// A shift around the edges, or a mirror image.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Roll;

impl Roll {
    /// `y[n,c,i,j] = x[n,c,(i + t₁) mod h, (s·j + t₀) mod w]` with s = 1 or −1. x, y: `[N,C,H,W]`; theta: `[steps,N,ROW]`, maps
    /// `(s 0 t₀ 0 1 t₁)` of [`AffineWarp::row`] between equal sizes `[h, w]`, which the kernel clamps to `[H, W]`. Beyond h and w, y is 0.
    ///
    /// # Errors
    /// If the shapes do not fit.
    pub fn forward(self, rec: &mut Recording, x: Tensor, theta: TensorId, clock: Clock, y: Tensor) -> Result<()> {
        Self::step(rec, x, theta, clock, y, false)
    }

    /// `dx[n,c,(i + t₁) mod h, (s·j + t₀) mod w] = dy[n,c,i,j]`. dy, dx: `[N,C,H,W]`.
    ///
    /// # Errors
    /// If the shapes do not fit.
    pub fn backward(self, rec: &mut Recording, dy: Tensor, theta: TensorId, clock: Clock, dx: Tensor) -> Result<()> {
        Self::step(rec, dy, theta, clock, dx, true)
    }

    fn step(rec: &mut Recording, x: Tensor, theta: TensorId, clock: Clock, y: Tensor, back: bool) -> Result<()> {
        let [n, c, h, w] = nchw("roll", "roll", x.shape)?;
        same("roll", "roll", if back { ["dy", "dx"] } else { ["x", "y"] }, x.shape, y.shape)?;
        if [h, w].iter().any(|side| !(1..=MAX_SIDE).contains(side)) {
            return Err(shape_error(
                "roll",
                "roll",
                format!("x is {}, but sides must be from 1 to {MAX_SIDE}", x.shape),
            ));
        }
        let [images, channels, h32, w32] = [n, c, h, w].map(|n| n as u32);
        let params = RollParams { steps: clock.count(), images, channels, h: h32, w: w32 };
        let bindings = [x.bind("x"), ("theta", theta, clock.rows(AffineWarp::ROW * n)), clock.bind(), y.bind("y")];
        let kernel = Kernel::new("roll", "step").with("BACK", back.into());
        rec.dispatch("roll", kernel, &bindings, &params, Grid::Planes { planes: n, h, w }, x.shape.len() as u64)
    }
}
