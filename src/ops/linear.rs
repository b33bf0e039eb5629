//! linear: `y = x wᵀ + b`, `dx = dy w`.

use std::sync::Arc;

use super::{Backward, Conv2d, Forward, GradEpilogue, Op, Saved, Tensor, nchw, only, plain_constant, shape_error};
use crate::error::Result;
use crate::gpu::{Grid, Kernel, Layout, Recording, Sources, TensorId};
use crate::shape::Shape;

crate::params! {
    /// Mirrors `Params` of shaders/linear.wgsl.
    struct LinearParams { images: u32, inputs: u32, outputs: u32, epilogue: u32, first: u32, count: u32 }
}

/// The most weights in one buffer: 128 MiB, which WebGPU promises, less what tests put around a tensor. More are bound in slices, one dispatch each.
const MAX_WEIGHTS: usize = (128 << 20) / 4 - 1024;

/// The columns of a matrix with these many rows, in as few parts as buffers allow: the first column of each, and their number.
fn slices(columns: usize, rows: usize) -> impl Iterator<Item = (usize, usize)> {
    let most = (MAX_WEIGHTS / rows.max(1)).max(1);
    let each = columns.div_ceil(columns.div_ceil(most).max(1)).max(1);
    (0..columns).step_by(each).map(move |first| (first, each.min(columns - first)))
}

/// `torch.nn.functional.linear`: `y[n,o] = Σ_c w[o,c] x[n,c] + b[o]`. x: `[N,C,1,1]`, y: `[N,O,1,1]`.
#[derive(Clone, Debug)]
pub struct Linear {
    /// `[O, C]`, row-major.
    pub w: Arc<[f32]>,
    /// `[O]`.
    pub b: Arc<[f32]>,
}

impl Linear {
    fn params(&self, label: &str, x: Tensor, y: Tensor, epilogue: GradEpilogue) -> Result<LinearParams> {
        let (inputs, outputs) = (x.shape.image_len(), y.shape.image_len());
        nchw("linear", label, x.shape)?;
        nchw("linear", label, y.shape)?;
        if self.w.len() != inputs.saturating_mul(outputs) || self.b.len() != outputs || x.shape.n() != y.shape.n() {
            let what = format!("x {}, y {}, {} weights and {} biases", x.shape, y.shape, self.w.len(), self.b.len());
            return Err(shape_error("linear", label, what));
        }
        let images = x.shape.n() as u32;
        let (inputs, outputs, epilogue) = (inputs as u32, outputs as u32, epilogue.flags());
        Ok(LinearParams { images, inputs, outputs, epilogue, first: 0, count: 0 })
    }

    /// Some columns of w transposed, `[C, count]`, for these outputs.
    fn transposed(&self, rec: &mut Recording, label: &str, inputs: usize, (first, count): (usize, usize)) -> TensorId {
        let (w, outputs) = (Arc::clone(&self.w), self.b.len());
        let packing = format!("linear {outputs}x{inputs} transposed, {count} from {first}");
        rec.constant(
            format!("{label} w transposed"),
            Sources::of(&self.w),
            packing,
            inputs * count,
            Layout::Words,
            move || Ok((0..inputs * count).map(|i| w[(first + i % count) * inputs + i / count].to_bits()).collect()),
        )
    }

    /// Some columns of w, `[O, count]`, for these inputs.
    fn columns(&self, rec: &mut Recording, label: &str, inputs: usize, (first, count): (usize, usize)) -> TensorId {
        if count == inputs {
            return plain_constant(rec, format!("{label} w"), &self.w);
        }
        let (w, outputs) = (Arc::clone(&self.w), self.b.len());
        let packing = format!("linear {outputs}x{inputs}, {count} from {first}");
        rec.constant(format!("{label} w"), Sources::of(&self.w), packing, outputs * count, Layout::Words, move || {
            let rows = w.chunks_exact(inputs).flat_map(|row| &row[first..first + count]);
            Ok(rows.map(|w| w.to_bits()).collect())
        })
    }
}

