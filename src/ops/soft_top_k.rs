//! soft_top_k: a share of each image's values, the largest, softly: `y = sigmoid(x − q)` with mean y = the share.

use super::{Clock, Tensor, nchw, same, shape_error};
use crate::error::Result;
use crate::gpu::{Grid, Kernel, Recording, TensorId};

crate::params! {
    /// Mirrors `Params` of shaders/soft_top_k.wgsl.
    struct SoftTopKParams { steps: u32, images: u32, len: u32 }
}

/// The soft choice of the largest values of an image, as many as its area says.
///
/// It is the optimal transport with entropy from the values to `chosen` and `not chosen` (Xie et al., "Differentiable top-k with optimal
/// transport", 2020): with two targets, the plan is a sigmoid whose threshold q keeps the area. Values that differ by much more than 1
/// make y nearly 0 or 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SoftTopK;

impl SoftTopK {
    fn params(x: Tensor, clock: Clock) -> Result<SoftTopKParams> {
        let [n, c, ..] = nchw("soft_top_k", "soft_top_k", x.shape)?;
        if c != 1 {
            let what = format!("x is {}, but must have one channel", x.shape);
            return Err(shape_error("soft_top_k", "soft_top_k", what));
        }
        Ok(SoftTopKParams { steps: clock.count(), images: n as u32, len: x.shape.image_len() as u32 })
    }

    /// `y[n,i] = 1/(1 + exp(q[n] − x[n,i]))`, where q is such that the mean of `y[n,·]` is the image's area at the step. x, y: `[N,1,H,W]`;
    /// areas: `[steps,N]`, between 0 and 1, which the kernel clamps to 1e-4 from both.
    ///
    /// # Errors
    /// If the shapes do not fit.
    pub fn forward(self, rec: &mut Recording, x: Tensor, areas: TensorId, clock: Clock, y: Tensor) -> Result<()> {
        same("soft_top_k", "soft_top_k", ["x", "y"], x.shape, y.shape)?;
        let params = Self::params(x, clock)?;
        let areas = ("areas", areas, clock.rows(x.shape.n()));
        let bindings = [x.bind("x"), areas, clock.bind(), y.bind("y")];
        let kernel = Kernel::new("soft_top_k", "forward");
        let grid = Grid::Workgroups([x.shape.n(), 1, 1]);
        rec.dispatch("soft_top_k", kernel, &bindings, &params, grid, 200 * x.shape.len() as u64)
    }

    /// `dx[i] = s[i] (dy[i] − Σ s dy / Σ s)` with `s = y (1 − y)`; the area does not change. dy, y, dx: `[N,1,H,W]`.
    ///
    /// # Errors
    /// If the shapes do not fit.
    pub fn backward(self, rec: &mut Recording, dy: Tensor, y: Tensor, dx: Tensor) -> Result<()> {
        same("soft_top_k", "soft_top_k", ["dy", "y"], dy.shape, y.shape)?;
        same("soft_top_k", "soft_top_k", ["dy", "dx"], dy.shape, dx.shape)?;
        let params = SoftTopKParams { steps: 1, ..Self::params(dy, Clock { step: dy.id, steps: 1 })? };
        let bindings = [y.bind("chosen"), dy.bind("dy"), dx.bind("dx")];
        let kernel = Kernel::new("soft_top_k", "backward");
        let grid = Grid::Workgroups([dy.shape.n(), 1, 1]);
        rec.dispatch("soft_top_k", kernel, &bindings, &params, grid, 8 * dy.shape.len() as u64)
    }
}
