//! affine_warp: every image resampled under its own affine map of the step, and the exact adjoint.

use super::{ScaleShift, Tensor, misfit, same, words};
use crate::error::Result;
use crate::gpu::{Grid, Kernel, Recording, TensorId};
use crate::named::named;

crate::params! {
    /// Mirrors `Params` of shaders/affine_warp.wgsl.
    struct AffineWarpParams { images: u32, channels: u32, h: u32, w: u32, nearest: u32 }
}

named! {
    /// How the warp samples between pixels.
    Interpolation {
        /// Four neighbours, weighted.
        Bilinear = "bilinear",
        /// The nearest pixel.
        Nearest = "nearest",
    }
}

/// `torchvision.transforms.functional.affine` with a fill, on pixel indices.
#[derive(Clone, Debug, PartialEq)]
pub struct AffineWarp {
    /// How a value between pixels is found.
    pub interpolation: Interpolation,
    /// What lies outside of the image, for each channel.
    pub fill: Vec<f32>,
    /// What follows the warp, computed in its kernel.
    pub normalize: Option<ScaleShift>,
}

impl AffineWarp {
    fn params(&self, x: Tensor) -> AffineWarpParams {
        let [images, channels, h, w] = x.shape.0.map(|n| n as u32);
        AffineWarpParams { images, channels, h, w, nearest: u32::from(self.interpolation == Interpolation::Nearest) }
    }

    /// Fill, scale and shift of each channel.
    fn channel(&self, rec: &mut Recording, label: &str, x: Tensor) -> Result<(&'static str, TensorId, usize)> {
        let c = x.shape.c();
        let normalize = self.normalize.clone();
        let ScaleShift { scale, shift } =
            normalize.unwrap_or_else(|| ScaleShift { scale: vec![1.0; c], shift: vec![0.0; c] });
        for (name, values) in [("fill", &self.fill), ("scale", &scale), ("shift", &shift)] {
            if values.len() != c {
                let what = format!("C is {c} in x {} but {} in {name}", x.shape, values.len());
                return Err(misfit("affine_warp", label, what));
            }
        }
        let of = |i: usize| [self.fill[i], scale[i], shift[i], 0.0];
        let values: Vec<f32> = (0..c).flat_map(of).collect();
        let len = values.len();
        Ok(("channel", rec.constant(format!("{label} {values:?}"), len, move || Ok(words(&values))), len))
    }

    /// `y[n,c,q] = normalize(x[n,c,A q + t])`. x, y: `[N,C,H,W]`; theta: `[steps,N,6]` as in shaders/affine_warp.wgsl; clock: which step.
    ///
    /// # Errors
    /// If the shapes do not fit.
    pub fn forward(&self, rec: &mut Recording, x: Tensor, theta: TensorId, clock: TensorId, y: Tensor) -> Result<()> {
        let label = "warp";
        same("affine_warp", label, ["x", "y"], x.shape, y.shape)?;
        let channel = self.channel(rec, label, x)?;
        let theta = ("theta", theta, 6 * x.shape.n());
        let bindings = [x.bind("x"), theta, ("clock", clock, 1), channel, y.bind("y")];
        let flops = (x.shape.len() * 8) as u64;
        let kernel = Kernel::new("affine_warp", "forward");
        rec.dispatch(
            label,
            kernel,
            &bindings,
            &self.params(x),
            Grid::Planes { planes: x.shape.n(), h: x.shape.h(), w: x.shape.w() },
            flops,
        )
    }

    /// `dx[n,c,i] = scale[c] Σ_q weight(p(q), i) dy[n,c,q]`. dy, dx: `[N,C,H,W]`.
    ///
    /// # Errors
    /// If the shapes do not fit.
    pub fn backward(
        &self,
        rec: &mut Recording,
        dy: Tensor,
        theta: TensorId,
        clock: TensorId,
        dx: Tensor,
    ) -> Result<()> {
        same("affine_warp", "warp", ["dy", "dx"], dy.shape, dx.shape)?;
        let theta = ("theta", theta, 6 * dy.shape.n());
        let channel = self.channel(rec, "warp", dx)?;
        let bindings = [dy.bind("dy"), theta, ("clock", clock, 1), channel, dx.bind("dx")];
        let len = dx.shape.len();
        let kernel = Kernel::new("affine_warp", "backward");
        let grid = Grid::Planes { planes: dx.shape.n() * dx.shape.c(), h: dx.shape.h(), w: dx.shape.w() };
        rec.dispatch("warp", kernel, &bindings, &self.params(dx), grid, 8 * len as u64)
    }
}
