//! Convolutions and pools, and the padding before them.

use super::call::{Call, Layer};
use super::importer::Importer;
use crate::error::Result;
use crate::ops::{AvgPool2d, Conv2d, GlobalAvgPool2d, MaxPool2d, Move, PadMode, Reduce, Reduction};
use crate::shape::{Pad, window_span};

impl Importer<'_> {
    pub(super) fn pad(&mut self, call: &Call<'_>) -> Result<Layer> {
        let x = call.layer(0)?;
        let pads = call.integers(1, "pads")?.or_else(|| call.node.ints("paddings").map(<[i64]>::to_vec));
        let value = call.number(2, "value")?.unwrap_or(0.0);
        let mode = call.node.text("mode").unwrap_or("constant");
        let pads = pads.ok_or_else(|| call.error("it has no paddings"))?;
        let axes = call.axes(3, x.dims.len())?.unwrap_or_else(|| (0..x.dims.len()).collect());
        if pads.len() != 2 * axes.len() {
            return Err(call.error(format!("{pads:?} are not two numbers for each of {} axes", axes.len())));
        }
        let mut around = vec![[0; 2]; x.dims.len()];
        for (i, &at) in axes.iter().enumerate() {
            around[at] = [pads[i], pads[axes.len() + i]];
        }
        let mode = match mode {
            "constant" => PadMode::Constant(value),
            "reflect" => PadMode::Reflect,
            "edge" => PadMode::Replicate,
            "wrap" => PadMode::Circular,
            other => return Err(call.error(format!("the mode `{other}` is not supported"))),
        };
        // Zeros around rows and columns wait for a convolution, which adds them itself.
        let before = x.before();
        if let (0, [[0, 0], [0, 0], [top, bottom], [left, right]], PadMode::Constant(0.0)) = (before, &around[..], mode)
        {
            let sides = [top, left, bottom, right].map(|&side| usize::try_from(side).ok());
            if let [Some(top), Some(left), Some(bottom), Some(right)] = sides {
                let add = [top, left, bottom, right];
                let x = if x.pad == [0; 4] { self.shaped(call, x)? } else { x };
                let pad = std::array::from_fn(|side| x.pad[side].saturating_add(add[side]));
                let mut dims = x.dims.clone();
                dims[2] = dims[2].saturating_add(top + bottom);
                dims[3] = dims[3].saturating_add(left + right);
                return Ok(Layer { pad, dims, ..x });
            }
        }
        let x = self.shaped(call, x)?;
        around.splice(0..0, vec![[0; 2]; before]);
        self.push_after(call, Move::Pad { pads: around, mode }, &[&x], before)
    }

    /// Padding `[top, left, bottom, right]` of a window over rows and columns.
    fn window_pad(&self, call: &Call<'_>, x: &Layer, span: [usize; 2], stride: [usize; 2]) -> Result<Pad> {
        let same = |axis: usize| {
            let len = x.dims[2 + axis];
            let out = len.div_ceil(stride[axis].max(1));
            (out.saturating_sub(1) * stride[axis]).saturating_add(span[axis]).saturating_sub(len)
        };
        match call.node.text("auto_pad").unwrap_or("NOTSET") {
            "NOTSET" | "" => call.sizes("pads", 0, [0; 4]),
            "VALID" => Ok([0; 4]),
            upper @ ("SAME_UPPER" | "SAME_LOWER") => {
                let [h, w] = [same(0), same(1)];
                let less = |total: usize| if upper == "SAME_UPPER" { total / 2 } else { total.div_ceil(2) };
                Ok([less(h), less(w), h - less(h), w - less(w)])
            }
            other => Err(call.error(format!("auto_pad `{other}` is not supported"))),
        }
    }

    pub(super) fn conv(&mut self, call: &Call<'_>) -> Result<Layer> {
        let layer = call.layer(0)?;
        // With padding still to be added, the node is in shape already.
        let x = if layer.pad == [0; 4] { self.image(call, 0)? } else { Layer { pad: [0; 4], ..layer.clone() } };
        let (w_shape, w) = call.floats(1)?;
        let w_shape = <[usize; 4]>::try_from(w_shape)
            .map_err(|dims| call.error(format!("its weights are {dims:?}, and only those of images are supported")))?;
        let b = if call.input(2).is_some() { Some(call.floats(2)?.1) } else { None };
        let [stride, dilation] = [call.sizes("strides", 1, [1, 1])?, call.sizes("dilations", 1, [1, 1])?];
        let groups = call.node.int("group").unwrap_or(1);
        let groups = usize::try_from(groups).map_err(|_| call.error(format!("it has {groups} groups")))?;
        let span = window_span([w_shape[2], w_shape[3]], dilation);
        let span =
            span.ok_or_else(|| call.error(format!("a window of {w_shape:?} with dilation {dilation:?} is not one")))?;
        let own = self.window_pad(call, &layer, span, stride)?;
        let pad = std::array::from_fn(|side| own[side].saturating_add(layer.pad[side]));
        self.push(call, Conv2d { dilation, groups, ..Conv2d::new(w, w_shape, b, stride, pad) }, &[&x])
    }

    /// The window, stride and padding of a pool.
    fn pool(&self, call: &Call<'_>, x: &Layer) -> Result<([usize; 2], [usize; 2], Pad, bool)> {
        let kernel = call.sizes("kernel_shape", 1, [0; 2])?;
        let stride = call.sizes("strides", 1, [1; 2])?;
        if call.sizes("dilations", 1, [1; 2])? != [1; 2] {
            return Err(call.error("dilation is not supported"));
        }
        let pad = self.window_pad(call, x, kernel, stride)?;
        Ok((kernel, stride, pad, call.node.int("ceil_mode").unwrap_or(0) != 0))
    }

    pub(super) fn max_pool(&mut self, call: &Call<'_>) -> Result<Layer> {
        let x = self.image(call, 0)?;
        if call.node.outputs.get(1).is_some_and(|name| !name.is_empty()) {
            return Err(call.error("the positions of maxima, its second output, are not supported"));
        }
        let (kernel, stride, pad, ceil_mode) = self.pool(call, &x)?;
        self.push(call, MaxPool2d { kernel, stride, pad, ceil_mode }, &[&x])
    }

    pub(super) fn average_pool(&mut self, call: &Call<'_>) -> Result<Layer> {
        let x = self.image(call, 0)?;
        let (kernel, stride, pad, ceil_mode) = self.pool(call, &x)?;
        // The whole image: then the network takes images of other sizes, too.
        if kernel[..] == x.dims[2..] && pad == [0; 4] {
            return self.push(call, GlobalAvgPool2d, &[&x]);
        }
        let count_include_pad = call.node.int("count_include_pad").unwrap_or(0) != 0;
        self.push(call, AvgPool2d { kernel, stride, pad, ceil_mode, count_include_pad }, &[&x])
    }

    pub(super) fn global_average_pool(&mut self, call: &Call<'_>) -> Result<Layer> {
        let x = self.image(call, 0)?;
        self.push(call, GlobalAvgPool2d, &[&x])
    }

    pub(super) fn global_max_pool(&mut self, call: &Call<'_>) -> Result<Layer> {
        let x = self.image(call, 0)?;
        self.push(call, Reduce { reduction: Reduction::Max, axes: vec![2, 3], keepdim: true }, &[&x])
    }
}
