//! Misuses of ops: shapes, channels, formats, tables and gradients that do not fit.

use std::sync::Arc;

use protogpu::gpu::{Layout, Recording};
use protogpu::ops::{
    Adam, AdamRow, AdaptiveAvgPool2d, Add, AffineWarp, Binary, BinaryConstant, BinaryFunction, Cat, ChannelAffine,
    Clock, Colour, Concat, Condition, Format, GlobalAvgPool2d, GradEpilogue, GroupNorm, Interpolation, Irfft2, Linear,
    LocalResponseNorm, MaskedFill, MatMulConstant, MaxPool2d, Move, Op, Reduce, Reduction, Relu, Reveal, ScaleShift,
    Schedule, Silu, SoftTopK, Softmax, Tensor, Unary, UnaryFunction,
};
use protogpu::{Result, Shape};

use crate::record::{backward, forward};
use crate::refused;

const EPILOGUE: GradEpilogue = GradEpilogue { add: None, mask: None };
const POOL: MaxPool2d = MaxPool2d { kernel: [1, 1], stride: [1, 1], pad: [0; 4], ceil_mode: false };
const NORM: LocalResponseNorm = LocalResponseNorm { size: 5, alpha: 1e-4, beta: 0.75, k: 1.0 };

fn kept(rec: &mut Recording, shape: [usize; 4]) -> Tensor {
    Tensor::kept(rec, "tensor", Shape::from(shape))
}

/// More images than anyone can count, over a tensor with few elements.
fn huge(rec: &mut Recording, [c, h, w]: [usize; 3]) -> Tensor {
    Tensor::new(rec.kept("tensor", 64), Shape::new(1 << 62, c, h, w))
}

fn flat(rec: &mut Recording) -> Tensor {
    Tensor::kept(rec, "flat", Shape::of(&[2, 3]).expect("two extents"))
}

#[test]
fn warps_refuse_what_does_not_fit() {
    let rec = &mut Recording::new();
    let (x, y) = (kept(rec, [2, 3, 4, 4]), kept(rec, [2, 3, 5, 5]));
    let clock = Clock { step: rec.kept("clock", 1), steps: 2 };
    let theta = rec.kept("theta", 2 * 2 * AffineWarp::ROW);
    let warp = AffineWarp { interpolation: Interpolation::Bilinear, fill: vec![0.0; 3], normalize: None };
    warp.forward(rec, x, theta, clock, y).expect("it fits");
    warp.backward(rec, y, theta, clock, x).expect("it fits");

    let both = |rec: &mut Recording, warp: &AffineWarp, [x, y]: [Tensor; 2], part: &str| {
        refused(warp.forward(rec, x, theta, clock, y), part);
        refused(warp.backward(rec, y, theta, clock, x), part);
    };
    for wrong in [[1, 3, 5, 5], [2, 4, 5, 5]] {
        let y = kept(rec, wrong);
        both(rec, &warp, [x, y], "N and C are those of [2,3,4,4] in x");
    }
    let (flat, huge, long) = (flat(rec), huge(rec, [3, 4, 4]), kept(rec, [2, 3, 1, (1 << 24) + 1]));
    both(rec, &warp, [x, flat], "of rank 2");
    both(rec, &warp, [huge, huge], "elements");
    both(rec, &warp, [x, long], "sides must be from 1 to 16777216");
    both(rec, &AffineWarp { fill: vec![0.0; 2], ..warp.clone() }, [x, y], "2 in fill");
    let normalize = Some(ChannelAffine::new([1.0; 3], [0.0; 4]));
    both(rec, &AffineWarp { normalize, ..warp.clone() }, [x, y], "4 in shift");

    let short = rec.kept("maps", 2 * 2 * AffineWarp::ROW - 1);
    refused(warp.forward(rec, x, short, clock, y), "`theta` needs 40 elements but `maps` has 39");
    let endless = Clock { steps: usize::MAX, ..clock };
    refused(warp.backward(rec, y, theta, endless, x), "`theta` has more than");
    let elsewhere = Recording::new().kept("clock", 1);
    refused(warp.forward(rec, x, theta, Clock { step: elsewhere, ..clock }, y), "another recording");
}

