//! diversity: how unlike the Gram matrices of a batch's images are, value and gradient. The one op in which images meet.

use super::feature::FeatureRow;
use super::{GradEpilogue, Schedule, Tensor, nchw, same, shape_error};
use crate::error::Result;
use crate::gpu::{Grid, Kernel, Recording, TensorId};
use crate::shape::Shape;

crate::params! {
    /// Mirrors `Params` of shaders/diversity.wgsl.
    struct DiversityParams { steps: u32, images: u32, channels: u32, plane: u32, sink: u32 }
}

/// Minus the mean cosine similarity of an image's Gram matrix with those of the others.
#[derive(Clone, Copy, Debug)]
pub struct Diversity {
    /// `[N,C,C]`.
    grams: TensorId,
    /// `[N,N]`.
    similar: TensorId,
}

impl Diversity {
    /// Appends the value's parts, one for each other image, for [`super::total`]. x: `[N,C,H,W]` in a buffer, partial: `[N,N]`.
    ///
    /// # Errors
    /// If there is only one image.
    pub fn value(rec: &mut Recording, label: &str, x: Tensor, partial: TensorId) -> Result<Self> {
        let [n, c, ..] = nchw("diversity", label, x.shape)?;
        if n < 2 {
            return Err(shape_error("diversity", label, "it needs at least two images in the batch, but there is one"));
        }
        let (grams, similar) = (rec.transient(format!("{label} grams"), n * c * c), rec.transient("similarity", n * n));
        let (this, params) = (Self { grams, similar }, params(x.shape, 1, GradEpilogue::default()));
        let kernel = |entry| Kernel::new("diversity", entry);
        let (matrices, pairs) = (("grams", grams, n * c * c), ("similar", similar, n * n));
        let (elements, flops) = (Grid::Planes { planes: n, h: c, w: c }, 2 * (c * x.shape.len()) as u64);
        rec.dispatch(label, kernel("gram"), &[x.bind("x"), ("out", grams, n * c * c)], &params, elements, flops)?;
        let (grid, flops) = (Grid::Workgroups([n, n, 1]), 2 * (n * n * c * c) as u64);
        rec.dispatch(label, kernel("similarity"), &[matrices, ("out", similar, n * n)], &params, grid, flops)?;
        let grid = Grid::Planes { planes: 1, h: n, w: n };
        rec.dispatch(label, kernel("value"), &[pairs, ("out", partial, n * n)], &params, grid, (n * n) as u64)?;
        Ok(this)
    }

    /// `dx = sink(−w_class · weight · df/dx)` with the other images held still, w_class from the schedule. x, dx: `[N,C,H,W]`
    /// in buffers, rows: `[N]` of [`FeatureRow`].
    ///
    /// # Errors
    /// If the shapes differ.
    pub fn gradient(
        self,
        rec: &mut Recording,
        label: &str,
        [x, dx]: [Tensor; 2],
        rows: TensorId,
        schedule: Schedule,
        sink: GradEpilogue,
    ) -> Result<()> {
        same("diversity", label, ["x", "dx"], x.shape, dx.shape)?;
        let [n, c, ..] = nchw("diversity", label, x.shape)?;
        let mixed = rec.transient(format!("{label} mixed grams"), n * c * c);
        let bindings = [("grams", self.grams, n * c * c), ("similar", self.similar, n * n), ("out", mixed, n * c * c)];
        let (grid, flops) = (Grid::Planes { planes: n, h: c, w: c }, 4 * (n * n * c * c) as u64);
        let mix = Kernel::new("diversity", "mix");
        rec.dispatch(label, mix, &bindings, &params(x.shape, 1, GradEpilogue::default()), grid, flops)?;
        let [add, mask] = sink.bind(x.id, x.shape.len());
        let [schedule_rows, clock] = schedule.bind();
        let bindings = [
            x.bind("x"),
            ("rows", rows, FeatureRow::LEN * n),
            ("mixed", mixed, n * c * c),
            dx.bind("out"),
            schedule_rows,
            clock,
            add,
            mask,
        ];
        let (kernel, flops) = (Kernel::new("diversity", "gradient"), 2 * (c * x.shape.len()) as u64);
        rec.dispatch(label, kernel, &bindings, &params(x.shape, schedule.clock.count(), sink), x.grid(), flops)
    }
}

fn params(x: Shape, steps: u32, sink: GradEpilogue) -> DiversityParams {
    let [images, channels] = [x.n(), x.c()].map(|n| n as u32);
    DiversityParams { steps, images, channels, plane: x.plane_len() as u32, sink: sink.flags() }
}
