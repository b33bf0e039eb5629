//! colour: `y = sigmoid(M x)` over the channels of each pixel: from decorrelated channels to red, green and blue in `[0,1]`.

use super::{Tensor, nchw, same, shape_error};
use crate::error::Result;
use crate::gpu::{Grid, Kernel, Recording};

crate::params! {
    /// Mirrors `Params` of shaders/colour.wgsl.
    struct ColourParams {
        plane: u32, m00: f32, m01: f32, m02: f32, m10: f32, m11: f32, m12: f32, m20: f32, m21: f32, m22: f32,
    }
}

/// A matrix over three channels, and an optional sigmoid.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Colour {
    /// The matrix M by rows: one row per channel of y. With `None`, M is the identity, for any number of channels.
    pub matrix: Option<[[f32; 3]; 3]>,
    /// Whether a sigmoid follows; if not, y is M x.
    pub sigmoid: bool,
}

impl Colour {
    fn params(&self, x: Tensor) -> Result<ColourParams> {
        nchw("colour", "colour", x.shape)?;
        if self.matrix.is_some() && x.shape.c() != 3 {
            return Err(shape_error(
                "colour",
                "colour",
                format!("C is {} in x {}, but colours have three", x.shape.c(), x.shape),
            ));
        }
        let [[m00, m01, m02], [m10, m11, m12], [m20, m21, m22]] = self.matrix.unwrap_or_default();
        Ok(ColourParams { plane: x.shape.plane_len() as u32, m00, m01, m02, m10, m11, m12, m20, m21, m22 })
    }

    /// The first entry point mixes channels, the second does not.
    fn kernel(&self, [mixed, each]: [&'static str; 2]) -> Kernel {
        let entry = if self.matrix.is_some() { mixed } else { each };
        Kernel::new("colour", entry).with("SIGMOID", self.sigmoid.into())
    }

    fn grid(&self, x: Tensor) -> Grid {
        let planes = if self.matrix.is_some() { x.shape.n() } else { x.shape.n() * x.shape.c() };
        Grid::Planes { planes, h: 1, w: x.shape.plane_len() }
    }

    /// `y = sigmoid(M x)`. x, y: `[N,C,H,W]`, C = 3 with a matrix.
    ///
    /// # Errors
    /// If shapes differ, or the channels are not three and there is a matrix.
    pub fn forward(&self, rec: &mut Recording, x: Tensor, y: Tensor) -> Result<()> {
        same("colour", "colour", ["x", "y"], x.shape, y.shape)?;
        let params = self.params(x)?;
        let (kernel, bindings) = (self.kernel(["forward", "forward_each"]), [x.bind("x"), y.bind("y")]);
        rec.dispatch("colour", kernel, &bindings, &params, self.grid(x), 9 * x.shape.len() as u64)
    }

    /// `dx = Mᵀ (dy · y · (1 − y))`. dy, y, dx: `[N,C,H,W]`, C = 3 with a matrix.
    ///
    /// # Errors
    /// If shapes differ, or the channels are not three and there is a matrix.
    pub fn backward(&self, rec: &mut Recording, dy: Tensor, y: Tensor, dx: Tensor) -> Result<()> {
        same("colour", "colour", ["dy", "y"], dy.shape, y.shape)?;
        same("colour", "colour", ["dy", "dx"], dy.shape, dx.shape)?;
        let params = self.params(dx)?;
        let (kernel, bindings) =
            (self.kernel(["backward", "backward_each"]), [dy.bind("dy"), y.bind("out"), dx.bind("dx")]);
        rec.dispatch("colour", kernel, &bindings, &params, self.grid(dx), 8 * dx.shape.len() as u64)
    }
}
