//! irfft2: an image from a scaled spectrum, `torch.fft.irfft2(scale · s, norm="ortho")`, and the exact adjoint.

use std::sync::Arc;

use super::{Tensor, nchw, plain_constant, shape_error, words};
use crate::error::{Error, Result};
use crate::gpu::{Grid, Kernel, Layout, Recording, TensorId};
use crate::shape::Shape;

crate::params! {
    /// Mirrors `Params` of shaders/irfft2.wgsl.
    struct Irfft2Params {
        n: u32, radix: u32, done: u32, lines: u32, conjugate: u32,
        x_plane: u32, x_line: u32, x_step: u32, y_plane: u32, y_line: u32, y_step: u32,
    }
}

/// The longest side. It bounds the work for a side with a large prime factor.
pub const MAX_FFT_SIDE: usize = 1024;

/// The largest factor for which the kernel holds all inputs in registers.
const REGISTERS: usize = 8;

/// The values of `LOAD` and `STORE` in the shader.
const COMPLEX: u32 = 0;
const SCALED: u32 = 1;
const HALF: u32 = 2;
const REAL: u32 = 3;

/// The inverse of the real Fourier transform along H and W.
#[derive(Clone, Debug, PartialEq)]
pub struct Irfft2 {
    h: usize,
    w: usize,
    /// `[H,W/2+1]`, including the factor `1/√(H·W)` of the orthonormal transform.
    scale: Arc<[f32]>,
}

/// The lines of an axis.
#[derive(Clone, Copy)]
struct Axis {
    along_w: bool,
    /// The length of a line, and the number of lines in a plane.
    n: usize,
    lines: usize,
}

/// The distances in a tensor between neighbouring planes, lines and numbers.
#[derive(Clone, Copy)]
struct View {
    id: TensorId,
    plane: usize,
    line: usize,
    step: usize,
    /// 2 for complex numbers.
    parts: usize,
}

impl Irfft2 {
    /// For images of height `h` and width `w`. Multiplies each number of the spectrum, which has `h` rows and `w/2 + 1` columns, by
    /// `scale(row, column)`.
    ///
    /// # Errors
    /// If a side is odd, 0, or more than [`MAX_FFT_SIDE`].
    pub fn new(h: usize, w: usize, scale: impl Fn(usize, usize) -> f64) -> Result<Self> {
        if let Some(side) = [h, w].into_iter().find(|side| *side == 0 || side % 2 != 0 || *side > MAX_FFT_SIDE) {
            return Err(Error::input(format!(
                "a spectrum makes images whose sides are even and at most {MAX_FFT_SIDE}, not of {side} pixels"
            )));
        }
        let norm = 1.0 / ((h * w) as f64).sqrt();
        let columns = w / 2 + 1;
        let scale: Vec<f32> = (0..h * columns).map(|i| (norm * scale(i / columns, i % columns)) as f32).collect();
        Ok(Self { h, w, scale: scale.into() })
    }

    /// The shape of the spectrum for images of this shape: pairs (re, im) along the last axis.
    pub fn spectrum(x: Shape) -> Shape {
        Shape::new(x.n(), x.c(), x.h(), 2 * (x.w() / 2 + 1))
    }

    fn check(&self, names: [&str; 2], s: Tensor, x: Tensor) -> Result<()> {
        let [spectrum, image] = names;
        let (h, w) = (self.h, self.w);
        nchw("irfft2", "spectrum", x.shape)?;
        if [x.shape.h(), x.shape.w()] != [h, w] || s.shape != Self::spectrum(x.shape) {
            let what = format!("{spectrum} is {} and {image} {}, for images of {h}x{w}", s.shape, x.shape);
            return Err(shape_error("irfft2", "spectrum", what));
        }
        if !s.is_whole() || !x.is_whole() {
            let what = format!("{spectrum} or {image} is only some channels of a tensor");
            return Err(shape_error("irfft2", "spectrum", what));
        }
        nchw("irfft2", "spectrum", s.shape).map(drop)
    }

    fn columns(&self) -> Axis {
        Axis { along_w: false, n: self.h, lines: self.w / 2 + 1 }
    }

    fn rows(&self) -> Axis {
        Axis { along_w: true, n: self.w, lines: self.h }
    }

    /// The distances in the spectrum, or in a tensor of its size, by columns.
    fn half_columns(&self, id: TensorId) -> View {
        View { id, plane: self.h * (self.w / 2 + 1), line: 1, step: self.w / 2 + 1, parts: 2 }
    }

    fn half_rows(&self, id: TensorId) -> View {
        View { id, plane: self.h * (self.w / 2 + 1), line: self.w / 2 + 1, step: 1, parts: 2 }
    }

    fn image_rows(&self, id: TensorId, parts: usize) -> View {
        View { id, plane: self.h * self.w, line: self.w, step: 1, parts }
    }

    /// `x = irfft2(scale · s)`. s: `[N,C,H,2·(W/2+1)]`, x: `[N,C,H,W]`.
    ///
    /// # Errors
    /// If the shapes do not fit.
    pub fn forward(&self, rec: &mut Recording, s: Tensor, x: Tensor) -> Result<()> {
        self.check(["s", "x"], s, x)?;
        let planes = x.shape.n() * x.shape.c();
        let half = rec.transient("irfft2 columns", s.shape.len());
        let (from, to) = (self.half_columns(s.id), self.half_columns(half));
        self.axis(rec, planes, self.columns(), false, (from, SCALED), (to, COMPLEX))?;
        let (from, to) = (self.half_rows(half), self.image_rows(x.id, 1));
        self.axis(rec, planes, self.rows(), false, (from, HALF), (to, REAL))
    }

