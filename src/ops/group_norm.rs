//! group_norm, instance_norm and layer_norm: each row of neighbouring elements gets mean 0 and variance 1, then a weight and a bias.

use std::sync::Arc;

use super::axes::workgroup_each;
use super::{Backward, Forward, GradEpilogue, Op, Saved, Tensor, countable, only, plain_constant, same, shape_error};
use crate::error::Result;
use crate::gpu::{Kernel, Recording, TensorId};
use crate::shape::Shape;

crate::params! {
    /// Mirrors `Params` of shaders/group_norm.wgsl.
    struct GroupNormParams { rows: u32, len: u32, period: u32, run: u32, eps: f32, epilogue: u32 }
}

/// `torch.nn.functional.group_norm` of `[N,C,…]`, in buffers: mean and variance over the channels of a group and all that comes after them. With as
/// many groups as channels it is `instance_norm`.
#[derive(Clone, Debug, PartialEq)]
pub struct GroupNorm {
    /// The number of groups, which divides that of channels.
    pub groups: usize,
    /// A factor for each channel, or none.
    pub weight: Option<Arc<[f32]>>,
    /// An addend for each channel, or none.
    pub bias: Option<Arc<[f32]>>,
    /// Added to the variance; PyTorch's default is 1e-5.
    pub eps: f32,
}

/// `torch.nn.functional.layer_norm` of `[N,…]`, in buffers: mean and variance over the last axes.
#[derive(Clone, Debug, PartialEq)]
pub struct LayerNorm {
    /// How many axes, without the first, which is the batch.
    pub axes: usize,
    /// A factor for each element of these axes, or none.
    pub weight: Option<Arc<[f32]>>,
    /// An addend for each element of these axes, or none.
    pub bias: Option<Arc<[f32]>>,
    /// Added to the variance; PyTorch's default is 1e-5.
    pub eps: f32,
}

/// What both have in common for their kernels.
struct Rows<'a> {
    name: &'static str,
    params: GroupNormParams,
    weight: &'a Option<Arc<[f32]>>,
    bias: &'a Option<Arc<[f32]>>,
}

impl Rows<'_> {
    /// Checks that weight and bias have as many elements.
    fn checked(self, label: &str, elements: usize) -> Result<Self> {
        for (name, values) in [("weight", self.weight), ("bias", self.bias)] {
            if let Some(len) = values.as_ref().map(|values| values.len()).filter(|&len| len != elements) {
                return Err(shape_error(self.name, label, format!("the {name} has {len} elements, not {elements}")));
            }
        }
        Ok(self)
    }

    /// The binding of weight or bias; `spare` if there is none.
    fn bind(
        rec: &mut Recording,
        label: &str,
        name: &'static str,
        values: &Option<Arc<[f32]>>,
        spare: TensorId,
    ) -> (&'static str, TensorId, usize) {
        match values {
            Some(values) => (name, plain_constant(rec, format!("{label} {name}"), values), values.len()),
            None => (name, spare, 0),
        }
    }

    fn kernel(&self, entry: &'static str) -> Kernel {
        Kernel::new("group_norm", entry).with("WEIGHT", u32::from(self.weight.is_some()))
    }

    fn forward(&self, cx: &mut Forward<'_>, x: Tensor, y: Tensor) -> Result<Saved> {
        let label = cx.label;
        same(self.name, label, ["x", "y"], x.shape, y.shape)?;
        let w = Self::bind(cx.rec, label, "w", self.weight, x.id);
        let b = Self::bind(cx.rec, label, "b", self.bias, x.id);
        let kernel = self.kernel("forward").with("BIAS", u32::from(self.bias.is_some()));
        let (bindings, grid) = ([x.bind("x"), w, b, y.bind("y")], workgroup_each(self.params.rows as usize));
        cx.rec.dispatch(label, kernel, &bindings, &self.params, grid, 8 * x.shape.len() as u64)?;
        Ok(Saved::new())
    }

    fn backward(&self, cx: &mut Backward<'_>, x: Tensor, (dx, epilogue): (Tensor, GradEpilogue)) -> Result<()> {
        let (dy, label) = (cx.dy, cx.label);
        same(self.name, label, ["x", "dx"], x.shape, dx.shape)?;
        same(self.name, label, ["dy", "dx"], dy.shape, dx.shape)?;
        let w = Self::bind(cx.rec, label, "w", self.weight, x.id);
        let [add, mask] = epilogue.bind(dy.id, dx.shape.len());
        let bindings = [x.bind("x"), w, dy.bind("dy"), dx.bind("dx"), add, mask];
        let params = GroupNormParams { epilogue: epilogue.flags(), ..self.params };
        let grid = workgroup_each(params.rows as usize);
        cx.rec.dispatch(label, self.kernel("backward"), &bindings, &params, grid, 16 * dx.shape.len() as u64)
    }
}

