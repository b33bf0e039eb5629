//! linear: `y = x wᵀ + b`, `dx = dy w`.

use std::sync::Arc;

use super::{Backward, Conv2d, Forward, GradEpilogue, Op, Saved, Tensor, nchw, only, plain_constant, shape_error};
use crate::error::Result;
use crate::gpu::{Grid, Kernel, Layout, Sources};
use crate::shape::Shape;

crate::params! {
    /// Mirrors `Params` of shaders/linear.wgsl.
    struct LinearParams { images: u32, inputs: u32, outputs: u32, epilogue: u32 }
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
        Ok(LinearParams { images, inputs: inputs as u32, outputs: outputs as u32, epilogue: epilogue.flags() })
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
        let (inputs, outputs) = (params.inputs as usize, params.outputs as usize);
        let w = Arc::clone(&self.w);
        let (w_source, packing) = (Sources::of(&w), format!("linear {outputs}x{inputs} transposed"));
        let wt =
            cx.rec.constant(format!("{label} w transposed"), w_source, packing, w.len(), Layout::Words, move || {
                Ok((0..w.len()).map(|i| w[i % outputs * inputs + i / outputs].to_bits()).collect())
            });
        let b = plain_constant(cx.rec, format!("{label} b"), &self.b);
        let bindings = [x.bind("x"), ("wt", wt, inputs * outputs), ("b", b, outputs), y.bind("y")];
        let (kernel, flops) = (Kernel::new("linear", "forward"), 2 * (y.shape.len() * inputs) as u64);
        cx.rec.dispatch(label, kernel, &bindings, &params, Grid::Each(y.shape.len()), flops)?;
        Ok(Saved::new())
    }

    /// `dx[n,c] = Σ_o w[o,c] dy[n,o]`.
    fn backward(&self, cx: &mut Backward<'_>) -> Result<()> {
        let ((dx, epilogue), dy, label) = (cx.gradient(0), cx.dy, cx.label);
        let params = self.params(label, dx, dy, epilogue)?;
        let w = plain_constant(cx.rec, format!("{label} w"), &self.w);
        let len = dx.shape.len();
        let [add, mask] = epilogue.bind(dy.id, len);
        let bindings = [dy.bind("dy"), ("w", w, self.w.len()), dx.bind("dx"), add, mask];
        let flops = 2 * (dy.shape.len() * params.inputs as usize) as u64;
        cx.rec.dispatch(label, Kernel::new("linear", "backward"), &bindings, &params, Grid::Each(len), flops)
    }

    /// A convolution with windows as large as x.
    fn lowered(&self, xs: &[Shape]) -> Option<Arc<dyn Op>> {
        let [_, c, h, w] = xs.first()?.nchw();
        let conv = Conv2d::new(Arc::clone(&self.w), [self.b.len(), c, h, w], Some(Arc::clone(&self.b)), [1, 1], [0; 4]);
        Some(Arc::new(conv))
    }
}
