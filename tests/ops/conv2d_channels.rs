//! conv2d with some channels of a larger tensor as x, y or dy. A branch of a concatenation writes to such a y, and reads such a dy.
//! Every algorithm, in every format.

use protogpu::Shape;
use protogpu::gpu::Recording;
use protogpu::ops::{self, Conv2d, ConvAlgorithm, Direction, Format, Fusable, GradEpilogue, Op};

use super::conv2d::{Case, Geometry, algorithms, growth};
use crate::tests::harness::{self, Outcome, Rig, Table, close, exact, format_name, refused};
use crate::tests::twin::random::Random;
use crate::tests::twin::{Tensor, concat};

/// 3x3 windows, which Winograd's tiles take too; a 1x1 window; strides with residues as phases, and as rows. In the first two, the
/// number of output channels is no multiple of four.
const GEOMETRIES: [Geometry; 4] = [
    ([2, 5, 7, 9], [6, 5, 3, 3], [1, 1], [1; 4]),
    ([2, 4, 5, 6], [3, 4, 1, 1], [1, 1], [0; 4]),
    ([2, 9, 8, 11], [8, 9, 3, 3], [2, 2], [1; 4]),
    ([2, 3, 9, 7], [4, 3, 5, 3], [2, 1], [2, 1, 1, 0]),
];

/// How many channels lie before and after those of the convolution. For texels, whole quads before; none after an incomplete quad.
fn around(format: Format, channels: usize) -> Vec<[usize; 2]> {
    match format {
        Format::Nchw => vec![[3, 2], [0, 1]],
        Format::Texels if channels.is_multiple_of(4) => vec![[4, 0], [8, 5]],
        Format::Texels => vec![[4, 0], [8, 0]],
    }
}

/// Each algorithm with its formats.
fn formats_of(case: &Case) -> Vec<(ConvAlgorithm, Format)> {
    let texels = |v: &ConvAlgorithm| matches!(v, ConvAlgorithm::Texels(_)).then_some(Format::Texels);
    case.algorithms()
        .into_iter()
        .flat_map(|v| [Some(Format::Nchw), texels(&v)].into_iter().flatten().map(move |f| (v, f)))
        .collect()
}

/// A tensor with these channels in its middle.
fn surrounded(middle: &Tensor, [before, after]: [usize; 2], with: impl Fn([usize; 4]) -> Tensor) -> Tensor {
    let [n, _, h, w] = middle.shape;
    let [head, tail] = [before, after].map(|c| with([n, c, h, w]));
    concat::forward(&[&head, middle, &tail])
}

fn nan(shape: [usize; 4]) -> Tensor {
    Tensor::filled(shape, f64::NAN)
}

/// The parts of the tensor before, in and after the channels of the convolution.
fn split(whole: &Tensor, [before, after]: [usize; 2]) -> [Tensor; 3] {
    let middle = whole.shape[1] - before - after;
    concat::backward(whole, &[before, middle, after]).try_into().expect("three parts")
}

/// The whole tensor after y was written to it. It begins as `whole`.
fn forward(
    case: &Case,
    algorithm: ConvAlgorithm,
    format: Format,
    whole: &Tensor,
    place: [usize; 2],
    parts: [bool; 2],
) -> Outcome<Tensor> {
    let mut rig = Rig::default();
    let (x, whole) = (rig.input_as(format, "x", &case.x)?, rig.changed_as(format, "whole", whole)?);
    let y = whole.channels(place[0], case.dy.shape[1])?;
    harness::forward_by(algorithm, &mut rig.rec, &*case.op(parts[0], false, parts[1]), &[x], y)?;
    rig.run()?.read(whole)
}

