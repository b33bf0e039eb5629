//! A convolution, forward or backward, as the matrix product that `shaders/lib/conv2d.wgsl` describes.
//!
//! In the backward pass, the taps that reach an output position depend on its coordinates modulo the stride: its residue. With
//! many channels, each residue is a phase with only its own taps. With few channels, a tile of rows would be nearly empty. Then
//! the residues become rows (they are folded), which share every load of dy; a tap that does not reach a residue has weight zero
//! there.

use super::Conv2d;
use crate::ops::Tensor;
use crate::shape::Shape;

crate::params! {
    /// Mirrors `Params` of shaders/lib/conv2d.wgsl.
    pub(super) struct Conv2dParams {
        rows: u32, y_channels: u32, y_channel_offset: u32, y_channel_stride: u32, terms: u32, channels: u32,
        x_channel_offset: u32, x_channel_stride: u32, images: u32, x_h: u32, x_w: u32, y_h: u32, y_w: u32,
        x_step_h: u32, x_step_w: u32, y_step_h: u32, y_step_w: u32, fold_h: u32, fold_w: u32, phases: u32, bias: u32,
        relu: u32, epilogue: u32,
    }
}

/// With fewer channels than this, the backward folds residues into rows.
const FOLD_BELOW: usize = 8;

/// The product: its extents, and which elements of x and w meet.
#[derive(Clone)]
pub(super) struct ImplicitGemm {
    pub(super) backward: bool,
    pub(super) phases: Vec<Phase>,
    /// Channels of the output, and channels of the input, over which the product sums.
    pub(super) channels: [usize; 2],
    /// How many residues, vertically and horizontally, are rows.
    pub(super) folds: [usize; 2],
    /// The step between neighbouring positions of a phase: in the input, and in the output.
    pub(super) steps: [[usize; 2]; 2],
}

/// Output positions that share their taps.
#[derive(Clone)]
pub(super) struct Phase {
    /// The first position, in the output.
    pub(super) origin: [usize; 2],
    /// How many positions there are, vertically and horizontally.
    pub(super) extent: [usize; 2],
    /// The offset of each tap in the input: consecutive rows times consecutive columns.
    pub(super) taps: Vec<[i32; 2]>,
}

/// How many residues, vertically and horizontally, the backward folds into rows.
pub(super) fn folds(channels: usize, stride: [usize; 2]) -> [usize; 2] {
    if channels < FOLD_BELOW { stride } else { [1, 1] }
}

fn all_pairs(rows: &[i32], cols: &[i32]) -> Vec<[i32; 2]> {
    rows.iter().flat_map(|&row| cols.iter().map(move |&col| [row, col])).collect()
}

impl ImplicitGemm {
    pub(super) fn forward(conv: &Conv2d, y: Shape) -> Self {
        let [o, c, kh, kw] = conv.w_shape;
        let along = |size: usize, pad: usize| -> Vec<i32> { (0..size).map(|k| k as i32 - pad as i32).collect() };
        let taps = all_pairs(&along(kh, conv.pad[0]), &along(kw, conv.pad[1]));
        let phases = vec![Phase { origin: [0, 0], extent: [y.h(), y.w()], taps }];
        Self { backward: false, phases, channels: [o, c], folds: [1, 1], steps: [conv.stride, [1, 1]] }
    }