#[test]
fn adam_refuses_what_does_not_fit() {
    let rec = &mut Recording::new();
    let [x, dx, m, v] = [2, 3, 4, 4].map(|_| kept(rec, [2, 3, 4, 4]));
    let (other, flat, huge) = (kept(rec, [2, 3, 4, 5]), flat(rec), huge(rec, [3, 4, 4]));
    let clock = Clock { step: rec.kept("clock", 1), steps: 2 };
    let schedule = Schedule { rows: rec.kept("rows", 2 * AdamRow::LEN), clock };
    let adam = Adam { beta1: 0.9, beta2: 0.99, eps: 1e-8, clamp: true, towards: vec![0.5; 3] };
    adam.step(rec, dx, [x, m, v], schedule).expect("it fits");
    for [x, m, v] in [[other, m, v], [x, other, v], [x, m, other]] {
        refused(adam.step(rec, dx, [x, m, v], schedule), "dx is [2,3,4,4]");
    }
    refused(adam.step(rec, other, [x, m, v], schedule), "dx is [2,3,4,5]");
    refused(adam.step(rec, flat, [flat; 3], schedule), "of rank 2");
    refused(adam.step(rec, huge, [huge; 3], schedule), "elements");
    let grey = Adam { towards: vec![0.5], ..adam.clone() };
    refused(grey.step(rec, dx, [x, m, v], schedule), "x has 3 channels");
    let longer = Schedule { clock: Clock { steps: 3, ..clock }, ..schedule };
    refused(adam.step(rec, dx, [x, m, v], longer), "`schedule` needs 12 elements but `rows` has 8");
    let none = Schedule { clock: Clock { step: rec.kept("empty", 0), ..clock }, ..schedule };
    refused(adam.step(rec, dx, [x, m, v], none), "`clock` needs 1 elements");
}

#[test]
fn colours_refuse_what_does_not_fit() {
    let rec = &mut Recording::new();
    let (x, y, other) = (kept(rec, [2, 3, 4, 4]), kept(rec, [2, 3, 4, 4]), kept(rec, [2, 3, 4, 5]));
    let (grey, flat, huge) = (kept(rec, [2, 1, 4, 4]), flat(rec), huge(rec, [3, 4, 4]));
    let mixed = Colour { matrix: Some([[1.0; 3]; 3]), sigmoid: true };
    let each = Colour { matrix: None, ..mixed };
    mixed.forward(rec, x, y).expect("it fits");
    for colour in [mixed, each] {
        refused(colour.forward(rec, x, other), "x is [2,3,4,4] but y is [2,3,4,5]");
        refused(colour.backward(rec, x, other, x), "dy is [2,3,4,4] but y is [2,3,4,5]");
        refused(colour.backward(rec, x, y, other), "dy is [2,3,4,4] but dx is [2,3,4,5]");
        refused(colour.forward(rec, flat, flat), "of rank 2");
        refused(colour.backward(rec, huge, huge, huge), "elements");
    }
    refused(mixed.forward(rec, grey, grey), "C is 1");
    refused(mixed.backward(rec, grey, grey, grey), "C is 1");
}

#[test]
fn spectra_refuse_what_does_not_fit() {
    for [h, w] in [[0, 4], [4, 3], [4, 1026]] {
        refused(Irfft2::new(h, w, |_, _| 1.0), "sides are even and at most 1024");
    }
    let rec = &mut Recording::new();
    let (s, x) = (kept(rec, [2, 3, 4, 10]), kept(rec, [2, 3, 4, 8]));
    let (other, flat) = (kept(rec, [2, 2, 4, 10]), flat(rec));
    let irfft2 = Irfft2::new(4, 8, |_, _| 1.0).expect("even");
    irfft2.forward(rec, s, x).expect("it fits");
    let both = |rec: &mut Recording, [s, x]: [Tensor; 2], part: &str| {
        refused(irfft2.forward(rec, s, x), part);
        refused(irfft2.backward(rec, x, s), part);
    };
    both(rec, [x, s], "for images of 4x8");
    both(rec, [other, x], "for images of 4x8");
    both(rec, [flat, x], "for images of 4x8");
    both(rec, [s, flat], "of rank 2");
    let shape = |w| Shape::new(1 << 62, 4, 4, w);
    let [many, images] = [10, 8].map(|w| Tensor::new(s.id, shape(w)));
    both(rec, [many, images], "elements");
    let part = kept(rec, [2, 6, 4, 8]).channels(3, 3).expect("three of six");
    both(rec, [s, part], "only some channels");
    let short = Tensor::new(rec.kept("short", 191), x.shape);
    both(rec, [s, short], "needs 192 elements but `short` has 191");
}