#[test]
fn forward_into_some_channels() {
    let mut table = Table::new("conv2d");
    for case in GEOMETRIES.map(Case::new) {
        let magnitudes = case.magnitudes();
        for (algorithm, format) in formats_of(&case) {
            for (place, [bias, relu]) in around(format, case.dy.shape[1])
                .into_iter()
                .flat_map(|place| [[false, false], [true, true]].map(|parts| (place, parts)))
            {
                let name = format!("{}{} at {place:?}", case.name(algorithm), format_name(format));
                table.case(format!("channels forward {name} bias {bias} relu {relu}"), || {
                    let sum = case.twin_forward(&case.x, bias);
                    let want = if relu { sum.map(|y| y.max(0.0)) } else { sum };
                    let size = magnitudes.twin_forward(&magnitudes.x, bias);
                    let before = Random(5).tensor(surrounded(&want, place, nan).shape, -1.0, 1.0);
                    let after = forward(&case, algorithm, format, &before, place, [bias, relu])?;
                    let ([head, _, tail], [got_head, y, got_tail]) = (split(&before, place), split(&after, place));
                    exact("the channels before", &got_head, &head)?;
                    exact("the channels after", &got_tail, &tail)?;
                    close("y", &y, &want, &size, growth(algorithm) * case.k())
                });
            }
        }
    }
    table.finish();
}

/// The other channels are NaN, so that reading any of them spoils the result.
#[test]
fn reading_some_channels() {
    let mut table = Table::new("conv2d");
    for case in GEOMETRIES.map(Case::new) {
        let magnitudes = case.magnitudes();
        let mut random = Random(6);
        let [add, mask] = [0, 1].map(|_| random.tensor(case.x.shape, -1.0, 1.0));
        for (algorithm, format) in formats_of(&case) {
            let (name, k) = (format!("{}{}", case.name(algorithm), format_name(format)), growth(algorithm) * case.k());
            for place in around(format, case.x.shape[1]) {
                table.case(format!("channels of x {name} at {place:?}"), || {
                    let mut rig = Rig::default();
                    let whole = rig.input_as(format, "x", &surrounded(&case.x, place, nan))?;
                    let (x, y) =
                        (whole.channels(place[0], case.x.shape[1])?, rig.output_as(format, "y", case.dy.shape));
                    harness::forward_by(algorithm, &mut rig.rec, &case.conv(true), &[x], y)?;
                    let size = magnitudes.twin_forward(&magnitudes.x, true);
                    close("y", &rig.run()?.read(y)?, &case.twin_forward(&case.x, true), &size, k)
                });
            }
            for place in around(format, case.dy.shape[1]) {
                table.case(format!("channels of dy {name} at {place:?}"), || {
                    let mut rig = Rig::default();
                    let whole = rig.input_as(format, "dy", &surrounded(&case.dy, place, nan))?;
                    let dy = whole.channels(place[0], case.dy.shape[1])?;
                    let dx = rig.output_as(format, "dx", case.x.shape);
                    let epilogue = rig.epilogue(format, [Some(&add), Some(&mask)])?;
                    harness::backward_by(algorithm, &mut rig.rec, &case.conv(true), dy, (dx, epilogue))?;
                    let want = crate::tests::harness::finished(&case.twin_backward(), Some(&add), Some(&mask));
                    let size = magnitudes.twin_backward().map(|dx| dx + 1.0);
                    close("dx", &rig.run()?.read(dx)?, &want, &size, k)
                });
            }
        }
    }
    table.finish();
}

#[test]
fn what_is_refused() {
    let mut table = Table::new("conv2d");
    let conv = Conv2d::new(vec![0.5; 16], [4, 4, 1, 1], None, [1, 1], [0; 4]);
    let fused = conv.absorb(&Fusable::Add).expect("a residual");
    for algorithm in algorithms() {
        table.case(format!("channels refused {algorithm:?}"), || {
            let mut rec = Recording::new();
            let [x, whole] = [4, 12].map(|c| ops::Tensor::transient(&mut rec, "t", Shape::new(2, c, 3, 3)));
            let part = whole.channels(4, 4)?;
            let plain = GradEpilogue::default();
            if algorithm.fits(&conv.key(x.shape, Direction::Forward)) {
                let residual = harness::forward_by(algorithm, &mut rec, &*fused, &[x, x], part);
                refused("residual", residual, "conv2d (conv2d): a residual is not added")?;
                let dx = harness::backward_by(algorithm, &mut rec, &conv, x, (part, plain));
                refused("dx", dx, "conv2d (conv2d): the gradient is not written")?;
                // All channels are the whole tensor.
                let all = x.channels(0, 4)?;
                harness::forward_by(algorithm, &mut rec, &*fused, &[x, x], all)?;
                harness::backward_by(algorithm, &mut rec, &conv, x, (all, plain))?;
            }
            Ok(())
        });
    }
    table.finish();
}
