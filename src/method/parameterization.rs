//! The parameters that Adam changes, and the image that they make: pixels are the image itself, a spectrum is Lucent's, phases are MACO's.
//!
//! A spectrum makes the image `sigmoid(M · irfft2(scale · spectrum) / 4)`, with the orthonormal transform and
//! `scale = 1 / max(f, 1/side)`, where f is the frequency in cycles per pixel and `side` the image's longer side
//! (`lucent.optvis.param`). M decorrelates the colours of an image with three channels; with other channels, it is the identity.

//!
//! Phases φ make the image `sigmoid(M · irfft2(r e^{iφ}))`, with the magnitudes r of [`Irfft2::of_photographs`], which give every channel the mean
//! 0 and the variance 1 (Fel et al. 2023, with magnitudes 1/f in place of ImageNet's mean magnitudes).

use super::choices::Parameterization;
use super::draws::{normal_numbers, uniform_phases};
use super::settings::Settings;
use crate::error::{Error, Result};
use crate::gpu::Recording;
use crate::ops::{Colour, Irfft2, MAX_FFT_SIDE, Phase, Tensor};
use crate::shape::{ImageSpec, Shape};

/// The standard deviation of the initial spectrum.
const START: f64 = 0.01;

/// The divisor before the sigmoid.
const CONTRAST: f64 = 4.0;

/// The distance that pixels keep from 0 and 1, which a sigmoid does not reach, before their spectrum is computed.
const MARGIN: f64 = 1e-3;

/// Lucid's square root of the covariance of ImageNet's colours, before it is scaled so that the largest norm of a column is 1.
const COLOURS: [[f64; 3]; 3] = [[0.26, 0.09, 0.02], [0.27, 0.00, -0.05], [0.27, -0.09, 0.03]];

fn colours() -> [[f64; 3]; 3] {
    let norm = |column: usize| COLOURS.iter().map(|row| row[column] * row[column]).sum::<f64>().sqrt();
    let largest = (0..3).map(norm).fold(0.0, f64::max);
    COLOURS.map(|row| row.map(|v| v / largest))
}

/// The factor for an element of the spectrum.
fn scale([h, w]: [usize; 2], row: usize, column: usize) -> f64 {
    // Rows beyond the middle have negative frequencies.
    let cycles = |index: usize, side: usize| (index as f64).min(side as f64 - index as f64) / side as f64;
    let frequency = libm::hypot(cycles(row, h), cycles(column, w));
    1.0 / frequency.max(1.0 / h.max(w) as f64) / CONTRAST
}

/// The kernels between the parameters and the image.
pub(super) struct Fourier {
    /// Whether the parameters are phases.
    of_phases: bool,
    irfft2: Irfft2,
    colour: Colour,
}

impl Fourier {
    pub(super) fn new(image: ImageSpec, of_phases: bool) -> Result<Self> {
        let ImageSpec { channels, height, width } = image;
        let irfft2 = match of_phases {
            true => Irfft2::of_photographs(height, width)?,
            false => Irfft2::new(height, width, |row, column| scale([height, width], row, column))?,
        };
        let matrix = (channels == 3).then(|| colours().map(|row| row.map(|v| v as f32)));
        Ok(Self { of_phases, irfft2, colour: Colour { matrix, sigmoid: true } })
    }

    /// Appends the commands from the parameters to the image.
    pub(super) fn forward(&self, rec: &mut Recording, parameters: Tensor, image: Tensor) -> Result<()> {
        let spectrum = match self.of_phases {
            true => {
                let spectrum = Tensor::transient(rec, "spectrum", Irfft2::spectrum(image.shape));
                Phase.forward(rec, parameters, spectrum)?;
                spectrum
            }
            false => parameters,
        };
        let decorrelated = Tensor::transient(rec, "decorrelated", image.shape);
        self.irfft2.forward(rec, spectrum, decorrelated)?;
        self.colour.forward(rec, decorrelated, image)
    }

    /// Appends the commands from the image's gradient to that of the parameters.
    pub(super) fn backward(
        &self,
        rec: &mut Recording,
        dimage: Tensor,
        image: Tensor,
        [parameters, dparameters]: [Tensor; 2],
    ) -> Result<()> {
        let decorrelated = Tensor::transient(rec, "ddecorrelated", image.shape);
        self.colour.backward(rec, dimage, image, decorrelated)?;
        if !self.of_phases {
            return self.irfft2.backward(rec, decorrelated, dparameters);
        }
        let ds = Tensor::transient(rec, "dspectrum", Irfft2::spectrum(image.shape));
        self.irfft2.backward(rec, decorrelated, ds)?;
        Phase.backward(rec, ds, parameters, dparameters)
    }
}

impl Settings {
    /// The shape of the parameters of `n` images; `network` are the network's images.
    pub(super) fn parameters(&self, network: ImageSpec, n: usize) -> Shape {
        let image = self.image(network).batch(n);
        match self.parameterization {
            Parameterization::Pixels => image,
            Parameterization::Fourier => Irfft2::spectrum(image),
            Parameterization::Phase => Phase::phases(image),
        }
    }
}

/// The initial spectrum of an image, `[C,H,2·(W/2+1)]` in pairs (re, im): normal, with standard deviation 0.01.
pub(super) fn normal_spectrum(seed: u64, class: usize, image: ImageSpec) -> Vec<f32> {
    let len = Irfft2::spectrum(image.batch(1)).len();
    normal_numbers(seed, class, len).into_iter().map(|v| (START * v) as f32).collect()
}