impl GroupNorm {
    fn rows(&self, label: &str, x: Shape) -> Result<Rows<'_>> {
        countable("group_norm", label, "x", x)?;
        let channels = x.extents().get(1).copied().unwrap_or(0);
        if channels == 0 || self.groups == 0 || !channels.is_multiple_of(self.groups) {
            return Err(shape_error(
                "group_norm",
                label,
                format!("no {} groups of the channels of x {x}", self.groups),
            ));
        }
        let len = x.image_len() / self.groups;
        let params = GroupNormParams {
            rows: (x.len() / len) as u32,
            len: len as u32,
            period: self.groups as u32,
            run: (x.image_len() / channels) as u32,
            eps: self.eps,
            epilogue: 0,
        };
        Rows { name: "group_norm", params, weight: &self.weight, bias: &self.bias }.checked(label, channels)
    }
}

impl LayerNorm {
    fn rows(&self, label: &str, x: Shape) -> Result<Rows<'_>> {
        countable("layer_norm", label, "x", x)?;
        if self.axes == 0 || self.axes >= x.rank() {
            let what = format!("x {x} has no {} last axes besides the batch", self.axes);
            return Err(shape_error("layer_norm", label, what));
        }
        let len: usize = x.extents()[x.rank() - self.axes..].iter().product();
        let rows = (x.len() / len) as u32;
        let params = GroupNormParams { rows, len: len as u32, period: 1, run: 1, eps: self.eps, epilogue: 0 };
        Rows { name: "layer_norm", params, weight: &self.weight, bias: &self.bias }.checked(label, len)
    }
}

impl Op for GroupNorm {
    fn name(&self) -> &str {
        "group_norm"
    }

    fn output(&self, label: &str, xs: &[Shape]) -> Result<Shape> {
        let x = only(self.name(), label, xs)?;
        self.rows(label, x)?;
        Ok(x)
    }

    /// `y = (x − mean) / √(variance + eps) · weight[c] + bias[c]`, mean and variance over a group. x, y: `[N,C,…]`.
    fn forward(&self, cx: &mut Forward<'_>, xs: &[Tensor], y: Tensor) -> Result<Saved> {
        let x = only(self.name(), cx.label, xs)?;
        self.rows(cx.label, x.shape)?.forward(cx, x, y)
    }

    /// `dx = r (g − mean(g) − z mean(g z))` with `g = dy · weight[c]`, z the normalised x and `r = 1/√(variance + eps)`.
    fn backward(&self, cx: &mut Backward<'_>) -> Result<()> {
        let (x, into) = (only(self.name(), cx.label, cx.xs)?, cx.gradient(0));
        self.rows(cx.label, x.shape)?.backward(cx, x, into)
    }
}

impl Op for LayerNorm {
    fn name(&self) -> &str {
        "layer_norm"
    }

    fn output(&self, label: &str, xs: &[Shape]) -> Result<Shape> {
        let x = only(self.name(), label, xs)?;
        self.rows(label, x)?;
        Ok(x)
    }

    /// `y = (x − mean) / √(variance + eps) · weight + bias`, mean and variance over the last axes. x, y: `[N,…]`.
    fn forward(&self, cx: &mut Forward<'_>, xs: &[Tensor], y: Tensor) -> Result<Saved> {
        let x = only(self.name(), cx.label, xs)?;
        self.rows(cx.label, x.shape)?.forward(cx, x, y)
    }

    /// As that of [`GroupNorm`].
    fn backward(&self, cx: &mut Backward<'_>) -> Result<()> {
        let (x, into) = (only(self.name(), cx.label, cx.xs)?, cx.gradient(0));
        self.rows(cx.label, x.shape)?.backward(cx, x, into)
    }
}
