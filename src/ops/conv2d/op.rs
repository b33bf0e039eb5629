//! A convolution as an op, alone and with what it absorbs: a residual and a relu in its epilogue.

use std::sync::Arc;

use super::gemm::ImplicitGemm;
use super::pass::Pass;
use super::window::TexelGroups;
use super::{Conv2d, ConvAlgorithm, ConvAlgorithms, ConvKey, Direction};
use crate::error::Result;
use crate::gpu::{Kernel, Recording};
use crate::ops::{
    Backward, Convolution, Formats, Forward, Fusable, GradEpilogue, InputFormat, Op, Saved, Tensor, inputs, only, same,
    shape_error,
};
use crate::shape::Shape;

/// `y = conv(x)`. x: `[N,C,H,W]`, y: `[N,O,OH,OW]`. x, y and dy may be some channels of a tensor, dx may not.
impl Op for Conv2d {
    fn name(&self) -> &str {
        "conv2d"
    }

    fn output(&self, label: &str, xs: &[Shape]) -> Result<Shape> {
        self.y_shape(label, only(self.name(), label, xs)?)
    }

    fn forward(&self, cx: &mut Forward<'_>, xs: &[Tensor], y: Tensor) -> Result<Saved> {
        let x = only(self.name(), cx.label, xs)?;
        forward(self, cx, x, y, GradEpilogue::default(), false)
    }

    fn backward(&self, cx: &mut Backward<'_>) -> Result<()> {
        let ((dx, epilogue), dy, label) = (cx.gradient(0), cx.dy, cx.label);
        same("conv2d", label, ["dy", "the output"], dy.shape, self.y_shape(label, dx.shape)?)?;
        if !dx.is_whole() {
            return Err(shape_error("conv2d", label, "the gradient is not written to some channels of a tensor"));
        }
        let gemm = ImplicitGemm::backward(self, dx.shape);
        let pass = Pass { conv: self, label, gemm, x: dy, y: dx, epilogue, relu: false };
        record(cx.rec, cx.algorithms, &self.key(dx.shape, Direction::Backward), pass)
    }

    fn formats(&self, _in_place: bool) -> Formats {
        formats(self)
    }

    fn absorb(&self, next: &Fusable) -> Option<Arc<dyn Op>> {
        let plain = FusedConv2d { conv: self.clone(), residual: false, relu: false };
        Some(match next {
            Fusable::ChannelAffine(norm) => {
                let mut conv = self.clone();
                conv.norms.push(norm.clone());
                Arc::new(conv)
            }
            Fusable::Add => Arc::new(FusedConv2d { residual: true, ..plain }),
            Fusable::Relu => Arc::new(FusedConv2d { relu: true, ..plain }),
        })
    }

    fn writes_channels(&self) -> bool {
        true
    }

    fn convolution(&self, x: Shape) -> Option<Convolution<'_>> {
        Some(Convolution { op: self, keys: [Direction::Forward, Direction::Backward].map(|way| self.key(x, way)) })
    }
}

/// `y = relu(conv(x) + residual)`, with the ReLU, the residual or both. Only without a residual may y be some channels of a
/// tensor.
#[derive(Clone, Debug)]
struct FusedConv2d {
    conv: Conv2d,
    /// Whether a second input is added.
    residual: bool,
    relu: bool,
}

impl Op for FusedConv2d {
    fn name(&self) -> &str {
        "conv2d"
    }

    fn output(&self, label: &str, xs: &[Shape]) -> Result<Shape> {
        if !self.residual {
            return self.conv.output(label, xs);
        }
        let [x, residual] = inputs(self.name(), label, xs)?;
        let y = self.conv.y_shape(label, x)?;
        same("conv2d", label, ["the residual", "y"], residual, y)?;
        Ok(y)
    }

