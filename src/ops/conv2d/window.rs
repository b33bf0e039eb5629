//! Convolutions with groups or dilation: `shaders/conv2d/window.wgsl` in buffers, `shaders/conv2d/texels/window.wgsl` over texels.

use super::pass::Pass;
use super::{Conv2d, ConvKey};
use crate::error::Result;
use crate::gpu::{Kernel, Layout, Recording, TensorId};
use crate::ops::{texels, words};

crate::params! {
    /// Mirrors `Params` of shaders/conv2d/window.wgsl.
    struct WindowParams {
        x_h: u32, x_w: u32, y_h: u32, y_w: u32, x_channel_offset: u32, x_channel_stride: u32, y_channel_offset: u32,
        y_channel_stride: u32, x_group: u32, y_group: u32, pad_top: u32, pad_left: u32, bias: u32, relu: u32, epilogue: u32,
    }
}

crate::params! {
    /// Mirrors `Params` of shaders/conv2d/texels/window.wgsl.
    struct WindowTexelsParams {
        x_h: u32, x_w: u32, y_h: u32, y_w: u32, x_quad_offset: u32, x_quad_stride: u32, y_quad_offset: u32,
        y_quad_stride: u32, x_group: u32, y_group: u32, pad_top: u32, pad_left: u32,
    }
}

/// How the channels of the groups of a convolution lie in texels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TexelGroups {
    /// Each channel is a group.
    Depthwise,
    /// Each group has whole texels of x and of y.
    Whole,
}

impl TexelGroups {
    /// `None` if a texel has channels of several groups that have more than one channel.
    pub(super) fn of([c_in, c_out]: [usize; 2], groups: usize) -> Option<Self> {
        match groups {
            1 => Some(Self::Whole),
            _ if [c_in, c_out] == [groups; 2] => Some(Self::Depthwise),
            _ if [c_in, c_out].iter().all(|channels| (channels / groups).is_multiple_of(4)) => Some(Self::Whole),
            _ => None,
        }
    }

    pub(super) fn of_key(key: &ConvKey) -> Option<Self> {
        Self::of([key.c_in, key.c_out], key.groups)
    }

    pub(super) fn of_conv(conv: &Conv2d) -> Option<Self> {
        let [c_out, each, ..] = conv.w_shape;
        Self::of([each * conv.groups, c_out], conv.groups)
    }
}