    pub(super) fn backward(conv: &Conv2d, dx: Shape) -> Self {
        let [o, c, kh, kw] = conv.w_shape;
        let [sh, sw] = conv.stride;
        let folds = folds(c, conv.stride);
        // The offsets along one axis with which one of `fold` residues, from `origin` on, meets a tap of the window.
        let along = |origin: usize, fold: usize, stride: usize, pad: usize, size: usize| -> Vec<i32> {
            let at = |residue: usize, k: usize| (residue + pad) as i32 - k as i32;
            let exact = |d: i32| (d.rem_euclid(stride as i32) == 0).then_some(d.div_euclid(stride as i32));
            let each = |residue| (0..size).filter_map(move |k| exact(at(residue, k)));
            let mut moves: Vec<i32> = (origin..origin + fold).flat_map(each).collect();
            moves.sort_unstable();
            moves.dedup();
            moves
        };
        let count = |size: usize, origin: usize, step: usize| size.saturating_sub(origin).div_ceil(step);
        let phases = (0..sh / folds[0] * (sw / folds[1])).map(|i| {
            let origin = [i / (sw / folds[1]), i % (sw / folds[1])];
            let rows = along(origin[0], folds[0], sh, conv.pad[0], kh);
            let cols = along(origin[1], folds[1], sw, conv.pad[1], kw);
            let extent = [count(dx.h(), origin[0], sh), count(dx.w(), origin[1], sw)];
            Phase { origin, extent, taps: all_pairs(&rows, &cols) }
        });
        let phases = phases.collect();
        Self { backward: true, phases, channels: [c, o], folds, steps: [[1, 1], conv.stride] }
    }