/// The initial phases of an image, `[C,H,W/2+1]`: uniform in [−π,π).
pub(super) fn random_phases(seed: u64, class: usize, image: ImageSpec) -> Vec<f32> {
    uniform_phases(seed, class, Phase::phases(image.batch(1)).len())
}

/// The phases of an image's spectrum, `[C,H,W/2+1]`.
///
/// # Errors
/// As of [`spectrum_of`].
pub(super) fn phases_of(pixels: &[f32], image: ImageSpec) -> Result<Vec<f32>> {
    let phase = |pair: &[f32]| libm::atan2(f64::from(pair[1]), f64::from(pair[0])) as f32;
    Ok(spectrum_of(pixels, image)?.chunks_exact(2).map(phase).collect())
}

/// The spectrum of an image, `[C,H,W]` in `[0,1]`. Pixels closer than 0.001 to 0 or 1 are moved away first.
///
/// # Errors
/// If the number of pixels is not that of `image`, or a side is odd or above [`MAX_FFT_SIDE`].
pub(crate) fn spectrum_of(pixels: &[f32], image: ImageSpec) -> Result<Vec<f32>> {
    let ImageSpec { channels, height, width } = image;
    let fits = |side: usize| side.is_multiple_of(2) && (2..=MAX_FFT_SIDE).contains(&side);
    if pixels.len() != image.len() || ![height, width].into_iter().all(fits) {
        let count = pixels.len();
        return Err(Error::input(format!(
            "{count} values are not an image of {image} with even sides of at most {MAX_FFT_SIDE} pixels, and have no spectrum"
        )));
    }
    let plane = height * width;
    let logit = |v: f32| {
        let v = f64::from(v).clamp(MARGIN, 1.0 - MARGIN);
        libm::log(v / (1.0 - v))
    };
    let logits: Vec<f64> = pixels.iter().map(|&v| logit(v)).collect();
    let decorrelated: Vec<Vec<f64>> = if channels == 3 {
        let mixed =
            |row: [f64; 3]| (0..plane).map(|at| (0..3).map(|c| row[c] * logits[c * plane + at]).sum()).collect();
        inverted(colours()).map(mixed).into()
    } else {
        logits.chunks(plane).map(<[f64]>::to_vec).collect()
    };
    let spectra = decorrelated.iter().flat_map(|channel| rfft2(channel, [height, width]));
    Ok(spectra.map(|v| v as f32).collect())
}

/// The orthonormal spectrum of one channel, divided by the scale. It uses plain sums, which take at most a second per run for usual
/// sides.
fn rfft2(x: &[f64], [h, w]: [usize; 2]) -> Vec<f64> {
    let columns = w / 2 + 1;
    let (down, across) = (roots(h), roots(w));
    let mut rows = vec![[0.0; 2]; h * columns];
    for (at, out) in rows.iter_mut().enumerate() {
        let (row, column) = (at / columns, at % columns);
        for (b, value) in x[row * w..(row + 1) * w].iter().enumerate() {
            let [cos, sin] = across[column * b % w];
            *out = [out[0] + value * cos, out[1] + value * sin];
        }
    }
    let norm = ((h * w) as f64).sqrt();
    let mut spectrum = Vec::with_capacity(2 * h * columns);
    for row in 0..h {
        for column in 0..columns {
            let mut sum = [0.0; 2];
            for a in 0..h {
                let ([re, im], [cos, sin]) = (rows[a * columns + column], down[row * a % h]);
                sum = [sum[0] + re * cos - im * sin, sum[1] + re * sin + im * cos];
            }
            spectrum.extend(sum.map(|v| v / (norm * scale([h, w], row, column))));
        }
    }
    spectrum
}

/// `exp(−2πi k / n)` for each k below n, in pairs (re, im).
fn roots(n: usize) -> Vec<[f64; 2]> {
    let root = |k: usize| {
        let angle = k as f64 * (std::f64::consts::TAU / n as f64);
        [libm::cos(angle), -libm::sin(angle)]
    };
    (0..n).map(root).collect()
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
        // The lowest frequencies are capped. The last row has the frequency of the second one.
        let scale8 = |row, column| scale([8, 8], row, column);
        assert_eq!(scale8(0, 0), 8.0 / 4.0);
        assert_eq!(scale8(1, 0), 8.0 / 4.0);
        assert_eq!(scale8(7, 0), 8.0 / 4.0);
        assert_eq!(scale8(0, 4), 2.0 / 4.0);
        assert!((scale8(4, 4) - 1.0 / 0.5_f64.hypot(0.5) / 4.0).abs() < 1e-15);
        // The cap is that of the longer side.
        assert_eq!([scale([4, 8], 0, 0), scale([4, 8], 1, 0)], [8.0 / 4.0, 4.0 / 4.0]);
    }

    #[test]
    fn spectra_begin_as_said() {
        let image = ImageSpec { channels: 3, height: 64, width: 64 };
        let spectrum = normal_spectrum(3, 4, image);
        assert_eq!(spectrum.len(), 3 * 64 * 66);
        let mean = spectrum.iter().map(|&v| f64::from(v)).sum::<f64>() / spectrum.len() as f64;
        let variance = spectrum.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>() / spectrum.len() as f64;
        // Standard errors: 0.01/√12672 = 9e-5, and 1e-4·√(2/12672) = 1.3e-6.
        assert!(mean.abs() < 4e-4 && (variance - 1e-4).abs() < 5e-6, "{mean} {variance}");
        assert_ne!(spectrum, normal_spectrum(3, 5, image));
    }
}
