//! A convolution layer: its weights and geometry, and the batch norms folded into it.

use std::borrow::Cow;
use std::sync::Arc;

use super::{ConvKey, Direction};
use crate::error::Result;
use crate::gpu::Sources;
use crate::ops::{ChannelAffine, nchw, shape_error};
use crate::shape::{Pad, Shape};

/// `torch.nn.functional.conv2d` with padding for each side.
#[derive(Clone, Debug)]
pub struct Conv2d {
    /// `[O, C/groups, KH, KW]`, row-major.
    pub w: Arc<[f32]>,
    /// The extents of w.
    pub w_shape: [usize; 4],
    /// `[O]`, if there is a bias.
    pub b: Option<Arc<[f32]>>,
    /// Stride `[h, w]`.
    pub stride: [usize; 2],
    /// Padding `[top, left, bottom, right]`.
    pub pad: Pad,
    /// Distance between the taps of a window, `[h, w]`.
    pub dilation: [usize; 2],
    /// Groups of channels that are convolved separately.
    pub groups: usize,
    /// Batch norms that follow, in order. They are folded into w and b when a plan packs these, so all fused copies of a graph
    /// share its weights.
    pub norms: Vec<ChannelAffine>,
}

impl Conv2d {
    /// A convolution without dilation, groups and batch norms; set the fields for these.
    pub fn new(
        w: impl Into<Arc<[f32]>>,
        w_shape: [usize; 4],
        b: Option<Arc<[f32]>>,
        stride: [usize; 2],
        pad: Pad,
    ) -> Self {
        Self { w: w.into(), w_shape, b, stride, pad, dilation: [1, 1], groups: 1, norms: Vec::new() }
    }

    /// The key of a direction for an x of this shape.
    pub fn key(&self, x: Shape, direction: Direction) -> ConvKey {
        let [c_out, _, kh, kw] = self.w_shape;
        let Self { stride, pad, dilation, groups, .. } = *self;
        ConvKey { kernel: [kh, kw], stride, pad, dilation, groups, c_in: x.c(), c_out, hw: [x.h(), x.w()], direction }
    }

    /// The shape of y, checked.
    pub(super) fn y_shape(&self, label: &str, x: Shape) -> Result<Shape> {
        let [o, c, kh, kw] = self.w_shape;
        if self.w.len() != Shape::from(self.w_shape).len() || self.b.as_ref().is_some_and(|b| b.len() != o) {
            let (w, b) = (self.w.len(), self.b.as_ref().map(|b| b.len()));
            return Err(shape_error("conv2d", label, format!("{w} weights and {b:?} biases for w {:?}", self.w_shape)));
        }
        if self.norms.iter().any(|norm| [norm.scale.len(), norm.shift.len()] != [o; 2]) {
            return Err(shape_error("conv2d", label, format!("a norm does not have a value for each of {o} channels")));
        }
        nchw("conv2d", label, x)?;
        let (w, groups) = (self.w_shape, self.groups);
        if groups == 0 || o % groups != 0 {
            return Err(shape_error(
                "conv2d",
                label,
                format!("{o} channels of y are not divisible into {groups} groups"),
            ));
        }
        if c.checked_mul(groups) != Some(x.c()) {
            let of_groups = if groups == 1 { String::new() } else { format!(" for each of {groups} groups") };
            return Err(shape_error("conv2d", label, format!("C is {} in x {x} but {c}{of_groups} in w {w:?}", x.c())));
        }
        let y_hw = self.key(x, Direction::Forward).y_hw();
        let [oh, ow] =
            y_hw.ok_or_else(|| shape_error("conv2d", label, format!("a window of {kh}x{kw} does not fit x {x}")))?;
        Ok(Shape::new(x.n(), o, oh, ow))
    }

    /// Floating-point operations for a y of this shape.
    pub(super) fn flops(&self, y: Shape) -> u64 {
        2 * (y.len() * self.w_shape[1..].iter().product::<usize>()) as u64
    }

    /// Whether y has a bias: one of its own or from a norm.
    pub(super) fn has_bias(&self) -> bool {
        self.b.is_some() || !self.norms.is_empty()
    }

    /// w with the norms folded in: `scale · (w x + b) + shift = (scale w) x + (scale b + shift)`, each in f64, rounded once.
    pub(super) fn folded_weights(&self) -> Cow<'_, [f32]> {
        let each = self.w_shape[1..].iter().product::<usize>().max(1);
        self.norms.iter().fold(Cow::Borrowed(&*self.w), |w, norm| {
            let scaled = |(i, &w): (usize, &f32)| (f64::from(w) * f64::from(norm.scale[i / each])) as f32;
            Cow::Owned(w.iter().enumerate().map(scaled).collect())
        })
    }

    /// b with the norms folded in, if there is either.
    pub(super) fn folded_bias(&self) -> Option<Vec<f32>> {
        self.norms.iter().fold(self.b.as_ref().map(|b| b.to_vec()), |b, norm| {
            let bias = |o: usize| b.as_ref().map_or(0.0, |b| f64::from(b[o]));
            let folded = |o: usize| (bias(o) * f64::from(norm.scale[o]) + f64::from(norm.shift[o])) as f32;
            Some((0..self.w_shape[0]).map(folded).collect())
        })
    }

    /// The values from which the packed weights are made, and how w is read.
    pub(super) fn weight_identity(&self) -> (Sources, String) {
        let sources = self.norms.iter().fold(Sources::of(&self.w), |sources, norm| sources.and(&norm.scale));
        let Self { w_shape, stride, pad, dilation, groups, .. } = self;
        let read = format!("conv2d w {w_shape:?} stride {stride:?} pad {pad:?} dilation {dilation:?} groups {groups}");
        (sources, read)
    }

    /// The values from which the bias is made.
    pub(super) fn bias_identity(&self) -> (Sources, &'static str) {
        let own = self.b.as_ref().map_or_else(Sources::default, Sources::of);
        let sources = self.norms.iter().fold(own, |sources, norm| sources.and(&norm.scale).and(&norm.shift));
        (sources, if self.b.is_some() { "conv2d b" } else { "conv2d b of norms" })
    }
}