#[test]
fn concatenations_refuse_what_does_not_fit() {
    let rec = &mut Recording::new();
    let (a, b, y) = (kept(rec, [2, 3, 4, 4]), kept(rec, [2, 1, 4, 4]), kept(rec, [2, 4, 4, 4]));
    forward(rec, &Concat, &[a, b], y).expect("it fits");
    refused(forward(rec, &Concat, &[], y), "nothing to concatenate");
    refused(forward(rec, &Concat, &[a, a], y), "y is [2,4,4,4] but the output is [2,6,4,4]");
    refused(backward(rec, &Concat, a, (&[a, b], &[]), &[(a, EPILOGUE), (b, EPILOGUE)]), "dy is [2,3,4,4]");
    refused(backward(rec, &Concat, y, (&[a, b], &[]), &[(b, EPILOGUE), (b, EPILOGUE)]), "dx is [2,1,4,4]");
    for wrong in [Shape::new(2, 1, 4, 5), Shape::new(1, 1, 4, 4), Shape::of(&[2, 1]).expect("two extents")] {
        refused(Concat.output("", &[a.shape, wrong]), "beside [2,3,4,4]");
    }
    let endless = Shape::new(2, usize::MAX, 4, 4);
    let sum = Concat.output("", &[a.shape, endless]).expect("a shape, which no tensor has");
    assert_eq!(sum.len(), usize::MAX);
    let most = Tensor::new(y.id, sum);
    refused(forward(rec, &Concat, &[a, Tensor::new(b.id, endless)], most), "elements");
    let texels = Tensor::transient_texels(rec, "texels", a.shape);
    refused(forward(rec, &Concat, &[texels, b], y), "both must be in buffers");
}

#[test]
fn affine_ops_refuse_what_does_not_fit() {
    let rec = &mut Recording::new();
    let (x, other, flat) = (kept(rec, [2, 3, 4, 4]), kept(rec, [2, 3, 4, 5]), flat(rec));
    let op = ScaleShift(ChannelAffine::new([1.0; 3], [0.0; 3]));
    refused(forward(rec, &op, &[x], other), "x is [2,3,4,4] but y is [2,3,4,5]");
    refused(backward(rec, &op, x, (&[x], &[]), &[(other, EPILOGUE)]), "dy is [2,3,4,4] but dx is [2,3,4,5]");
    refused(forward(rec, &op, &[flat], flat), "of rank 2");
    refused(forward(rec, &op, &[x, x], x), "takes 1 inputs, not 2");
    for (scale, shift) in [(2, 3), (3, 2)] {
        let op = ScaleShift(ChannelAffine::new(vec![1.0; scale], vec![0.0; shift]));
        refused(forward(rec, &op, &[x], x), "C is 3 in x");
        refused(backward(rec, &op, x, (&[x], &[]), &[(x, EPILOGUE)]), "C is 3 in x");
    }
    // A norm that a convolution absorbed.
    let mut conv = crate::conv([5, 3, 1, 1], [1, 1], [0; 4]);
    conv.norms.push(ChannelAffine::new([1.0; 5], [0.0; 4]));
    refused(conv.output("", &[x.shape]), "a norm does not have a value for each of 5 channels");
}

