//! feature: a term of an objective on a module's output, value and gradient: a channel, a neuron, a direction, a layer.

use super::{GradEpilogue, Schedule, Tensor, nchw, same};
use crate::error::Result;
use crate::gpu::{Grid, Kernel, Recording, TensorId};

crate::params! {
    /// Mirrors `Params` of shaders/feature.wgsl.
    struct FeatureParams { steps: u32, channels: u32, plane: u32, partials: u32, first: u32, sink: u32 }
}

/// What of a module's output counts, for each image of a batch in its own channel, place or direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Feature {
    /// The mean of a channel.
    Channel,
    /// One element.
    Neuron,
    /// The mean over all places of the dot product with a vector, `[N,C]`.
    Direction(TensorId),
    /// The mean of all squares.
    Layer,
}

/// An image's numbers; mirrors `Row` of shaders/feature.wgsl.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, bytemuck::Pod, bytemuck::Zeroable)]
pub struct FeatureRow {
    /// What the term is multiplied by.
    pub weight: f32,
    /// The channel.
    pub channel: u32,
    /// The place in its plane, row by row.
    pub place: u32,
}

impl FeatureRow {
    /// 32-bit words of a row.
    pub const LEN: usize = 3;
}

impl Feature {
    fn kernel(self, entry: &'static str) -> Kernel {
        let unit = match self {
            Self::Channel => 0,
            Self::Neuron => 1,
            Self::Direction(_) => 2,
            Self::Layer => 3,
        };
        Kernel::new("feature", entry).with("UNIT", unit)
    }

    /// The vectors; where there are none, something else that is read.
    fn vectors(self, x: Tensor) -> (&'static str, TensorId, usize) {
        match self {
            Self::Direction(v) => ("v", v, x.shape.n() * x.shape.c()),
            _ => ("v", x.id, 0),
        }
    }

    /// The term's parts, one a channel, for [`total`]. x: `[N,C,H,W]` in a buffer, rows: `[N]` of [`FeatureRow`],
    /// partial: `[N,C]`.
    ///
    /// # Errors
    /// If a tensor is shorter than that.
    pub fn value(self, rec: &mut Recording, label: &str, x: Tensor, rows: TensorId, partial: TensorId) -> Result<()> {
        let [n, c, ..] = nchw("feature", label, x.shape)?;
        let planes = n * c;
        let bindings =
            [x.bind("x"), ("rows", rows, FeatureRow::LEN * x.shape.n()), self.vectors(x), ("partial", partial, planes)];
        let grid = Grid::Workgroups([x.shape.c(), x.shape.n(), 1]);
        rec.dispatch(
            label,
            self.kernel("value"),
            &bindings,
            &params(x, 1, GradEpilogue::default()),
            grid,
            2 * x.shape.len() as u64,
        )
    }

    /// `dx = sink(−w_class · weight · df/dx)`, w_class from the schedule. x, dx: `[N,C,H,W]` in buffers.
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
        nchw("feature", label, x.shape)?;
        same("feature", label, ["x", "dx"], x.shape, dx.shape)?;
        let [add, mask] = sink.bind(x.id, x.shape.len());
        let [schedule_rows, clock] = schedule.bind();
        let bindings = [
            x.bind("x"),
            ("rows", rows, FeatureRow::LEN * x.shape.n()),
            self.vectors(x),
            dx.bind("dx"),
            schedule_rows,
            clock,
            add,
            mask,
        ];
        rec.dispatch(
            label,
            self.kernel("gradient"),
            &bindings,
            &params(x, schedule.clock.count(), sink),
            x.grid(),
            2 * x.shape.len() as u64,
        )
    }
}

fn params(x: Tensor, steps: u32, sink: GradEpilogue) -> FeatureParams {
    let (channels, plane) = (x.shape.c() as u32, x.shape.plane_len() as u32);
    FeatureParams { steps, channels, plane, partials: 0, first: 0, sink: sink.flags() }
}

/// `values[n]` gains the term: `weight · Σ partial[n]`, as `(L_pv, Σ w f, 0, −Σ w f)`. `first`: there is nothing in `values` yet.
/// partial: `[N,P]`, values: `[N,4]`.
///
/// # Errors
/// If a tensor is shorter than that.
pub fn total(
    rec: &mut Recording,
    label: &str,
    [n, partials]: [usize; 2],
    [partial, rows, values]: [TensorId; 3],
    first: bool,
) -> Result<()> {
    let bindings = [("partial", partial, n * partials), ("rows", rows, FeatureRow::LEN * n), ("values", values, 4 * n)];
    let params =
        FeatureParams { steps: 1, channels: 0, plane: 0, partials: partials as u32, first: u32::from(first), sink: 0 };
    let grid = Grid::Workgroups([n, 1, 1]);
    rec.dispatch(label, Kernel::new("feature", "total"), &bindings, &params, grid, (n * partials) as u64)
}