    fn forward(&self, cx: &mut Forward<'_>, xs: &[Tensor], y: Tensor) -> Result<Saved> {
        if !self.residual {
            let x = only(self.name(), cx.label, xs)?;
            return forward(&self.conv, cx, x, y, GradEpilogue::default(), self.relu);
        }
        let [x, residual] = inputs(self.name(), cx.label, xs)?;
        if !y.is_whole() {
            return Err(shape_error("conv2d", cx.label, "a residual is not added to some channels of a tensor"));
        }
        same("conv2d", cx.label, ["the residual", "y"], residual.shape, y.shape)?;
        forward(&self.conv, cx, x, y, GradEpilogue { add: Some(residual.id), mask: None }, self.relu)
    }

    fn backward(&self, cx: &mut Backward<'_>) -> Result<()> {
        if self.residual {
            cx.deliver(1, cx.dy)?;
        }
        self.conv.backward(cx)
    }

    fn formats(&self, _in_place: bool) -> Formats {
        formats(&self.conv)
    }

    fn absorb(&self, next: &Fusable) -> Option<Arc<dyn Op>> {
        match next {
            Fusable::Relu if !self.relu => Some(Arc::new(Self { relu: true, ..self.clone() })),
            _ => None,
        }
    }

    fn ends_in_relu(&self) -> bool {
        self.relu
    }

    fn writes_channels(&self) -> bool {
        !self.residual
    }

    fn convolution(&self, x: Shape) -> Option<Convolution<'_>> {
        self.conv.convolution(x)
    }
}

/// A convolution packs its input and unpacks its output if necessary, but adds a residual only in the format of the output. If a texel
/// would have channels of several groups, all is in buffers.
fn formats(conv: &Conv2d) -> Formats {
    match TexelGroups::of_conv(conv) {
        Some(_) => Formats { texels: true, first: InputFormat::Any, others: InputFormat::Output },
        None => Formats::BUFFERS,
    }
}

/// `y = relu(conv(x) + add)`. The epilogue has no mask.
fn forward(
    conv: &Conv2d,
    cx: &mut Forward<'_>,
    x: Tensor,
    y: Tensor,
    epilogue: GradEpilogue,
    relu: bool,
) -> Result<Saved> {
    let label = cx.label;
    same("conv2d", label, ["y", "the output"], y.shape, conv.y_shape(label, x.shape)?)?;
    let pass = Pass { conv, label, gemm: ImplicitGemm::forward(conv, y.shape), x, y, epilogue, relu };
    record(cx.rec, cx.algorithms, &conv.key(x.shape, Direction::Forward), pass)?;
    Ok(Saved::new())
}

/// Appends a pass by the algorithm for its key.
fn record(rec: &mut Recording, algorithms: &ConvAlgorithms, key: &ConvKey, pass: Pass<'_>) -> Result<()> {
    let algorithm = algorithms.algorithm(key);
    if !algorithm.fits(key) {
        let (window, stride) = (key.kernel, key.stride);
        let (dilation, groups) = (key.dilation, key.groups);
        let what = format!(
            "{algorithm:?} is not for windows {window:?}, stride {stride:?}, dilation {dilation:?} and {groups} groups"
        );
        return Err(shape_error("conv2d", pass.label, what));
    }
    match algorithm {
        ConvAlgorithm::Subgroup { row_groups } => {
            let kernel = Kernel::new("conv2d/subgroup", "multiply").with("ROW_GROUPS", row_groups);
            pass.multiply(rec, kernel, 4 * row_groups as usize, 1)
        }
        ConvAlgorithm::Workgroup { slices: 1 } => {
            pass.multiply(rec, Kernel::new("conv2d/workgroup", "multiply"), 64, 1)
        }
        ConvAlgorithm::Workgroup { slices } => {
            let kernel = Kernel::new("conv2d/workgroup", "multiply_part").with("SLICES", slices);
            pass.multiply(rec, kernel, 64, slices as usize)
        }
        ConvAlgorithm::Winograd(tile) => pass.winograd_in_buffers(rec, tile),
        ConvAlgorithm::Window => pass.by_windows(rec),
        ConvAlgorithm::Texels(algorithm) => pass.over_texels(rec, algorithm),
    }
}
