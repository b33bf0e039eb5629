//! Reshapes, moves, and what axes are reduced to.

use super::call::{Call, Layer, Value};
use super::constant::axis;
use super::fold::Slice;
use super::importer::Importer;
use crate::error::{Error, Result};
use crate::ops::{Cat, Concat, GlobalAvgPool2d, Move, Range, Reduce, Reduction};

impl Importer<'_> {
    /// `Reshape`, `Flatten`, `Squeeze` and `Unsqueeze`: only the extents change.
    pub(super) fn reshaped(&mut self, call: &Call<'_>) -> Result<Layer> {
        let x = call.layer(0)?;
        let x = if x.pad == [0; 4] { x } else { self.shaped(call, x)? };
        let dims = call.reshaped(&x.dims)?;
        // One image has the batch 1 throughout, so another first extent mixes images.
        if dims.first() != Some(&1) {
            return Err(mixes(call, &dims));
        }
        Ok(Layer { dims, ..x })
    }

    pub(super) fn transpose(&mut self, call: &Call<'_>) -> Result<Layer> {
        let layer = call.layer(0)?;
        let x = self.shaped(call, layer)?;
        let order = call.order(x.dims.len())?;
        if order.first() != Some(&0) {
            return Err(mixes(call, &order.iter().map(|&at| x.dims[at]).collect::<Vec<_>>()));
        }
        self.push(call, Move::Permute(order), &[&x])
    }

    pub(super) fn slice(&mut self, call: &Call<'_>) -> Result<Layer> {
        let layer = call.layer(0)?;
        let x = self.shaped(call, layer)?;
        let slices = call.slices(&x.dims)?;
        self.sliced(call, &x, &slices)
    }

    fn sliced(&mut self, call: &Call<'_>, x: &Layer, slices: &[Slice]) -> Result<Layer> {
        let all = |(slice, &len): (&Slice, &usize)| *slice == Slice { start: 0, step: 1, len };
        if slices.first().zip(x.dims.first()).is_some_and(|first| !all(first)) {
            return Err(mixes(call, &x.dims));
        }
        let range = |(axis, slice): (usize, &Slice)| {
            let (start, step) = (slice.start as i64, slice.step as i64);
            let end = step.saturating_mul(slice.len as i64).saturating_add(start);
            Range { axis, start, end: if end < 0 { i64::MIN } else { end }, step }
        };
        let parts = slices.iter().enumerate().filter(|&(at, slice)| !all((slice, &x.dims[at])));
        let ranges: Vec<Range> = parts.map(range).collect();
        if ranges.is_empty() { Ok(x.clone()) } else { self.push(call, Move::Slice(ranges), &[x]) }
    }

    /// The outputs of a `Split`.
    pub(super) fn split(&mut self, call: &Call<'_>) -> Result<Vec<Value>> {
        let layer = call.layer(0)?;
        let x = self.shaped(call, layer)?;
        let at = call.node.int("axis").unwrap_or(0);
        let wrong = || call.error(format!("along the axis {at} of {:?} it is not supported", x.dims));
        let at = axis(at, x.dims.len()).filter(|&at| at > 0).ok_or_else(wrong)?;
        let count = call.node.outputs.len();
        let lens: Vec<usize> = match call.integers(1, "split")? {
            Some(lens) => lens.iter().filter_map(|&len| usize::try_from(len).ok()).collect(),
            None => {
                let each = x.dims[at].div_ceil(count);
                (0..count).map(|i| each.min(x.dims[at].saturating_sub(i * each))).collect()
            }
        };
        let total = lens.iter().try_fold(0usize, |sum, &len| sum.checked_add(len));
        if lens.len() != count || total != Some(x.dims[at]) || lens.contains(&0) {
            return Err(call.error(format!("{lens:?} do not suit {:?} and {count} outputs", x.dims)));
        }
        let mut start = 0;
        let mut parts = Vec::new();
        for len in lens {
            let mut slices: Vec<Slice> = x.dims.iter().map(|&len| Slice { start: 0, step: 1, len }).collect();
            slices[at] = Slice { start, step: 1, len };
            parts.push(Value::Layer(self.sliced(call, &x, &slices)?));
            start += len;
        }
        Ok(parts)
    }

    /// With constant indices.
    pub(super) fn gather(&mut self, call: &Call<'_>) -> Result<Layer> {
        let layer = call.layer(0)?;
        let x = self.shaped(call, layer)?;
        let at = call.node.int("axis").unwrap_or(0);
        let at = axis(at, x.dims.len()).filter(|&at| at > 0).ok_or_else(|| mixes(call, &x.dims))?;
        let (indices, of_indices) = call.chosen_places(x.dims[at])?;
        let y = self.push(call, Move::Gather { axis: at, indices }, &[&x])?;
        let dims = [&x.dims[..at], of_indices, &x.dims[at + 1..]].concat();
        Ok(Layer { dims, ..y })
    }

    pub(super) fn expand(&mut self, call: &Call<'_>) -> Result<Layer> {
        let layer = call.layer(0)?;
        let dims = call.extents(1)?;
        // Axes that the shape has more come first, and would meet the batch; those that it has less stay.
        let Some(before) = layer.dims.len().checked_sub(dims.len()) else { return Err(mixes(call, &dims)) };
        let to = [&layer.dims[..before], &dims].concat();
        if to.first() != Some(&1) {
            return Err(mixes(call, &to));
        }
        let x = self.shaped(call, layer)?;
        self.push(call, Move::Expand(to[1..].to_vec()), &[&x])
    }

    pub(super) fn concat(&mut self, call: &Call<'_>) -> Result<Layer> {
        let layers = (0..call.inputs.len()).map(|at| call.layer(at).and_then(|layer| self.shaped(call, layer)));
        let layers = layers.collect::<Result<Vec<_>>>()?;
        let first = layers.first().ok_or_else(|| call.error("it has no inputs"))?;
        let at = call.node.int("axis").unwrap_or(1);
        let at = axis(at, first.dims.len()).filter(|&at| at > 0).ok_or_else(|| mixes(call, &first.dims))?;
        let inputs: Vec<&Layer> = layers.iter().collect();
        match (&inputs[..], at) {
            ([only], _) => Ok((*only).clone()),
            (inputs, 1) if first.dims.len() == 4 => self.push(call, Concat, inputs),
            (inputs, axis) => self.push(call, Cat { axis }, inputs),
        }
    }

    /// A mean, sum, maximum or minimum over axes.
    pub(super) fn reduce(&mut self, call: &Call<'_>) -> Result<Layer> {
        let layer = call.layer(0)?;
        let x = self.shaped(call, layer)?;
        let rank = x.dims.len();
        let mut axes = call.axes(1, rank)?.unwrap_or_else(|| (0..rank).collect());
        if axes.contains(&0) {
            return Err(mixes(call, &x.dims));
        }
        axes.sort_unstable();
        axes.dedup();
        let keepdim = call.node.int("keepdims").unwrap_or(1) != 0;
        let reduction = match &call.node.op[..] {
            "ReduceMean" => Reduction::Mean,
            "ReduceSum" => Reduction::Sum,
            "ReduceMax" => Reduction::Max,
            _ => Reduction::Min,
        };
        if reduction == Reduction::Mean && rank == 4 && axes == [2, 3] {
            let y = self.push(call, GlobalAvgPool2d, &[&x])?;
            let dims = if keepdim { y.dims.clone() } else { y.dims[..2].to_vec() };
            return Ok(Layer { dims, ..y });
        }
        self.push(call, Reduce { reduction, axes, keepdim }, &[&x])
    }
}

/// The error about an output of these extents, for one image.
fn mixes(call: &Call<'_>, dims: &[usize]) -> Error {
    call.error(format!("{dims:?} for one image would mix the images of a batch, which is not supported"))
}
