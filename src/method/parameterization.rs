//! What Adam moves, and how an image is made of it: the pixels themselves, or Lucent's spectrum.
//!
//! A spectrum has decorrelated colours: `image = sigmoid(M · irfft2(scale · spectrum) / 4)` with the orthonormal transform, and
//! `scale = 1 / max(f, 1/side)` for a frequency of f cycles per pixel (`lucent.optvis.param`).

use super::choices::Parameterization;
use super::draws::normal_numbers;
use super::settings::Settings;
use crate::error::{Error, Result};
use crate::gpu::Recording;
use crate::ops::{Colour, Irfft2, MAX_FFT_SIDE, Tensor};
use crate::shape::Shape;

/// The standard deviation of a spectrum's numbers at the start.
const START: f64 = 0.01;

/// What an image is divided by before the sigmoid.
const CONTRAST: f64 = 4.0;

/// Where a picture's spectrum is asked for, pixels keep this distance from 0 and 1, which no sigmoid reaches.
const MARGIN: f64 = 1e-3;

/// Lucid's square root of the colours' covariance in ImageNet, before its columns' largest norm is made 1.
const COLOURS: [[f64; 3]; 3] = [[0.26, 0.09, 0.02], [0.27, 0.00, -0.05], [0.27, -0.09, 0.03]];

fn colours() -> [[f64; 3]; 3] {
    let norm = |column: usize| COLOURS.iter().map(|row| row[column] * row[column]).sum::<f64>().sqrt();
    let largest = (0..3).map(norm).fold(0.0, f64::max);
    COLOURS.map(|row| row.map(|v| v / largest))
}

/// What a number of the spectrum is multiplied by.
fn scale(side: usize, row: usize, column: usize) -> f64 {
    let side = side as f64;
    // Rows past the middle are negative frequencies.
    let cycles = |index: usize| (index as f64).min(side - index as f64) / side;
    let frequency = libm::hypot(cycles(row), cycles(column));
    1.0 / frequency.max(1.0 / side) / CONTRAST
}

/// The kernels between the parameters and the image.
pub(super) struct Fourier {
    irfft2: Irfft2,
    colour: Colour,
}

impl Fourier {
    pub(super) fn new(side: usize) -> Result<Self> {
        let irfft2 = Irfft2::new(side, side, |row, column| scale(side, row, column))?;
        let matrix = colours().map(|row| row.map(|v| v as f32));
        Ok(Self { irfft2, colour: Colour { matrix, sigmoid: true } })
    }

    /// image = what the spectrum makes.
    pub(super) fn forward(&self, rec: &mut Recording, spectrum: Tensor, image: Tensor) -> Result<()> {
        let decorrelated = Tensor::transient(rec, "decorrelated", image.shape);
        self.irfft2.forward(rec, spectrum, decorrelated)?;
        self.colour.forward(rec, decorrelated, image)
    }

    /// The gradient to the spectrum, from that to the image.
    pub(super) fn backward(&self, rec: &mut Recording, dimage: Tensor, image: Tensor, ds: Tensor) -> Result<()> {
        let decorrelated = Tensor::transient(rec, "ddecorrelated", image.shape);
        self.colour.backward(rec, dimage, image, decorrelated)?;
        self.irfft2.backward(rec, decorrelated, ds)
    }
}

impl Settings {
    /// The shape of what Adam moves, for n images.
    pub(super) fn parameters(&self, n: usize) -> Shape {
        let side = self.image_side as usize;
        let image = Shape::new(n, 3, side, side);
        match self.parameterization {
            Parameterization::Pixels => image,
            Parameterization::Fourier => Irfft2::spectrum(image),
        }
    }
}

/// The numbers that a spectrum starts from, `[3,side,2·(side/2+1)]` in pairs (re, im): normal, of standard deviation 0.01.
pub fn normal_spectrum(seed: u64, class: usize, side: usize) -> Vec<f32> {
    let len = 3 * side * (side + 2);
    normal_numbers(seed, class, len).into_iter().map(|v| (START * v) as f32).collect()
}

