//! reshape: the same elements in another shape. In a graph the output is the input itself under another shape, and the gradient likewise, so
//! nothing is dispatched.

use super::{Backward, Forward, Op, Saved, Tensor, cat, countable, only, same, shape_error};
use crate::error::Result;
use crate::shape::Shape;

/// `torch.reshape` of each image: the extents of y after the batch. 0 is the extent that x has there, as in ONNX, and −1, at most once, is what the
/// others leave. `[-1]` is `torch.flatten(x, 1)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reshape(pub Vec<i64>);

impl Op for Reshape {
    fn name(&self) -> &str {
        "reshape"
    }

    fn output(&self, label: &str, xs: &[Shape]) -> Result<Shape> {
        let x = only(self.name(), label, xs)?;
        countable("reshape", label, "x", x)?;
        let wrong = || shape_error("reshape", label, format!("x {x} cannot become {:?} after the batch", self.0));
        let n = *x.extents().first().ok_or_else(wrong)?;
        let extent = |(i, &to): (usize, &i64)| match to {
            0 => x.extents().get(i + 1).copied(),
            -1 => Some(1),
            _ => usize::try_from(to).ok(),
        };
        let mut extents: Vec<usize> = self.0.iter().enumerate().map(extent).collect::<Option<_>>().ok_or_else(wrong)?;
        let known = extents.iter().fold(1usize, |all, &extent| all.saturating_mul(extent));
        let mut open = (0..extents.len()).filter(|&i| self.0[i] == -1);
        if let Some(i) = open.next() {
            extents[i] = x.image_len().checked_div(known).ok_or_else(wrong)?;
        }
        let y = Shape::of(&[&[n], &extents[..]].concat())?;
        if y.len() != x.len() || open.next().is_some() {
            return Err(wrong());
        }
        Ok(y)
    }

    /// Copies x if y is not x itself.
    fn forward(&self, cx: &mut Forward<'_>, xs: &[Tensor], y: Tensor) -> Result<Saved> {
        let x = only(self.name(), cx.label, xs)?;
        same("reshape", cx.label, ["y", "the output"], y.shape, self.output(cx.label, &[x.shape])?)?;
        if x.id != y.id {
            cat::copy(cx.rec, cx.label, x, Tensor::new(y.id, x.shape))?;
        }
        Ok(Saved::new())
    }

    fn backward(&self, cx: &mut Backward<'_>) -> Result<()> {
        let x = only(self.name(), cx.label, cx.xs)?;
        same("reshape", cx.label, ["dy", "the output"], cx.dy.shape, self.output(cx.label, &[x.shape])?)?;
        cx.deliver(0, Tensor::new(cx.dy.id, x.shape))
    }

    fn reshapes(&self) -> bool {
        true
    }
}
