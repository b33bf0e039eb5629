//! diversity: how much the Gram matrices of images differ, over a batch or within groups of it; value and gradient.

use super::feature::{FeatureRow, constant, planes, total};
use super::{Read, Slot, TermParams};
use crate::error::{Error, Result};
use crate::gpu::{Grid, Kernel, Recording, bytemuck};

crate::params! {
    /// Mirrors `Params` of shaders/diversity.wgsl.
    struct DiversityParams { term: TermParams, images: u32, channels: u32, plane: u32 }
}

/// Minus the mean cosine similarity between an image's Gram matrix and those of the other images.
#[derive(Clone, Copy, Debug)]
pub struct Diversity;

impl Diversity {
    /// Adds `−w f` and `w f` to the slot, with each image's weight w, and delivers the gradient `−weight · w df/dx`, in which the other
    /// images are constant. `first`: the slot is empty. x: `[N,C,H,W]`.
    ///
    /// # Errors
    /// If there is only one image, or shapes do not fit.
    pub fn record(
        self,
        rec: &mut Recording,
        label: &str,
        read: Read,
        weights: &[f32],
        slot: &Slot,
        first: bool,
    ) -> Result<()> {
        let row = |&weight: &f32| FeatureRow { weight, channel: 0, place: 0 };
        self.record_within(rec, label, read, &weights.iter().map(row).collect::<Vec<_>>(), slot, first)
    }

    /// The same, in which an image is compared only with those of the same group. A row has an image's weight and, as its channel, the number of
    /// its group. An image that is alone has the value 0.
    ///
    /// # Errors
    /// As of [`Diversity::record`].
    pub fn record_within(
        self,
        rec: &mut Recording,
        label: &str,
        read: Read,
        rows: &[FeatureRow],
        slot: &Slot,
        first: bool,
    ) -> Result<()> {
        let (x, [n, c, h, w]) = (read.x, read.nchw("diversity")?);
        let wrong = |what: String| Err(Error::input(format!("diversity ({label}): {what}")));
        if n < 2 {
            return wrong("the batch has one image, but it needs at least two images to compare".into());
        }
        if rows.len() != n {
            return wrong(format!("x is {}, but there are {} weights", x.shape, rows.len()));
        }
        let matrices = n * c * c;
        let grams = ("grams", rec.transient(format!("{label} grams"), matrices), matrices);
        let similar = ("similar", rec.transient("similarity", n * n), n * n);
        let parts = rec.transient(format!("{label} parts"), n * n);
        let [images, channels] = [n, c].map(|n| n as u32);
        let params = DiversityParams { term: slot.params(), images, channels, plane: (h * w) as u32 };
        let kernel = |entry| Kernel::new("diversity", entry);
        let rows = constant(rec, label, "rows", bytemuck::cast_slice(rows));
        let (elements, flops) = (Grid::Planes { planes: n, h: c, w: c }, 2 * (c * x.shape.len()) as u64);
        rec.dispatch(label, kernel("gram"), &[x.bind("x"), ("out", grams.1, matrices)], &params, elements, flops)?;
        let (grid, flops) = (Grid::Workgroups([n, n, 1]), 2 * (n * n * c * c) as u64);
        rec.dispatch(label, kernel("similarity"), &[grams, ("out", similar.1, n * n)], &params, grid, flops)?;
        let grid = Grid::Planes { planes: 1, h: n, w: n };
        rec.dispatch(label, kernel("value"), &[similar, rows, ("out", parts, n * n)], &params, grid, (n * n) as u64)?;
        total(rec, label, [n, n], parts, rows, slot, first)?;
        let mixed = rec.transient(format!("{label} mixed grams"), matrices);
        let flops = 4 * (n * n * c * c) as u64;
        rec.dispatch(
            label,
            kernel("mix"),
            &[grams, similar, rows, ("out", mixed, matrices)],
            &params,
            elements,
            flops,
        )?;
        let [weights, clock] = slot.weight();
        let bindings = [x.bind("x"), rows, ("mixed", mixed, matrices), read.dx.bind("dx"), weights, clock];
        let flops = 2 * (c * x.shape.len()) as u64;
        rec.dispatch(label, read.kernel(kernel("gradient")), &bindings, &params, planes(x.shape), flops)
    }
}