#[test]
fn backwards_over_texels_refuse_what_does_not_fit() {
    let rec = &mut Recording::new();
    let shape = Shape::new(1, 8, 4, 4);
    let x = Tensor::transient_texels(rec, "x", shape);
    let small = Tensor::transient_texels(rec, "small", Shape::new(1, 4, 2, 2));
    let argmax = rec.transient("argmax", 2 * 4 * 4);
    let ops: [(&dyn Op, _); 3] = [(&Relu, &[][..]), (&POOL, &[argmax]), (&NORM, &[])];
    for (op, saved) in ops {
        let whole = |rec: &mut Recording, dy, dx| backward(rec, op, dy, (&[x], saved), &[(dx, EPILOGUE)]);
        let dx = x.like(rec, "dx");
        whole(rec, x, dx).expect("it fits");
        refused(whole(rec, small, dx), "is [1,4,2,2]");
        refused(whole(rec, x, small), "is [1,4,2,2]");
    }
    refused(backward(rec, &POOL, x, (&[x], &[]), &[(x, EPILOGUE)]), "takes 1 inputs, not 0");
    let short = rec.transient("argmax", 31);
    refused(backward(rec, &POOL, x, (&[x], &[short]), &[(x, EPILOGUE)]), "`chosen` needs 32 elements");
    let (mean, means) = (kept(rec, [1, 8, 1, 1]), kept(rec, [1, 4, 1, 1]));
    backward(rec, &GlobalAvgPool2d, mean, (&[x], &[]), &[(x, EPILOGUE)]).expect("it fits");
    refused(backward(rec, &GlobalAvgPool2d, means, (&[x], &[]), &[(x, EPILOGUE)]), "dy is [1,4,1,1]");
    refused(backward(rec, &GlobalAvgPool2d, mean, (&[x], &[]), &[(small, EPILOGUE)]), "is [1,4,1,1]");
    let add = GradEpilogue { add: Some(rec.transient_of("add", 31, Layout::Texels)), mask: None };
    refused(backward(rec, &Relu, x, (&[x], &[]), &[(x, add)]), "`epilogue_add` needs 32 elements but `add` has 31");
}

#[test]
fn masks_refuse_what_does_not_fit() {
    let rec = &mut Recording::new();
    let (x, cells, flat) = (kept(rec, [2, 1, 4, 4]), kept(rec, [2, 1, 2, 2]), flat(rec));
    let clock = Clock { step: rec.kept("clock", 1), steps: 2 };
    let areas = rec.kept("areas", 3);
    refused(SoftTopK.forward(rec, x, areas, clock, x), "`areas` needs 4 elements");
    refused(SoftTopK.forward(rec, flat, areas, clock, flat), "of rank 2");
    refused(Reveal.forward(rec, flat, flat, cells, x), "of rank 2");
    refused(Reveal.forward(rec, x, x, flat, x), "must have two images for each of x");
    let huge = huge(rec, [1, 4, 4]);
    refused(SoftTopK.backward(rec, huge, huge, huge), "elements");
    refused(Reveal.backward(rec, huge, huge, huge, cells), "elements");
    let mut short = Tensor::new(rec.kept("short", 4), x.shape);
    short.format = Format::Texels;
    let twice = kept(rec, [4, 1, 4, 4]);
    refused(Reveal.forward(rec, x, short, cells, twice), "`b` needs 32 elements");
    refused(SoftTopK.backward(rec, x, x, short), "`dx` needs 32 elements");
}

/// A field of a tensor says that four channels share an element, but the tensor has words.
#[test]
fn a_wrong_format_makes_no_tensor_longer() {
    let rec = &mut Recording::new();
    let x = kept(rec, [1, 4, 2, 2]);
    let mut short = Tensor::new(rec.kept("short", 4), x.shape);
    short.format = Format::Texels;
    let clock = Clock { step: rec.kept("clock", 1), steps: 1 };
    let schedule = Schedule { rows: rec.kept("rows", AdamRow::LEN), clock };
    let theta = rec.kept("theta", AffineWarp::ROW);
    let warp = AffineWarp { interpolation: Interpolation::Nearest, fill: vec![0.0; 4], normalize: None };
    let adam = Adam { beta1: 0.9, beta2: 0.99, eps: 1e-8, clamp: true, towards: vec![0.5; 4] };
    let scale_shift = ScaleShift(ChannelAffine::new([1.0; 4], [0.0; 4]));
    let linear = Linear { w: Arc::from([0.0; 256]), b: Arc::from([0.0; 16]) };
    let mut results = vec![
        ("warp", warp.forward(rec, x, theta, clock, short)),
        ("warp backward", warp.backward(rec, x, theta, clock, short)),
        ("adam", adam.step(rec, x, [short, x, x], schedule)),
        ("colour", Colour { matrix: None, sigmoid: true }.forward(rec, short, x)),
    ];
    let long = kept(rec, [1, 16, 1, 1]);
    let mut other = Tensor::new(short.id, long.shape);
    other.format = Format::Texels;
    results.push(("linear", forward(rec, &linear, &[x], other).map(drop)));
    let (matrix, one) = (Shape::of(&[2, 2]).expect("two extents"), Shape::of(&[1]).expect("one extent"));
    let ops: [&dyn Op; 15] = [
        &Relu,
        &Silu,
        &scale_shift,
        &POOL,
        &NORM,
        &Unary::new(UnaryFunction::Exp),
        &BinaryConstant::number(BinaryFunction::Mul, 2.0),
        &AdaptiveAvgPool2d { output: [2, 2] },
        &Reduce { reduction: Reduction::Sum, axes: Vec::new(), keepdim: true },
        &Move::Permute(vec![0, 1, 3, 2]),
        &Cat { axis: 2 },
        &Softmax { axis: 1, log: false },
        &GroupNorm { groups: 2, weight: None, bias: None, eps: 1e-5 },
        &MatMulConstant { constant: Arc::from([0.0; 4]), shape: matrix, first: false },
        &MaskedFill { keep: Condition { holds: Arc::from([true]), shape: one }, value: 0.0 },
    ];
    let mul = Binary(BinaryFunction::Mul);
    results.push(("mul", forward(rec, &mul, &[x, x], short).map(drop)));
    results.push(("mul", backward(rec, &mul, x, (&[x, x], &[]), &[(x, EPILOGUE), (short, EPILOGUE)])));
    for op in ops {
        results.push((op.name(), forward(rec, op, &[x], short).map(drop)));
        results.push((op.name(), backward(rec, op, x, (&[x], &[x.id]), &[(short, EPILOGUE)])));
    }
    results.push(("add", forward(rec, &Add, &[x, short], x).map(drop)));
    results.push(("concat", forward(rec, &Concat, &[short], x).map(drop)));
    for (name, result) in results {
        assert!(result.is_err(), "{name} took 4 words for 16 elements");
    }
}

