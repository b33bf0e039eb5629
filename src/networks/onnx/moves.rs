//! Reshapes, moves, and what axes are reduced to.

use super::call::{Call, Layer, Value};
use super::constant::{Constant, axis};
use super::fold::Slice;
use super::importer::Importer;
use crate::error::{Error, Result};
use crate::ops::{
    BinaryFunction, Cat, Concat, GlobalAvgPool2d, Move, PadMode, Range, Reduce, Reduction, Unary, UnaryFunction,
};
use crate::shape::broadcast;

impl Importer<'_> {
    /// `Reshape`, `Flatten`, `Squeeze` and `Unsqueeze`: only the extents change.
    pub(super) fn reshaped(&mut self, call: &Call<'_>) -> Result<Layer> {
        let x = self.plain(call, 0)?;
        Ok(Layer { dims: call.reshaped(&x.dims)?, ..x })
    }

    pub(super) fn transpose(&mut self, call: &Call<'_>) -> Result<Layer> {
        let x = self.plain(call, 0)?;
        let order = call.order(x.dims.len())?;
        self.permuted(call, x, &order)
    }

    /// Axis i of the output is axis `order[i]` of x, which has no zeros around it.
    pub(super) fn permuted(&mut self, call: &Call<'_>, x: Layer, order: &[usize]) -> Result<Layer> {
        let dims = order.iter().map(|&at| x.dims[at]).collect();
        // Axes of extent 1 move without any element moving.
        let wide: Vec<usize> = (0..x.dims.len()).filter(|&at| x.dims[at] != 1).collect();
        let moved: Vec<usize> = order.iter().filter_map(|at| wide.iter().position(|wide| wide == at)).collect();
        if moved.is_sorted() {
            return Ok(Layer { dims, ..x });
        }
        let x = Layer { dims: wide.iter().map(|&at| x.dims[at]).collect(), ..x };
        let x = self.framed(call, x, 1)?;
        let order = [0].into_iter().chain(moved.iter().map(|at| at + 1)).collect();
        let y = self.push(call, Move::Permute(order), &[&x])?;
        Ok(Layer { dims, ..y })
    }

    pub(super) fn slice(&mut self, call: &Call<'_>) -> Result<Layer> {
        let layer = call.layer(0)?;
        let x = self.shaped(call, layer)?;
        let slices = call.slices(&x.dims)?;
        self.sliced(call, &x, &slices)
    }

    fn sliced(&mut self, call: &Call<'_>, x: &Layer, slices: &[Slice]) -> Result<Layer> {
        let all = |(slice, &len): (&Slice, &usize)| *slice == Slice { start: 0, step: 1, len };
        let before = x.before();
        if before == 0 && slices.first().zip(x.dims.first()).is_some_and(|first| !all(first)) {
            return Err(mixes(call, &x.dims));
        }
        let range = |(axis, slice): (usize, &Slice)| {
            let (start, step) = (slice.start as i64, slice.step as i64);
            let end = step.saturating_mul(slice.len as i64).saturating_add(start);
            Range { axis: axis + before, start, end: if end < 0 { i64::MIN } else { end }, step }
        };
        let parts = slices.iter().enumerate().filter(|&(at, slice)| !all((slice, &x.dims[at])));
        let ranges: Vec<Range> = parts.map(range).collect();
        if ranges.is_empty() { Ok(x.clone()) } else { self.push_after(call, Move::Slice(ranges), &[x], before) }
    }

    /// The outputs of a `Split`.
    pub(super) fn split(&mut self, call: &Call<'_>) -> Result<Vec<Value>> {
        let layer = call.layer(0)?;
        let x = self.shaped(call, layer)?;
        let at = call.node.int("axis").unwrap_or(0);
        let wrong = || call.error(format!("along the axis {at} of {:?} it is not supported", x.dims));
        let at = axis(at, x.dims.len()).filter(|&at| at + x.before() > 0).ok_or_else(wrong)?;
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
        let before = x.before();
        let at = axis(at, x.dims.len()).filter(|&at| at + before > 0).ok_or_else(|| mixes(call, &x.dims))?;
        let (indices, of_indices) = call.chosen_places(x.dims[at])?;
        let y = self.push(call, Move::Gather { axis: at + before, indices }, &[&x])?;
        let dims = [&x.dims[..at], of_indices, &x.dims[at + 1..]].concat();
        Ok(Layer { dims, ..y })
    }

    pub(super) fn expand(&mut self, call: &Call<'_>) -> Result<Layer> {
        let layer = call.layer(0)?;
        let shape = call.extents(1)?;
        let to = broadcast(&layer.dims, &shape);
        let to = to.ok_or_else(|| call.error(format!("{:?} and the shape {shape:?} do not fit", layer.dims)))?;
        let layer = layer.of_rank(to.len());
        if layer.dims == to {
            return Ok(layer);
        }
        let x = self.framed(call, layer, 1)?;
        self.push_after(call, Move::Expand(to), &[&x], 1)
    }

    pub(super) fn concat(&mut self, call: &Call<'_>) -> Result<Layer> {
        if let [Some(Value::Constant(c)), Some(Value::Layer(x))] = &call.inputs[..] {
            return self.beside(call, x, c, true);
        }
        if let [Some(Value::Layer(x)), Some(Value::Constant(c))] = &call.inputs[..] {
            return self.beside(call, x, c, false);
        }
        let layers = (0..call.inputs.len()).map(|at| call.layer(at)).collect::<Result<Vec<_>>>()?;
        let first = layers.first().ok_or_else(|| call.error("it has no inputs"))?;
        let before = layers.iter().map(Layer::before).max().unwrap_or(0);
        let at = self.concat_axis(call, &first.dims, before)?;
        let is_image = first.dims.len() == 4 && before == 0 && at == 1;
        let layers = layers.into_iter().map(|layer| self.framed(call, layer, before)).collect::<Result<Vec<_>>>()?;
        let inputs: Vec<&Layer> = layers.iter().collect();
        match &inputs[..] {
            [only] => Ok((*only).clone()),
            inputs if is_image => self.push(call, Concat, inputs),
            inputs => self.push_after(call, Cat { axis: at + before }, inputs, before),
        }
    }

    fn concat_axis(&self, call: &Call<'_>, dims: &[usize], before: usize) -> Result<usize> {
        let at = call.node.int("axis").unwrap_or(1);
        axis(at, dims.len()).filter(|&at| at + before > 0).ok_or_else(|| mixes(call, dims))
    }

    /// A layer and a constant along one axis: zeros take the place of the constant, and then it is added.
    fn beside(&mut self, call: &Call<'_>, x: &Layer, constant: &Constant, first: bool) -> Result<Layer> {
        let x = self.shaped(call, x.clone())?;
        let before = x.before();
        let at = self.concat_axis(call, &x.dims, before)?;
        let same = |(i, (a, b)): (usize, (&usize, &usize))| i == at || a == b;
        if constant.dims.len() != x.dims.len() || !x.dims.iter().zip(&constant.dims).enumerate().all(same) {
            return Err(call.error(format!("{:?} and {:?} do not fit", x.dims, constant.dims)));
        }
        let (more, own) = (constant.dims[at], x.dims[at]);
        let mut pads = vec![[0; 2]; x.dims.len() + before];
        pads[at + before] = if first { [more as i64, 0] } else { [0, more as i64] };
        let y = self.push_after(call, Move::Pad { pads, mode: PadMode::Constant(0.0) }, &[&x], before)?;
        let inner: usize = x.dims[at + 1..].iter().product();
        let zeros = vec![0.0; own * inner];
        let mut values = Vec::with_capacity(y.dims.iter().product());
        for row in constant.to_floats().chunks(more.max(1) * inner.max(1)) {
            let [a, b] = if first { [row, &zeros] } else { [&zeros, row] };
            values.extend_from_slice(a);
            values.extend_from_slice(b);
        }
        let constant = Constant::floats(y.dims.clone(), values);
        self.with_constant(call, BinaryFunction::Add, &y, &constant, false)
    }

    /// A mean, sum, maximum, minimum or norm over axes.
    pub(super) fn reduce(&mut self, call: &Call<'_>) -> Result<Layer> {
        let layer = call.layer(0)?;
        let x = self.shaped(call, layer)?;
        let rank = x.dims.len();
        let mut axes = call.axes(1, rank)?.unwrap_or_else(|| (0..rank).collect());
        let before = x.before();
        if before == 0 && axes.contains(&0) {
            return Err(mixes(call, &x.dims));
        }
        axes.sort_unstable();
        axes.dedup();
        let keepdim = call.node.int("keepdims").unwrap_or(1) != 0;
        let reduction = match &call.node.op[..] {
            "ReduceMean" => Reduction::Mean,
            "ReduceL2" | "ReduceSum" => Reduction::Sum,
            "ReduceMax" => Reduction::Max,
            _ => Reduction::Min,
        };
        if reduction == Reduction::Mean && rank + before == 4 && axes == [2, 3] {
            let y = self.push(call, GlobalAvgPool2d, &[&x])?;
            let dims = if keepdim { y.dims.clone() } else { y.dims[..2].to_vec() };
            return Ok(Layer { dims, ..y });
        }
        let axes = axes.iter().map(|axis| axis + before).collect();
        let is_norm = call.node.op == "ReduceL2";
        let x = if is_norm { self.push_after(call, Unary::pow(2.0), &[&x], before)? } else { x };
        let y = self.push_after(call, Reduce { reduction, axes, keepdim }, &[&x], before)?;
        if is_norm { self.push_after(call, Unary::new(UnaryFunction::Sqrt), &[&y], before) } else { Ok(y) }
    }
}

/// The error about an output of these extents, for one image.
fn mixes(call: &Call<'_>, dims: &[usize]) -> Error {
    call.error(format!("{dims:?} for one image would mix the images of a batch, which is not supported"))
}
