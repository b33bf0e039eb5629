//! A convolution as a graph's op, alone and with what it absorbs: a residual and a relu in its epilogue.

use std::sync::Arc;

use super::{Conv2d, Epilogue};
use crate::error::Result;
use crate::ops::{Backward, Formats, Forward, Fusable, InputFormat, Op, Saved, Tensor, inputs, only, same};
use crate::shape::Shape;

impl Op for Conv2d {
    fn name(&self) -> &str {
        "conv2d"
    }

    fn output(&self, label: &str, xs: &[Shape]) -> Result<Shape> {
        self.output(label, only(self.name(), label, xs)?)
    }

    fn forward(&self, cx: &mut Forward<'_>, xs: &[Tensor], y: Tensor) -> Result<Saved> {
        record(self, cx, xs[0], y, Epilogue::default())
    }

    fn backward(&self, cx: &mut Backward<'_>) -> Result<()> {
        let algorithm = cx.algorithms.variant(self, cx.xs[0].shape, true);
        let (dx, epilogue) = cx.gradient(0);
        self.backward(cx.rec, cx.label, cx.dy, dx, epilogue, algorithm)
    }

    fn formats(&self, _in_place: bool) -> Formats {
        FORMATS
    }

    fn absorb(&self, next: &Fusable) -> Option<Arc<dyn Op>> {
        let plain = FusedConv2d { conv: self.clone(), residual: false, relu: false };
        Some(match next {
            Fusable::ScaleShift(norm) => {
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

    fn convolution(&self) -> Option<&Conv2d> {
        Some(self)
    }
}

/// `y = relu(conv(x) + residual)`, without the one or the other.
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
            return self.conv.output(label, only(self.name(), label, xs)?);
        }
        let [x, residual] = inputs(self.name(), label, xs)?;
        let y = self.conv.output(label, x)?;
        same("conv2d", label, ["the residual", "y"], residual, y)?;
        Ok(y)
    }

    fn forward(&self, cx: &mut Forward<'_>, xs: &[Tensor], y: Tensor) -> Result<Saved> {
        let epilogue = Epilogue { residual: xs.get(1).map(|t| t.id), relu: self.relu };
        record(&self.conv, cx, xs[0], y, epilogue)
    }

    fn backward(&self, cx: &mut Backward<'_>) -> Result<()> {
        if self.residual {
            cx.deliver(1, cx.dy)?;
        }
        Op::backward(&self.conv, cx)
    }

    fn formats(&self, _in_place: bool) -> Formats {
        FORMATS
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

    fn convolution(&self) -> Option<&Conv2d> {
        Some(&self.conv)
    }
}

/// Packs its input and unpacks its output if need be, but adds a residual only in the output's format.
const FORMATS: Formats = Formats { texels: true, first: InputFormat::Any, others: InputFormat::Output };

fn record(conv: &Conv2d, cx: &mut Forward<'_>, x: Tensor, y: Tensor, epilogue: Epilogue) -> Result<Saved> {
    let algorithm = cx.algorithms.variant(conv, x.shape, false);
    conv.forward(cx.rec, cx.label, x, y, epilogue, algorithm)?;
    Ok(Saved::new())
}