/// The spectrum that makes a picture, `[3,side,side]` in `[0,1]`, whose pixels are first brought a little off black and white.
///
/// # Errors
/// If the picture is of another size, or a spectrum makes no such pictures.
pub fn spectrum_of(pixels: &[f32], side: usize) -> Result<Vec<f32>> {
    if pixels.len() != 3 * side * side || !side.is_multiple_of(2) || side > MAX_FFT_SIDE {
        return Err(Error::input(format!(
            "a spectrum of side {side} does not make an image of {} values",
            pixels.len()
        )));
    }
    let plane = side * side;
    let inverse = inverted(colours());
    let logit = |v: f32| {
        let v = f64::from(v).clamp(MARGIN, 1.0 - MARGIN);
        libm::log(v / (1.0 - v))
    };
    let logits: Vec<f64> = pixels.iter().map(|&v| logit(v)).collect();
    let mut spectrum = Vec::with_capacity(3 * side * (side + 2));
    for row in inverse {
        let channel: Vec<f64> = (0..plane).map(|at| (0..3).map(|c| row[c] * logits[c * plane + at]).sum()).collect();
        spectrum.extend(rfft2(&channel, side).into_iter().map(|v| v as f32));
    }
    Ok(spectrum)
}

/// The orthonormal spectrum of one channel by plain sums, less the scale: once a run, a second at most for the sides in use.
fn rfft2(x: &[f64], side: usize) -> Vec<f64> {
    let columns = side / 2 + 1;
    let root = |k: usize| {
        let angle = (k % side) as f64 * (std::f64::consts::TAU / side as f64);
        [libm::cos(angle), -libm::sin(angle)]
    };
    let roots: Vec<[f64; 2]> = (0..side).map(root).collect();
    let mut rows = vec![[0.0; 2]; side * columns];
    for (at, out) in rows.iter_mut().enumerate() {
        let (row, column) = (at / columns, at % columns);
        for (b, value) in x[row * side..(row + 1) * side].iter().enumerate() {
            let [cos, sin] = roots[column * b % side];
            *out = [out[0] + value * cos, out[1] + value * sin];
        }
    }
    let mut spectrum = Vec::with_capacity(2 * side * columns);
    for row in 0..side {
        for column in 0..columns {
            let mut sum = [0.0; 2];
            for a in 0..side {
                let ([re, im], [cos, sin]) = (rows[a * columns + column], roots[row * a % side]);
                sum = [sum[0] + re * cos - im * sin, sum[1] + re * sin + im * cos];
            }
            spectrum.extend(sum.map(|v| v / (side as f64 * scale(side, row, column))));
        }
    }
    spectrum
}

/// The inverse of a matrix, by its adjugate.
fn inverted(m: [[f64; 3]; 3]) -> [[f64; 3]; 3] {
    let minor = |r: usize, c: usize| {
        let ([r1, r2], [c1, c2]) = ([(r + 1) % 3, (r + 2) % 3], [(c + 1) % 3, (c + 2) % 3]);
        m[r1][c1] * m[r2][c2] - m[r1][c2] * m[r2][c1]
    };
    let determinant: f64 = (0..3).map(|c| m[0][c] * minor(0, c)).sum();
    std::array::from_fn(|r| std::array::from_fn(|c| minor(c, r) / determinant))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_lucents() {
        let rounded = colours().map(|row| row.map(|v| (v * 1e4).round() / 1e4));
        assert_eq!(rounded, [[0.5628, 0.1948, 0.0433], [0.5845, 0.0, -0.1082], [0.5845, -0.1948, 0.0649]]);
        for (r, row) in colours().iter().enumerate() {
            for c in 0..3 {
                let sum: f64 = row.iter().zip(inverted(colours())).map(|(v, inverse)| v * inverse[c]).sum();
                assert!((sum - f64::from(u8::from(r == c))).abs() < 1e-12, "{r} {c}: {sum}");
            }
        }
    }

    #[test]
    fn scales_fall_with_the_frequency() {
        // The lowest frequencies are capped; a row from the end is as low as one from the start.
        assert_eq!(scale(8, 0, 0), 8.0 / 4.0);
        assert_eq!(scale(8, 1, 0), 8.0 / 4.0);
        assert_eq!(scale(8, 7, 0), 8.0 / 4.0);
        assert_eq!(scale(8, 0, 4), 2.0 / 4.0);
        assert!((scale(8, 4, 4) - 1.0 / 0.5_f64.hypot(0.5) / 4.0).abs() < 1e-15);
    }

    #[test]
    fn spectra_begin_as_said() {
        let spectrum = normal_spectrum(3, 4, 64);
        assert_eq!(spectrum.len(), 3 * 64 * 66);
        let mean = spectrum.iter().map(|&v| f64::from(v)).sum::<f64>() / spectrum.len() as f64;
        let variance = spectrum.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>() / spectrum.len() as f64;
        // Standard errors: 0.01/√12672 = 9e-5, and 1e-4·√(2/12672) = 1.3e-6.
        assert!(mean.abs() < 4e-4 && (variance - 1e-4).abs() < 5e-6, "{mean} {variance}");
        assert_ne!(spectrum, normal_spectrum(3, 5, 64));
    }
}
