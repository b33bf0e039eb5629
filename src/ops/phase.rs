//! phase: a spectrum of magnitude 1 from its phases, and the exact adjoint. [`Irfft2`] gives it its magnitudes and makes the image.

use super::{Irfft2, Tensor, nchw, shape_error};
use crate::error::Result;
use crate::gpu::{Grid, Kernel, Recording};
use crate::shape::Shape;

crate::params! {
    /// Mirrors `Params` of shaders/phase.wgsl.
    struct PhaseParams { h: u32, columns: u32 }
}

/// `e^{iφ}`, with opposite phases for opposite frequencies.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Phase;

impl Phase {
    /// The shape of the phases of images of this shape: one for each pair of [`Irfft2::spectrum`].
    pub fn phases(x: Shape) -> Shape {
        Shape::new(x.n(), x.c(), x.h(), x.w() / 2 + 1)
    }

    fn prepare(phi: Tensor, s: Tensor) -> Result<(PhaseParams, Grid)> {
        let [n, c, h, columns] = nchw("phase", "phase", phi.shape)?;
        if s.shape != Shape::new(n, c, h, 2 * columns) || !phi.is_whole() || !s.is_whole() {
            let what = format!("the spectrum {} does not have a pair for each of the phases {}", s.shape, phi.shape);
            return Err(shape_error("phase", "phase", what));
        }
        let params = PhaseParams { h: h as u32, columns: columns as u32 };
        Ok((params, Grid::Planes { planes: n * c, h, w: columns }))
    }

    /// `s = (cos φ, sin φ)`. phi: `[N,C,H,W/2+1]`, s: `[N,C,H,2·(W/2+1)]`. In the columns 0 and W/2, the rows below H/2 take the phase of
    /// their opposite frequency with the other sign, and not their own.
    ///
    /// # Errors
    /// If the shapes do not fit.
    pub fn forward(self, rec: &mut Recording, phi: Tensor, s: Tensor) -> Result<()> {
        let (params, grid) = Self::prepare(phi, s)?;
        let bindings = [phi.bind("phi"), s.bind("s")];
        rec.dispatch("phase", Kernel::new("phase", "forward"), &bindings, &params, grid, 20 * phi.shape.len() as u64)
    }

    /// `dφ = −sin φ · ds_re + cos φ · ds_im`, summed over the places of φ. ds: `[N,C,H,2·(W/2+1)]`, phi, dphi: `[N,C,H,W/2+1]`.
    ///
    /// # Errors
    /// If the shapes do not fit.
    pub fn backward(self, rec: &mut Recording, ds: Tensor, phi: Tensor, dphi: Tensor) -> Result<()> {
        let (params, grid) = Self::prepare(phi, ds)?;
        super::same("phase", "phase", ["phi", "dphi"], phi.shape, dphi.shape)?;
        let bindings = [phi.bind("phi"), ds.bind("ds"), dphi.bind("dphi")];
        rec.dispatch("phase", Kernel::new("phase", "backward"), &bindings, &params, grid, 24 * phi.shape.len() as u64)
    }
}

impl Irfft2 {
    /// The inverse transform that gives a spectrum of magnitude 1 the magnitudes `1/f`, where f is the frequency in cycles per pixel, like
    /// those of photographs (Field 1987), and 0 at f = 0. Every channel of its images has mean 0 and variance 1, since opposite frequencies have
    /// opposite phases. (The three highest frequencies that are their own opposites add less than 1e-4.)
    ///
    /// # Errors
    /// As of [`Irfft2::new`].
    pub fn of_photographs(h: usize, w: usize) -> Result<Self> {
        let cycles = |index: usize, side: usize| index.min(side - index) as f64 / side as f64;
        let power = |row: usize, column: usize| {
            let squared = cycles(row, h).powi(2) + cycles(column, w).powi(2);
            if squared > 0.0 { 1.0 / squared } else { 0.0 }
        };
        // Columns between the first and the last stand for two.
        let twice = |column: usize| if column == 0 || 2 * column == w { 1.0 } else { 2.0 };
        let total: f64 = (0..h)
            .flat_map(|row| (0..=w / 2).map(move |column| (row, column)))
            .map(|(row, column)| twice(column) * power(row, column))
            .sum();
        let factor = (h * w) as f64 / total;
        Self::new(h, w, |row, column| libm::sqrt(factor * power(row, column)))
    }
}
