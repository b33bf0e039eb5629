//! Norms and softmax.

use std::sync::Arc;

use super::call::{Call, Layer};
use super::constant::{axis, count};
use super::importer::Importer;
use crate::error::Result;
use crate::networks::modules::Norm;
use crate::ops::{ChannelAffine, GroupNorm, LayerNorm, LocalResponseNorm, ScaleShift, Softmax};

impl Importer<'_> {
    /// At the end of the network it is left out: objectives and probabilities start from logits.
    pub(super) fn softmax(&mut self, call: &Call<'_>) -> Result<Layer> {
        let x = call.layer(0)?;
        if call.node.outputs.first().map(String::as_str) == Some(self.output) {
            self.notes.push(format!("the {} at the end was left out: its input are the logits", call.node.op));
            return Ok(x);
        }
        let rank = x.dims.len();
        // Before version 13, it is over all axes from this one on.
        let usual = if call.opset < 13 { 1 } else { -1 };
        let at = call.node.int("axis").unwrap_or(usual);
        let wrong = || call.error(format!("along the axis {at} of {:?} it is not supported", x.dims));
        let before = x.before();
        let at = axis(at, rank).filter(|&at| at + before > 0).ok_or_else(wrong)?;
        let log = call.node.op == "LogSoftmax";
        if call.opset >= 13 || x.dims[at + 1..].iter().all(|&dim| dim == 1) {
            let x = self.shaped(call, x)?;
            return self.push_after(call, Softmax { axis: at + before, log }, &[&x], before);
        }
        let mut flat = x.dims[..at].to_vec();
        flat.push(count(&x.dims[at..]).ok_or_else(|| call.error("its input cannot be counted"))?);
        let rows = self.framed(call, Layer { dims: flat, ..x.clone() }, before)?;
        let y = self.push(call, Softmax { axis: at + before, log }, &[&rows])?;
        Ok(Layer { dims: x.dims, ..y })
    }

    /// The first input, whose second axis is that of channels.
    fn channels(&mut self, call: &Call<'_>) -> Result<Layer> {
        let layer = call.layer(0)?;
        if layer.before() > 0 {
            return Err(call.error(format!("input 0 is {:?}, which is several images for each image", layer.dims)));
        }
        self.shaped(call, layer)
    }

    pub(super) fn batch_norm(&mut self, call: &Call<'_>) -> Result<Layer> {
        if call.node.int("training_mode").unwrap_or(0) != 0 || call.node.outputs.len() > 1 && call.opset >= 14 {
            return Err(call.error("it is in training mode: export the network in evaluation mode"));
        }
        let x = self.channels(call)?;
        let [scale, shift, mean, variance] = [1, 2, 3, 4].map(|at| call.floats(at).map(|(_, values)| values));
        let (weight, bias, mean, variance) = (scale?, shift?, mean?, variance?);
        let channels = self.graph.node(x.node).shape.extents().get(1).copied().unwrap_or(0);
        if [&weight, &bias, &mean, &variance].iter().any(|values| values.len() != channels) {
            return Err(call.error(format!("its numbers are not one for each of {channels} channels")));
        }
        if let Some(at) = variance.iter().position(|&v| v < 0.0) {
            return Err(
                call.error(format!("its variance is {} at {at}, but a variance cannot be negative", variance[at]))
            );
        }
        let eps = f64::from(call.node.float("epsilon").unwrap_or(1e-5));
        let affine = ChannelAffine::batch_norm(&weight, &bias, &mean, &variance, eps);
        let scale = Arc::clone(&affine.scale);
        let y = self.push(call, ScaleShift(affine), &[&x])?;
        let name = self.module_name(call.node);
        self.norms.push(Norm { name, node: y.node, scale, shift: bias, mean, variance });
        Ok(Layer { dims: x.dims, ..y })
    }

    pub(super) fn local_response_norm(&mut self, call: &Call<'_>) -> Result<Layer> {
        let x = self.image(call, 0)?;
        let size = call.node.int("size").and_then(|size| usize::try_from(size).ok()).unwrap_or(0);
        // The window of an even size begins elsewhere in PyTorch.
        if size.is_multiple_of(2) {
            return Err(call.error(format!("its size is {size}, and only odd ones are supported")));
        }
        let number = |name: &str, usual: f32| call.node.float(name).unwrap_or(usual);
        let (alpha, beta, k) = (number("alpha", 1e-4), number("beta", 0.75), number("bias", 1.0));
        self.push(call, LocalResponseNorm { size, alpha, beta, k }, &[&x])
    }

    pub(super) fn layer_norm(&mut self, call: &Call<'_>) -> Result<Layer> {
        let layer = call.layer(0)?;
        let rank = layer.dims.len();
        let first = call.node.int("axis").unwrap_or(-1);
        let before = layer.before();
        let first = axis(first, rank).filter(|&at| at + before > 0);
        let first = first.ok_or_else(|| call.error(format!("its axes of {:?} are not supported", layer.dims)))?;
        let x = self.shaped(call, layer)?;
        let weight = Some(call.floats(1)?.1);
        let bias = if call.input(2).is_some() { Some(call.floats(2)?.1) } else { None };
        let eps = call.node.float("epsilon").unwrap_or(1e-5);
        self.push_after(call, LayerNorm { axes: rank - first, weight, bias, eps }, &[&x], before)
    }

    /// `GroupNormalization` and `InstanceNormalization`.
    pub(super) fn group_norm(&mut self, call: &Call<'_>) -> Result<Layer> {
        let x = self.channels(call)?;
        let channels = x.dims.get(1).copied().unwrap_or(0);
        let groups = match &call.node.op[..] {
            "InstanceNormalization" => channels,
            _ => call.node.int("num_groups").and_then(|groups| usize::try_from(groups).ok()).unwrap_or(0),
        };
        // Version 18 has a number for each group, and later ones for each channel.
        let [weight, bias] = [1, 2].map(|at| {
            let (_, values) = call.floats(at)?;
            let each = channels.checked_div(groups).unwrap_or(1).max(1);
            let repeats = values.len() == groups && call.node.op == "GroupNormalization" && call.opset < 21;
            Ok(if repeats { (0..channels).map(|c| values[c / each]).collect::<Arc<[f32]>>() } else { values })
        });
        let eps = call.node.float("epsilon").unwrap_or(1e-5);
        let (weight, bias): (Result<_>, Result<_>) = (weight, bias);
        self.push(call, GroupNorm { groups, weight: Some(weight?), bias: Some(bias?), eps }, &[&x])
    }
}