impl Pass<'_> {
    /// In buffers.
    pub(super) fn by_windows(&self, rec: &mut Recording) -> Result<()> {
        let Self { conv, x, y, .. } = *self;
        let params = self.window_params([x, y].map(|tensor| tensor.shape.c() / conv.groups));
        let (folded, len) = (conv.clone(), conv.w.len());
        let make = move || Ok(words(&folded.folded_weights()));
        let w = self.weight_constant(rec, format!("{} w", self.label), "by windows", len, Layout::Words, make);
        let mut bindings = vec![x.bind_stored("x"), ("w", w, len), y.bind_stored("y")];
        bindings.extend(self.epilogue(rec, x.id).into_iter().filter(|&(name, ..)| name != "b" || !self.gemm.backward));
        let kernel = self.of_window(Kernel::new("conv2d/window", self.gemm.name()));
        rec.dispatch(&self.name(), kernel, &bindings, &params, y.grid(), self.flops())
    }

    /// Over texels; x and y are texels.
    pub(super) fn by_windows_of_texels(&self, rec: &mut Recording, groups: TexelGroups) -> Result<()> {
        let Self { conv, x, y, .. } = *self;
        let each = |channels: usize| match groups {
            TexelGroups::Depthwise => 1,
            TexelGroups::Whole => (channels / conv.groups).div_ceil(4),
        };
        let params = self.window_params([x, y].map(|tensor| each(tensor.shape.c())));
        let WindowParams { x_h, x_w, y_h, y_w, x_group, y_group, pad_top, pad_left, .. } = params;
        let params = WindowTexelsParams {
            x_h,
            x_w,
            y_h,
            y_w,
            x_quad_offset: params.x_channel_offset,
            x_quad_stride: params.x_channel_stride,
            y_quad_offset: params.y_channel_offset,
            y_quad_stride: params.y_channel_stride,
            x_group,
            y_group,
            pad_top,
            pad_left,
        };
        let w = self.window_weights(rec, groups, each(x.shape.c()));
        let [add, mask] = self.epilogue.bind(x.id, y.stored_len());
        let mut bindings = vec![x.bind_stored("x"), w, y.bind_stored("y"), add, mask];
        if !self.gemm.backward {
            bindings.push(self.texel_bias(rec));
        }
        let kernel = self.of_window(Kernel::new("conv2d/texels/window", self.gemm.name()));
        let kernel = self.with_epilogue(kernel).with("DEPTHWISE", u32::from(groups == TexelGroups::Depthwise));
        rec.dispatch(&self.name(), kernel, &bindings, &params, texels::grid(y), self.flops())
    }

    /// The parameters in buffers, for groups of so many channels of x and of y. Of texels, offsets and strides count quads of channels.
    fn window_params(&self, [x_group, y_group]: [usize; 2]) -> WindowParams {
        let Self { conv, x, y, .. } = *self;
        let ([x_channel_offset, x_channel_stride], [y_channel_offset, y_channel_stride]) =
            (x.offset_and_stride(), y.offset_and_stride());
        WindowParams {
            x_h: x.shape.h() as u32,
            x_w: x.shape.w() as u32,
            y_h: y.shape.h() as u32,
            y_w: y.shape.w() as u32,
            x_channel_offset,
            x_channel_stride,
            y_channel_offset,
            y_channel_stride,
            x_group: x_group as u32,
            y_group: y_group as u32,
            pad_top: conv.pad[0] as u32,
            pad_left: conv.pad[1] as u32,
            bias: u32::from(self.has_bias()),
            relu: u32::from(self.relu),
            epilogue: self.epilogue.flags(),
        }
    }

    fn of_window(&self, kernel: Kernel) -> Kernel {
        let ([_, _, kh, kw], [sh, sw], [dh, dw]) = (self.conv.w_shape, self.conv.stride, self.conv.dilation);
        [("KERNEL_H", kh), ("KERNEL_W", kw), ("STRIDE_H", sh), ("STRIDE_W", sw), ("DILATION_H", dh), ("DILATION_W", dw)]
            .into_iter()
            .fold(kernel, |kernel, (name, value)| kernel.with(name, value as u32))
    }

    /// The weights as the kernel over texels reads them, with zeros for channels past the last.
    fn window_weights(
        &self,
        rec: &mut Recording,
        groups: TexelGroups,
        x_quads: usize,
    ) -> (&'static str, TensorId, usize) {
        let (conv, backward, y_quads) = (self.conv.clone(), self.gemm.backward, self.y.shape.c().div_ceil(4));
        let [o_count, c_count, kh, kw] = conv.w_shape;
        let taps = kh * kw;
        let len = match groups {
            TexelGroups::Depthwise => y_quads * taps,
            TexelGroups::Whole => y_quads * x_quads * taps * 4,
        };
        let o_group = o_count / conv.groups;
        let make = move || {
            let mut packed = vec![0u32; 4 * len];
            for (at, value) in conv.folded_weights().iter().enumerate() {
                let (o, c, tap) = (at / (c_count * taps), at / taps % c_count, at % taps);
                // Channels of y and of x; x counts within the group.
                let (y, x) = if backward { (o / o_group * c_count + c, o % o_group) } else { (o, c) };
                let texel = match groups {
                    TexelGroups::Depthwise => y / 4 * taps + tap,
                    TexelGroups::Whole => ((y / 4 * x_quads + x / 4) * taps + tap) * 4 + x % 4,
                };
                packed[4 * texel + y % 4] = value.to_bits();
            }
            Ok(packed)
        };
        let packing = format!("{groups:?} by windows of texels");
        let label = format!("{} w by windows of texels", self.name());
        ("w", self.weight_constant(rec, label, &packing, len, Layout::Texels, make), len)
    }
}