impl Op for Linear {
    fn name(&self) -> &str {
        "linear"
    }

    fn output(&self, label: &str, xs: &[Shape]) -> Result<Shape> {
        let x = only(self.name(), label, xs)?;
        let [n, ..] = nchw("linear", label, x)?;
        let (inputs, outputs, weights) = (x.image_len(), self.b.len(), self.w.len());
        if weights != inputs * outputs {
            let needed = inputs * outputs;
            let what = format!(
                "x {x} has {inputs} elements an image, and {outputs} outputs need {needed} weights, not {weights}"
            );
            return Err(shape_error("linear", label, what));
        }
        Ok(Shape::new(n, outputs, 1, 1))
    }

    fn forward(&self, cx: &mut Forward<'_>, xs: &[Tensor], y: Tensor) -> Result<Saved> {
        let (x, label) = (only(self.name(), cx.label, xs)?, cx.label);
        let params = self.params(label, x, y, GradEpilogue::default())?;
        let (inputs, outputs, images) = (params.inputs as usize, params.outputs as usize, params.images as usize);
        let b = plain_constant(cx.rec, format!("{label} b"), &self.b);
        for (first, count) in slices(outputs, inputs) {
            let wt = self.transposed(cx.rec, label, inputs, (first, count));
            let params = LinearParams { first: first as u32, count: count as u32, ..params };
            let bindings = [x.bind("x"), ("wt", wt, inputs * count), ("b", b, outputs), y.bind("y")];
            let (kernel, flops) = (Kernel::new("linear", "forward"), 2 * (images * count * inputs) as u64);
            cx.rec.dispatch(label, kernel, &bindings, &params, Grid::Each(images * count), flops)?;
        }
        Ok(Saved::new())
    }

    /// `dx[n,c] = Σ_o w[o,c] dy[n,o]`.
    fn backward(&self, cx: &mut Backward<'_>) -> Result<()> {
        let ((dx, epilogue), dy, label) = (cx.gradient(0), cx.dy, cx.label);
        let params = self.params(label, dx, dy, epilogue)?;
        let (inputs, outputs, images) = (params.inputs as usize, params.outputs as usize, params.images as usize);
        let [add, mask] = epilogue.bind(dy.id, dx.shape.len());
        for (first, count) in slices(inputs, outputs) {
            let w = self.columns(cx.rec, label, inputs, (first, count));
            let params = LinearParams { first: first as u32, count: count as u32, ..params };
            let bindings = [dy.bind("dy"), ("w", w, outputs * count), dx.bind("dx"), add, mask];
            let (kernel, flops) = (Kernel::new("linear", "backward"), 2 * (images * count * outputs) as u64);
            cx.rec.dispatch(label, kernel, &bindings, &params, Grid::Each(images * count), flops)?;
        }
        Ok(())
    }

    /// A convolution with windows as large as x, unless the weights are too many for one buffer, which a convolution needs.
    fn lowered(&self, xs: &[Shape]) -> Option<Arc<dyn Op>> {
        if self.w.len() > MAX_WEIGHTS {
            return None;
        }
        let [_, c, h, w] = xs.first()?.nchw();
        let conv = Conv2d::new(Arc::clone(&self.w), [self.b.len(), c, h, w], Some(Arc::clone(&self.b)), [1, 1], [0; 4]);
        Some(Arc::new(conv))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_in_as_few_parts_as_buffers_allow() {
        let parts = |columns, rows| slices(columns, rows).collect::<Vec<_>>();
        assert_eq!(parts(1000, 512), [(0, 1000)]);
        assert_eq!(parts(9216, 4096), [(0, 4608), (4608, 4608)]);
        let vgg = parts(4096, 25088);
        assert_eq!((vgg.len(), vgg[3]), (4, (3072, 1024)));
        assert_eq!(parts(3, MAX_WEIGHTS), [(0, 1), (1, 1), (2, 1)]);
    }
}