    /// `ds = irfft2ᵀ(dx) · scale`, with real and imaginary parts as independent variables. dx: `[N,C,H,W]`, ds:
    /// `[N,C,H,2·(W/2+1)]`.
    ///
    /// # Errors
    /// If the shapes do not fit.
    pub fn backward(&self, rec: &mut Recording, dx: Tensor, ds: Tensor) -> Result<()> {
        self.check(["ds", "dx"], ds, dx)?;
        let planes = dx.shape.n() * dx.shape.c();
        let half = rec.transient("irfft2 dcolumns", ds.shape.len());
        let (from, to) = (self.image_rows(dx.id, 1), self.half_rows(half));
        self.axis(rec, planes, self.rows(), true, (from, REAL), (to, HALF))?;
        let (from, to) = (self.half_columns(half), self.half_columns(ds.id));
        self.axis(rec, planes, self.columns(), true, (from, COMPLEX), (to, SCALED))
    }

    /// All passes along an axis. Between two passes, lines consist of complex numbers.
    fn axis(
        &self,
        rec: &mut Recording,
        planes: usize,
        axis: Axis,
        conjugate: bool,
        (mut from, load): (View, u32),
        (to, store): (View, u32),
    ) -> Result<()> {
        let roots = rec.table(format!("roots of {}", axis.n), Layout::Words, words(&roots(axis.n)));
        let scale = plain_constant(rec, "irfft2 scale".into(), &self.scale);
        let (factors, mut done) = (factors(axis.n), 1);
        for (at, &radix) in factors.iter().enumerate() {
            let (first, last) = (at == 0, at + 1 == factors.len());
            let between = if axis.along_w { self.image_rows(from.id, 2) } else { self.half_columns(from.id) };
            let to = if last {
                to
            } else {
                View { id: rec.transient("irfft2 pass", 2 * planes * between.plane), ..between }
            };
            let kernel = if radix <= REGISTERS {
                Kernel::new("irfft2", "small").with("RADIX", radix as u32)
            } else {
                Kernel::new("irfft2", "large")
            };
            let kernel = kernel
                .with("ALONG_W", axis.along_w.into())
                .with("LOAD", if first { load } else { COMPLEX })
                .with("STORE", if last { store } else { COMPLEX });
            let [plane, line, step] = [from.plane, from.line, from.step].map(|n| n as u32);
            let params = Irfft2Params {
                n: axis.n as u32,
                radix: radix as u32,
                done: done as u32,
                lines: axis.lines as u32,
                conjugate: conjugate.into(),
                x_plane: plane,
                x_line: line,
                x_step: step,
                y_plane: to.plane as u32,
                y_line: to.line as u32,
                y_step: to.step as u32,
            };
            let bindings = [
                ("x", from.id, planes * from.plane * from.parts),
                ("y", to.id, planes * to.plane * to.parts),
                ("roots", roots, 2 * axis.n),
                ("scale", scale, self.scale.len()),
            ];
            let along = if radix <= REGISTERS { axis.n / radix } else { axis.n };
            let [h, w] = if axis.along_w { [axis.lines, along] } else { [along, axis.lines] };
            let flops = 8 * (planes * axis.lines * axis.n * radix) as u64;
            rec.dispatch("irfft2", kernel, &bindings, &params, Grid::Planes { planes, h, w }, flops)?;
            done *= radix;
            from = to;
        }
        Ok(())
    }
}

/// Factors with the product n: first few and large ones that fit into registers, then the remaining primes.
fn factors(n: usize) -> Vec<usize> {
    let (mut factors, mut rest) = (Vec::new(), n);
    for radix in [8, 4, 2, 5, 3, 7].into_iter().chain(11..) {
        while rest.is_multiple_of(radix) && rest > 1 {
            factors.push(radix);
            rest /= radix;
        }
        if rest == 1 {
            break;
        }
    }
    factors
}

/// `exp(2πi k / n)` as pairs, exact where a part is a whole number.
fn roots(n: usize) -> Vec<f32> {
    let part = |quarter: usize, k: usize| {
        // The sine is the cosine of a quarter turn less. In eighths of a turn, multiples of two are exact.
        let eighths = (8 * k + (8 - 2 * quarter) * n) % (8 * n);
        match (eighths / n, eighths % n) {
            (0, 0) => 1.0,
            (4, 0) => -1.0,
            (2 | 6, 0) => 0.0,
            _ => libm::cos(eighths as f64 * std::f64::consts::TAU / (8 * n) as f64) as f32,
        }
    };
    (0..n).flat_map(|k| [part(0, k), part(1, k)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn factors_make_the_number() {
        for n in 1..=MAX_FFT_SIDE {
            let factors = factors(n);
            assert_eq!(factors.iter().product::<usize>(), n, "{factors:?}");
            assert!(factors.iter().all(|&f| f > 1), "{n}: {factors:?}");
        }
        assert_eq!((factors(224), factors(998)), (vec![8, 4, 7], vec![2, 499]));
    }

    #[test]
    fn roots_turn_once() {
        assert_eq!(roots(4), [1.0, 0.0, 0.0, 1.0, -1.0, 0.0, 0.0, -1.0]);
        for n in [1, 2, 3, 7, 224] {
            let roots = roots(n);
            for (k, w) in roots.as_chunks::<2>().0.iter().enumerate() {
                let (sin, cos) = (k as f64 * std::f64::consts::TAU / n as f64).sin_cos();
                assert!((f64::from(w[0]) - cos).abs() < 1e-7 && (f64::from(w[1]) - sin).abs() < 1e-7, "{n} {k} {w:?}");
            }
        }
    }
}