    pub(super) fn name(&self) -> &'static str {
        if self.backward { "backward" } else { "forward" }
    }

    /// Rows of the product.
    pub(super) fn rows(&self) -> usize {
        self.channels[0] * self.folds[0] * self.folds[1]
    }

    /// The number of terms in the sums of all phases.
    pub(super) fn terms(&self) -> usize {
        self.channels[1] * self.phases.iter().map(|p| p.taps.len()).sum::<usize>()
    }

    /// The number of columns of the largest phase, for one image.
    pub(super) fn columns(&self) -> usize {
        self.phases.iter().map(|p| p.extent[0] * p.extent[1]).max().unwrap_or(0)
    }

    /// The parameters of the shader, without the epilogue.
    pub(super) fn params(&self, x: Tensor, y: Tensor) -> Conv2dParams {
        let [x_step, y_step] = self.steps;
        let ([x_channel_offset, x_channel_stride], [y_channel_offset, y_channel_stride]) =
            (x.offset_and_stride(), y.offset_and_stride());
        let (x, y) = (x.shape, y.shape);
        Conv2dParams {
            rows: self.rows() as u32,
            y_channels: y.c() as u32,
            y_channel_offset,
            y_channel_stride,
            terms: self.terms() as u32,
            channels: self.channels[1] as u32,
            x_channel_offset,
            x_channel_stride,
            images: x.n() as u32,
            x_h: x.h() as u32,
            x_w: x.w() as u32,
            y_h: y.h() as u32,
            y_w: y.w() as u32,
            x_step_h: x_step[0] as u32,
            x_step_w: x_step[1] as u32,
            y_step_h: y_step[0] as u32,
            y_step_w: y_step[1] as u32,
            fold_h: self.folds[0] as u32,
            fold_w: self.folds[1] as u32,
            phases: self.phases.len() as u32,
            bias: 0,
            relu: 0,
            epilogue: 0,
        }
    }

    /// Two vec4i per phase (first tap, taps, row0, col0; h, w, offset in x, offset in y), then one per tap (dh, dw, 0, 0).
    pub(super) fn table(&self) -> Vec<u32> {
        let mut table = Vec::new();
        let mut first = 0;
        for phase in &self.phases {
            let taps = phase.taps.len();
            let ([row0, col0], [h, w]) = (phase.origin, phase.extent);
            table.extend([first, taps, row0, col0, h, w, 0, 0].map(|v| v as u32));
            first += taps;
        }
        for d in self.phases.iter().flat_map(|p| &p.taps) {
            table.extend([d[0] as u32, d[1] as u32, 0, 0]);
        }
        table
    }

    /// w in the order in which kernels read it: `[row / tile][tap][channel][row % tile]`, with zeros for rows past the last.
    pub(super) fn pack(&self, conv: &Conv2d, tile: usize) -> Vec<u32> {
        let terms = self.terms();
        let rows = self.rows().next_multiple_of(tile);
        let mut packed = vec![0; rows * terms];
        let mut column = vec![0.0f32; rows];
        let w = conv.folded_weights();
        let taps = self.phases.iter().flat_map(|phase| phase.taps.iter().map(move |d| (phase, *d)));
        for (at, (phase, d)) in taps.enumerate() {
            let places = self.places(conv, phase, d);
            for channel in 0..self.channels[1] {
                self.fill_column(conv, &w, &places, channel, &mut column);
                let term = at * self.channels[1] + channel;
                for (i, part) in column.chunks_exact(tile).enumerate() {
                    let to = (i * terms + term) * tile;
                    packed[to..to + tile].copy_from_slice(bytemuck::cast_slice(part));
                }
            }
        }
        packed
    }

    /// Calls `put` with tap, channel of the input, row and value of each weight. Each fold has its channels as rows, padded to a
    /// multiple of four, so that one texel of the product is one texel of the output.
    pub(super) fn each_weight(&self, conv: &Conv2d, mut put: impl FnMut(usize, usize, usize, f32)) {
        let [rows, channels] = self.channels;
        let w = conv.folded_weights();
        let taps = self.phases.iter().flat_map(|phase| phase.taps.iter().map(move |d| (phase, *d)));
        for (tap, (phase, d)) in taps.enumerate() {
            for (fold, place) in self.places(conv, phase, d).into_iter().enumerate() {
                let Some(place) = place else { continue };
                for channel in 0..channels {
                    for row in 0..rows {
                        let to = fold * rows.next_multiple_of(4) + row;
                        put(tap, channel, to, w[self.window(conv, channel, row) + place]);
                    }
                }
            }
        }
    }

    /// A function from a channel of the input and one of the output to their 3x3 window, in the order of the taps.
    pub(super) fn windows(&self, conv: &Conv2d) -> impl Fn(usize, usize) -> [f64; 9] {
        let phase = &self.phases[0];
        let places: Vec<usize> =
            phase.taps.iter().filter_map(|d| self.places(conv, phase, *d).first().copied().flatten()).collect();
        let w = conv.folded_weights();
        move |channel, row| {
            let window = self.window(conv, channel, row);
            std::array::from_fn(|tap| f64::from(w[window + places[tap]]))
        }
    }

    /// The index in w at which the window for a channel of the input and one of the output begins.
    fn window(&self, conv: &Conv2d, channel: usize, row: usize) -> usize {
        let [_, c_len, kh, kw] = conv.w_shape;
        let (o, c) = if self.backward { (channel, row) } else { (row, channel) };
        (o * c_len + c) * kh * kw
    }

    /// The position of a tap in the window, for each fold; `None` if the tap does not reach the residue of the fold.
    fn places(&self, conv: &Conv2d, phase: &Phase, d: [i32; 2]) -> Vec<Option<usize>> {
        let [_, _, kh, kw] = conv.w_shape;
        let along = |axis: usize, fold: usize, size: usize| {
            let (pad, stride, residue) = (conv.pad[axis] as i32, conv.stride[axis] as i32, phase.origin[axis] + fold);
            let k = if self.backward { residue as i32 + pad - d[axis] * stride } else { d[axis] + pad };
            usize::try_from(k).ok().filter(|&k| k < size)
        };
        let [folds_h, folds_w] = self.folds;
        let place = |fold: usize| Some(along(0, fold / folds_w, kh)? * kw + along(1, fold % folds_w, kw)?);
        (0..folds_h * folds_w).map(place).collect()
    }

    /// The weights of one term in all rows: by channel of the output, then by fold.
    fn fill_column(&self, conv: &Conv2d, w: &[f32], places: &[Option<usize>], channel: usize, column: &mut [f32]) {
        for (row, cells) in column.chunks_exact_mut(places.len()).take(self.channels[0]).enumerate() {
            let window = self.window(conv, channel, row);
            for (cell, place) in cells.iter_mut().zip(places) {
                *cell = place.map_or(0.0, |k| w[window + k]);
            }
        }
    }
}
