//! feature: a term of an objective on a module's output (a channel, a neuron, a direction or a layer); value and gradient.

use super::{Read, Slot, TermParams};
use crate::error::{Error, Result};
use crate::gpu::{Grid, Kernel, Layout, Recording, TensorId, bytemuck};
use crate::shape::Shape;

crate::params! {
    /// Mirrors `Params` of shaders/feature.wgsl.
    struct FeatureParams { term: TermParams, channels: u32, plane: u32, partials: u32, first: u32 }
}

/// The part of a module's output that counts. Each image of a batch has its own channel, position or direction.
#[derive(Clone, Debug, PartialEq)]
pub enum Feature {
    /// The mean of a channel.
    Channel,
    /// One element.
    Neuron,
    /// The mean over all positions of the dot product with a vector, `[N,C]`.
    Direction(Vec<f32>),
    /// The mean of all squares.
    Layer,
}

/// The numbers of an image. Mirrors `FeatureRow` of shaders/lib/feature_row.wgsl.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, bytemuck::Pod, bytemuck::Zeroable)]
pub struct FeatureRow {
    /// The term's weight.
    pub weight: f32,
    /// The channel.
    pub channel: u32,
    /// The position in the channel's plane, row by row.
    pub place: u32,
}

impl Feature {
    fn kernel(&self, entry: &'static str) -> Kernel {
        let unit = match self {
            Self::Channel => 0,
            Self::Neuron => 1,
            Self::Direction(_) => 2,
            Self::Layer => 3,
        };
        Kernel::new("feature", entry).with("UNIT", unit)
    }

    /// Adds `−w f` and `w f` to the slot, with each image's row, and delivers the gradient `−weight · w df/dx`. `first`: the slot is
    /// empty. x: `[N,C,H,W]`.
    ///
    /// # Errors
    /// If shapes do not fit, or a row has a channel or position outside of x.
    pub fn record(
        &self,
        rec: &mut Recording,
        label: &str,
        read: Read,
        rows: &[FeatureRow],
        slot: &Slot,
        first: bool,
    ) -> Result<()> {
        let (x, shape) = (read.x, read.x.shape);
        let [n, c, ..] = self.check(label, read, rows)?;
        let rows = constant(rec, label, "rows", bytemuck::cast_slice(rows));
        let vectors = match self {
            Self::Direction(v) => {
                let (_, id, len) = constant(rec, label, "directions", bytemuck::cast_slice(v));
                ("v", id, len)
            }
            // The kernel does not read it.
            _ => ("v", x.id, 0),
        };
        let params = FeatureParams {
            term: slot.params(),
            channels: c as u32,
            plane: shape.plane_len() as u32,
            partials: 0,
            first: 0,
        };
        let (partial, flops) =
            (("partial", rec.transient(format!("{label} parts"), n * c), n * c), 2 * shape.len() as u64);
        let bindings = [x.bind("x"), rows, vectors, partial];
        let grid = Grid::Workgroups([c, n, 1]);
        rec.dispatch(label, self.kernel("value"), &bindings, &params, grid, flops)?;
        total(rec, label, [n, c], partial.1, rows, slot, first)?;
        let [weights, clock] = slot.weight();
        let bindings = [x.bind("x"), rows, vectors, read.dx.bind("dx"), weights, clock];
        rec.dispatch(label, read.kernel(self.kernel("gradient")), &bindings, &params, planes(shape), flops)
    }

    fn check(&self, label: &str, read: Read, rows: &[FeatureRow]) -> Result<[usize; 4]> {
        let (x, extents) = (read.x.shape, read.nchw("feature")?);
        let [n, c, h, w] = extents;
        let wrong = |what: String| Err(Error::input(format!("feature ({label}): {what}")));
        if rows.len() != n {
            return wrong(format!("x is {x}, but there are {} rows", rows.len()));
        }
        let missing = |row: &&FeatureRow| row.channel as usize >= c || row.place as usize >= h * w;
        if let Some(FeatureRow { channel, place, .. }) = rows.iter().find(missing) {
            return wrong(format!("x is {x}, which has no position {place} in channel {channel}"));
        }
        match self {
            Self::Direction(v) if v.len() != n * c => {
                wrong(format!("x is {x}, but the directions have {} numbers", v.len()))
            }
            _ => Ok(extents),
        }
    }
}

/// The binding of a table.
pub(super) fn constant(
    rec: &mut Recording,
    label: &str,
    name: &'static str,
    words: &[u32],
) -> (&'static str, TensorId, usize) {
    (name, rec.table(format!("{label} {name}"), Layout::Words, words.to_vec()), words.len())
}

/// One invocation per element: position, channel and image are x, y and z of the grid.
pub(super) fn planes(x: Shape) -> Grid {
    Grid::Planes { planes: x.n(), h: x.c(), w: x.plane_len() }
}

/// Adds `weight · Σ partial[n]` to an objective's values. `first`: they are empty. partial: `[N,P]`.
pub(super) fn total(
    rec: &mut Recording,
    label: &str,
    [n, partials]: [usize; 2],
    partial: TensorId,
    rows: (&'static str, TensorId, usize),
    slot: &Slot,
    first: bool,
) -> Result<()> {
    let bindings = [("partial", partial, n * partials), rows, slot.values(n, 2)?];
    let params = FeatureParams {
        term: slot.params(),
        channels: 0,
        plane: 0,
        partials: partials as u32,
        first: u32::from(first),
    };
    let grid = Grid::Workgroups([n, 1, 1]);
    rec.dispatch(label, Kernel::new("feature", "total"), &bindings, &params, grid, (n * partials) as u64)
}