#[test]
fn a_backward_alone_refuses_what_does_not_fit() {
    let rec = &mut Recording::new();
    let (x, other) = (kept(rec, [1, 4, 2, 2]), kept(rec, [1, 4, 4, 4]));
    let into = [(x, EPILOGUE), (x, EPILOGUE)];
    refused(backward(rec, &Relu, x, (&[x], &[]), &[]), "there are 1 inputs, but tensors for 0 gradients");
    refused(backward(rec, &Add, x, (&[x, x], &[]), &into[..1]), "there are 2 inputs, but tensors for 1 gradients");
    refused(backward(rec, &Add, x, (&[x], &[]), &into[..1]), "takes 2 inputs, not 1");
    refused(backward(rec, &GlobalAvgPool2d, x, (&[], &[]), &[]), "takes 1 inputs, not 0");
    // It delivers dy itself, whose shape it cannot know.
    let unlike: Result<()> = backward(rec, &Add, other, (&[x, x], &[]), &into);
    refused(unlike, "dx is [1,4,4,4]");
    let linear = Linear { w: Arc::from([0.0; 32]), b: Arc::from([0.0; 2]) };
    let dy = kept(rec, [1, 2, 1, 1]);
    backward(rec, &linear, dy, (&[x], &[]), &into[..1]).expect("it fits");
    refused(backward(rec, &linear, other, (&[x], &[]), &into[..1]), "y [1,4,4,4]");
    refused(backward(rec, &linear, dy, (&[x], &[]), &[(other, EPILOGUE)]), "x [1,4,4,4]");
    let conv = crate::conv([4, 4, 1, 1], [1, 1], [0; 4]);
    refused(backward(rec, &conv, other, (&[x], &[]), &into[..1]), "dy is [1,4,4,4] but the output is [1,4,2,2]");
    refused(backward(rec, &conv, x, (&[x], &[]), &[(other, EPILOGUE)]), "dy is [1,4,2,2]");
    for op in [&POOL as &dyn Op, &Silu, &NORM] {
        refused(backward(rec, op, other, (&[x], &[x.id]), &into[..1]), "is [1,4,4,4]");
        refused(backward(rec, op, x, (&[x], &[x.id]), &[(other, EPILOGUE)]), "is [1,4,4,4]");
    }
}

#[test]
fn windows_that_are_too_large_to_count_do_not_wrap_around() {
    let huge = LocalResponseNorm { size: usize::MAX, ..NORM };
    let rec = &mut Recording::new();
    let x = kept(rec, [1, 4, 2, 2]);
    forward(rec, &huge, &[x], x).expect("the work saturates");
    backward(rec, &huge, x, (&[x], &[]), &[(x, EPILOGUE)]).expect("the work saturates");
    assert!(!MaxPool2d { kernel: [1 << 40; 2], ..POOL }.knows_texels());
}
