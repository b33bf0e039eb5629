//! affine_warp: resamples each image by its own affine map, which may change at every step; and the exact adjoint. The output may
//! have other extents than the input.

use super::{ChannelAffine, Clock, Tensor, nchw, shape_error, words};
use crate::error::Result;
use crate::gpu::{Grid, Kernel, Layout, Recording, TensorId};
use crate::named::named;

crate::params! {
    /// Mirrors `Params` of shaders/affine_warp.wgsl.
    struct AffineWarpParams { steps: u32, images: u32, channels: u32, x_h: u32, x_w: u32, y_h: u32, y_w: u32, nearest: u32 }
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
    /// How the warp samples between pixels.
    pub interpolation: Interpolation,
    /// The value outside the image, for each channel.
    pub fill: Vec<f32>,
    /// The normalisation after the warp, in the same kernel.
    pub normalize: Option<ChannelAffine>,
}

/// The longest side of x and of y.
const MAX_SIDE: usize = 1 << 24;

impl AffineWarp {
    /// The length of the map of one image at one step.
    pub const ROW: usize = 10;

    /// The map of one image at one step, as the kernel reads it: theta as in shaders/affine_warp.wgsl, then the height and width of
    /// the image within x and within y.
    pub fn row(theta: [f32; 6], x: [usize; 2], y: [usize; 2]) -> [f32; Self::ROW] {
        let [t0, t1, t2, t3, t4, t5] = theta;
        let [[x_h, x_w], [y_h, y_w]] = [x, y].map(|size| size.map(|side| side as f32));
        [t0, t1, t2, t3, t4, t5, x_h, x_w, y_h, y_w]
    }

    fn params(&self, label: &str, clock: Clock, x: Tensor, y: Tensor) -> Result<AffineWarpParams> {
        let [images, channels, x_h, x_w] = nchw("affine_warp", label, x.shape)?.map(|n| n as u32);
        let [.., y_h, y_w] = nchw("affine_warp", label, y.shape)?.map(|n| n as u32);
        if y.shape.nchw()[..2] != x.shape.nchw()[..2] {
            let what = format!("N and C are those of {} in x but of {} in y", x.shape, y.shape);
            return Err(shape_error("affine_warp", label, what));
        }
        // The kernel reads sides from maps, as f32, which are exact up to here.
        if [x.shape, y.shape].iter().any(|of| [of.h(), of.w()].iter().any(|side| !(1..=MAX_SIDE).contains(side))) {
            let what = format!("x is {} and y {}, but sides must be from 1 to {MAX_SIDE}", x.shape, y.shape);
            return Err(shape_error("affine_warp", label, what));
        }
        let nearest = u32::from(self.interpolation == Interpolation::Nearest);
        Ok(AffineWarpParams { steps: clock.count(), images, channels, x_h, x_w, y_h, y_w, nearest })
    }

    /// Fill, scale and shift of each channel.
    fn channel(&self, rec: &mut Recording, label: &str, x: Tensor) -> Result<(&'static str, TensorId, usize)> {
        let c = x.shape.c();
        let normalize = self.normalize.clone();
        let ChannelAffine { scale, shift } =
            normalize.unwrap_or_else(|| ChannelAffine::new(vec![1.0; c], vec![0.0; c]));
        for (name, values) in [("fill", &self.fill[..]), ("scale", &scale[..]), ("shift", &shift[..])] {
            if values.len() != c {
                let what = format!("C is {c} in x {} but {} in {name}", x.shape, values.len());
                return Err(shape_error("affine_warp", label, what));
            }
        }
        let of = |i: usize| [self.fill[i], scale[i], shift[i], 0.0];
        let values: Vec<f32> = (0..c).flat_map(of).collect();
        let len = values.len();
        Ok(("channel", rec.table(format!("{label} channel"), Layout::Words, words(&values)), len))
    }

    /// `y[n,c,q] = normalize(x[n,c,A q + t])`. x: `[N,C,H,W]`, y: `[N,C,OH,OW]`; theta: `[steps,N,ROW]`, see
    /// [`AffineWarp::row`]. The kernel clamps larger extents in a map to those of x or y.
    ///
    /// # Errors
    /// If the shapes do not fit.
    pub fn forward(&self, rec: &mut Recording, x: Tensor, theta: TensorId, clock: Clock, y: Tensor) -> Result<()> {
        let label = "warp";
        let params = self.params(label, clock, x, y)?;
        let channel = self.channel(rec, label, x)?;
        let theta = ("theta", theta, clock.rows(Self::ROW * x.shape.n()));
        let bindings = [x.bind("x"), theta, clock.bind(), channel, y.bind("y")];
        let grid = Grid::Planes { planes: y.shape.n(), h: y.shape.h(), w: y.shape.w() };
        let kernel = Kernel::new("affine_warp", "forward");
        rec.dispatch(label, kernel, &bindings, &params, grid, 8 * y.shape.len() as u64)
    }

    /// `dx[n,c,i] = scale[c] Σ_q weight(p(q), i) dy[n,c,q]`. dy: `[N,C,OH,OW]`, dx: `[N,C,H,W]`.
    ///
    /// # Errors
    /// If the shapes do not fit.
    pub fn backward(&self, rec: &mut Recording, dy: Tensor, theta: TensorId, clock: Clock, dx: Tensor) -> Result<()> {
        let params = self.params("warp", clock, dx, dy)?;
        let theta = ("theta", theta, clock.rows(Self::ROW * dy.shape.n()));
        let channel = self.channel(rec, "warp", dx)?;
        let bindings = [dy.bind("dy"), theta, clock.bind(), channel, dx.bind("dx")];
        let kernel = Kernel::new("affine_warp", "backward");
        let grid = Grid::Planes { planes: dx.shape.n() * dx.shape.c(), h: dx.shape.h(), w: dx.shape.w() };
        rec.dispatch("warp", kernel, &bindings, &params, grid, 8 * dx.shape.len() as u64)
    }
}
