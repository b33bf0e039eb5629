//! total_variation: the high-frequency loss `L_hf` in its four forms, value and gradient.

use super::{Schedule, Tensor, nchw, same};
use crate::error::Result;
use crate::gpu::{Grid, Kernel, Recording, TensorId};
use crate::named::named;
use crate::shape::Shape;

crate::params! {
    /// Mirrors `Params` of shaders/total_variation.wgsl.
    struct TotalVariationParams { steps: u32, h: u32, w: u32, scale_u: f32, scale_v: f32 }
}

named! {
    /// The penalty on differences between vertically and horizontally adjacent pixels, over all channels.
    HfForm {
        /// Mean of the absolute differences, one mean for each direction.
        L1 = "l1",
        /// Mean of the squared differences, one mean for each direction.
        L2 = "l2",
        /// Sum of the absolute differences (total variation).
        L1Sum = "l1-sum",
        /// The length of the two differences together, `sqrt(dx² + dy² + eps)`.
        Isotropic = "isotropic",
    }
}

/// `L_hf` of each image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TotalVariation {
    /// The form.
    pub form: HfForm,
}

impl TotalVariation {
    /// Number of partial sums of an image of this shape.
    pub fn partials(self, x: Shape) -> usize {
        x.c() * x.h()
    }

    fn params(self, x: Shape, steps: u32) -> TotalVariationParams {
        let [_, _, h, w] = x.nchw().map(|n| n as u32);
        let mean = |count: usize| if count == 0 { 0.0 } else { (1.0 / count as f64) as f32 };
        let (scale_u, scale_v) = match self.form {
            HfForm::L1 | HfForm::L2 => (mean(x.c() * x.h() * (x.w() - 1)), mean(x.c() * (x.h() - 1) * x.w())),
            HfForm::L1Sum | HfForm::Isotropic => (1.0, 1.0),
        };
        TotalVariationParams { steps, h, w, scale_u, scale_v }
    }

    /// The value of each image as partial sums, one a row of a channel, and `dx += w_hf · dL_hf/dx`, the weight from the
    /// schedule. x, dx: `[N,C,H,W]`, partial: [N, C·H].
    ///
    /// # Errors
    /// If the shapes differ, or `partial` is too small.
    pub fn step(self, rec: &mut Recording, x: Tensor, schedule: Schedule, partial: TensorId, dx: Tensor) -> Result<()> {
        nchw("total_variation", "step", x.shape)?;
        same("total_variation", "step", ["x", "dx"], x.shape, dx.shape)?;
        let rows = x.shape.n() * self.partials(x.shape);
        let [schedule_rows, clock] = schedule.bind();
        let bindings = [x.bind("x"), schedule_rows, clock, ("partial", partial, rows), dx.bind("dx")];
        let form = match self.form {
            HfForm::L1 => 0,
            HfForm::L2 => 1,
            HfForm::L1Sum => 2,
            HfForm::Isotropic => 3,
        };
        let kernel = Kernel::new("total_variation", "step").with("FORM", form);
        let grid = Grid::Workgroups([x.shape.h(), x.shape.n() * x.shape.c(), 1]);
        rec.dispatch(
            "total_variation",
            kernel,
            &bindings,
            &self.params(x.shape, schedule.clock.count()),
            grid,
            12 * x.shape.len() as u64,
        )
    }
}
