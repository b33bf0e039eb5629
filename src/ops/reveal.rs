//! reveal: shows an image on a background where a coarse mask says so, and where it does not.

use super::{Tensor, nchw, same, shape_error};
use crate::error::Result;
use crate::gpu::{Grid, Kernel, Recording};

crate::params! {
    /// Mirrors `Params` of shaders/reveal.wgsl.
    struct RevealParams { channels: u32, h: u32, w: u32, mask_h: u32, mask_w: u32 }
}

/// The longest side, so that places are exact in 32 bits.
const MAX_SIDE: usize = 1 << 14;

/// Two images of each: what a mask keeps and what it leaves.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reveal;

/// What is revealed: all `[N,C,H,W]` but the mask, `[N,1,h,w]`.
#[derive(Clone, Copy, Debug)]
struct Shapes {
    n: usize,
    image: [usize; 2],
    cells: [usize; 2],
    params: RevealParams,
}

impl Reveal {
    fn shapes(x: Tensor, b: Tensor, mask: Tensor, (name, y): (&str, Tensor)) -> Result<Shapes> {
        let wrong = |what: String| shape_error("reveal", "reveal", what);
        let [n, c, h, w] = nchw("reveal", "reveal", x.shape)?;
        same("reveal", "reveal", ["x", "b"], x.shape, b.shape)?;
        nchw("reveal", "reveal", y.shape)?;
        if y.shape != x.shape.with_batch(2 * n) {
            return Err(wrong(format!("{name} is {}, but must have two images for each of x, {}", y.shape, x.shape)));
        }
        let [mask_n, mask_c, mask_h, mask_w] = nchw("reveal", "reveal", mask.shape)?;
        if [mask_n, mask_c] != [n, 1] || mask_h > h || mask_w > w {
            let what = format!("the mask is {}, but must be [{n},1,h,w] with h up to {h} and w up to {w}", mask.shape);
            return Err(wrong(what));
        }
        if h.max(w) > MAX_SIDE {
            return Err(wrong(format!("x is {}, but sides must be at most {MAX_SIDE}", x.shape)));
        }
        let [channels, h32, w32] = [c, h, w].map(|n| n as u32);
        let params = RevealParams { channels, h: h32, w: w32, mask_h: mask_h as u32, mask_w: mask_w as u32 };
        Ok(Shapes { n, image: [h, w], cells: [mask_h, mask_w], params })
    }

    /// `y[2n] = b + u (x − b)`, `y[2n+1] = b + (1 − u) (x − b)`, where u is the mask resized to the image, bilinearly, with centres of
    /// pixels and cells half-way between their edges. x, b: `[N,C,H,W]`; mask: `[N,1,h,w]`, h ≤ H, w ≤ W; y: `[2N,C,H,W]`.
    ///
    /// # Errors
    /// If the shapes do not fit.
    pub fn forward(self, rec: &mut Recording, x: Tensor, b: Tensor, mask: Tensor, y: Tensor) -> Result<()> {
        let Shapes { n, image: [h, w], params, .. } = Self::shapes(x, b, mask, ("y", y))?;
        let bindings = [x.bind("x"), b.bind("b"), mask.bind("mask"), y.bind("y")];
        let kernel = Kernel::new("reveal", "forward");
        rec.dispatch("reveal", kernel, &bindings, &params, Grid::Planes { planes: n, h, w }, 5 * x.shape.len() as u64)
    }

    /// `dmask = Uᵀ Σ_c (x − b) (dy[2n] − dy[2n+1])`, U the resizing. dy: `[2N,C,H,W]`; x, b: `[N,C,H,W]`; dmask: `[N,1,h,w]`.
    ///
    /// # Errors
    /// If the shapes do not fit.
    pub fn backward(self, rec: &mut Recording, dy: Tensor, x: Tensor, b: Tensor, dmask: Tensor) -> Result<()> {
        let Shapes { n, cells: [h, w], params, .. } = Self::shapes(x, b, dmask, ("dy", dy))?;
        let bindings = [x.bind("x"), b.bind("b"), dy.bind("dy"), dmask.bind("dmask")];
        let kernel = Kernel::new("reveal", "backward");
        rec.dispatch("reveal", kernel, &bindings, &params, Grid::Planes { planes: n, h, w }, 4 * x.shape.len() as u64)
    }
}
