//! local_response_norm: windows wider than the channels, asymmetric windows, and windows across quads of channels.

use protogpu::ops::{self, Format};

use crate::tests::harness::{
    self, EPILOGUES, Outcome, Rig, Table, batch_independent, by, close, epilogue_name, exact, finished, format_name,
    formats, gradient, images, refused, root,
};
use crate::tests::twin::local_response_norm::{self as twin, LocalResponseNorm};
use crate::tests::twin::random::Random;
use crate::tests::twin::{Tensor, indices};

/// Around one, two and sixteen quads of texels.
const CHANNELS: [usize; 10] = [1, 2, 3, 4, 5, 7, 8, 9, 13, 65];

/// One channel; even sizes, with one channel more before than after; the largest size for texels, and a larger one.
const SIZES: [usize; 7] = [1, 2, 3, 4, 5, 9, 11];

/// Inputs lie in [−32, 32): a multiple of 2⁻¹⁸, exact as f32. With this alpha squares add up to 10 and norms halve or more.
const SCALE: f64 = 32.0;
const STRONG: LocalResponseNorm = LocalResponseNorm { size: 5, alpha: 1e-2, beta: 0.75, k: 1.0 };

/// BVLC's; a root; a k far below the squares; norms that are none, and that enlarge.
const NUMBERS: [LocalResponseNorm; 5] = [
    LocalResponseNorm { alpha: 1e-4, ..STRONG },
    LocalResponseNorm { beta: 0.5, k: 2.0, ..STRONG },
    LocalResponseNorm { size: 3, alpha: 0.5, beta: 1.0, k: 0.125 },
    LocalResponseNorm { beta: 0.0, ..STRONG },
    LocalResponseNorm { size: 4, beta: -0.5, ..STRONG },
];

fn op(p: LocalResponseNorm) -> ops::LocalResponseNorm {
    let [alpha, beta, k] = [p.alpha, p.beta, p.k].map(|v| v as f32);
    ops::LocalResponseNorm { size: p.size, alpha, beta, k }
}

/// The numbers as the op holds them, in f32.
fn rounded(p: LocalResponseNorm) -> LocalResponseNorm {
    let [alpha, beta, k] = [p.alpha, p.beta, p.k].map(|v| f64::from(v as f32));
    LocalResponseNorm { alpha, beta, k, ..p }
}

fn forward(format: Format, x: &Tensor, p: LocalResponseNorm) -> Outcome<Tensor> {
    let mut rig = Rig::default();
    let (x, y) = (rig.input_as(format, "x", x)?, rig.output_as(format, "y", x.shape));
    harness::forward(&mut rig.rec, &op(p), &[x], y)?;
    rig.run()?.read(y)
}

fn backward(
    format: Format,
    [dy, x]: [&Tensor; 2],
    p: LocalResponseNorm,
    [add, mask]: [Option<&Tensor>; 2],
) -> Outcome<Tensor> {
    let mut rig = Rig::default();
    let [dy, x] = [rig.input_as(format, "dy", dy)?, rig.input_as(format, "x", x)?];
    let dx = rig.output_as(format, "dx", x.shape.nchw());
    let epilogue = rig.epilogue(format, [add, mask])?;
    harness::backward(&mut rig.rec, &op(p), dy, (&[x], &[]), &[(dx, epilogue)])?;
    rig.run()?.read(dx)
}

/// The factor k of a value that the power `s^−beta` makes, s being in `p.k .. p.k + alpha · SCALE²`.
///
/// WGSL lets `pow(s, b)` be `exp2(b · log2(s))`, where log2 errs by 4 ε in `[0.5, 2]` and by 3 ε of itself elsewhere, and exp2
/// by `3 + 2·|b·log2 s|` ε of itself. What the exponent errs by counts ln 2 times, which with L = |log2 s| makes
/// `3 + ln 2 · 4·|b| + (2 + ln 2 · 3.5) · |b|·L`. The sum of squares errs by its own root, of which s^−b takes |b| times as much,
/// and two more are for the multiplications around it.
fn power(p: LocalResponseNorm, beta: f64) -> f64 {
    let most = [p.k, p.k + p.alpha * SCALE * SCALE].map(|s| s.log2().abs()).into_iter().fold(0.0, f64::max);
    3.0 + 2.8 * beta.abs() + 4.5 * beta.abs() * most + beta.abs() * root(p.size) + 2.0
}

/// The sum of magnitudes in the backward: |dy|·s^−beta, and the sum over the window, which the twin subtracts from it.
fn magnitude(dy: &Tensor, x: &Tensor, p: LocalResponseNorm) -> Tensor {
    let [dy, x] = [dy, x].map(|t| t.map(f64::abs));
    let own = dy.zip(&twin::forward(&x, &p).zip(&x, |y, x| y / x), |dy, scale| dy * scale);
    own.zip(&twin::backward(&dy, &x, &p), |own, dx| own + (own - dx).abs())
}

/// No zeros: `magnitude` divides by x.
fn inputs(shape: [usize; 4]) -> [Tensor; 4] {
    let mut random = Random(1);
    let x = random.tensor(shape, -SCALE, SCALE).map(|v| if v == 0.0 { 1.0 } else { v });
    let [dy, add, mask] = [0; 3].map(|_| random.tensor(shape, -1.0, 1.0));
    [x, dy, add, mask]
}

fn check(table: &mut Table, shape: [usize; 4], p: LocalResponseNorm) {
    let [x, dy, add, mask] = inputs(shape);
    let p = rounded(p);
    let LocalResponseNorm { size, alpha, beta, k } = p;
    for format in formats().into_iter().filter(|format| *format == Format::Nchw || op(p).knows_texels()) {
        let name = format!("{} size {size} {alpha:.0e} {beta} {k}{}", by(&shape), format_name(format));
        table.case(format!("forward {name}"), || {
            let y = twin::forward(&x, &p);
            close("y", &forward(format, &x, p)?, &y, &y.map(f64::abs), power(p, beta))
        });
        let size = magnitude(&dy, &x, p).map(|dx| dx + 1.0);
        // Two powers, the farther of which is beta + 1, in a sum over the window.
        let k = power(p, beta.abs() + 1.0) + root(p.size);
        for [adds, masks] in EPILOGUES {
            table.case(format!("backward {name}{}", epilogue_name([adds, masks])), || {
                let parts = [adds.then_some(&add), masks.then_some(&mask)];
                let want = finished(&twin::backward(&dy, &x, &p), parts[0], parts[1]);
                close("dx", &backward(format, [&dy, &x], p, parts)?, &want, &size, k)
            });
        }
    }
}

#[test]
fn windows() {
    let mut table = Table::new("local_response_norm");
    for (i, channels) in CHANNELS.into_iter().enumerate() {
        for size in SIZES {
            check(&mut table, [2 + i % 2, channels, 3, 3 + i % 3], LocalResponseNorm { size, ..STRONG });
        }
    }
    // Planes of 63, 64 and 65 places; more texels than a row of a texture has.
    for shape in [[3, 5, 7, 9], [2, 6, 8, 8], [2, 3, 13, 5], [2, 5, 65, 33]] {
        check(&mut table, shape, STRONG);
    }
    for numbers in NUMBERS {
        check(&mut table, [2, 7, 3, 5], numbers);
    }
    table.finish();
}

#[test]
fn differences_and_batch() {
    let mut table = Table::new("local_response_norm");
    for format in formats() {
        for size in [4, 5] {
            let p = rounded(LocalResponseNorm { size, alpha: 0.5, ..STRONG });
            let mut random = Random(2);
            let [x, dy] = [0; 2].map(|_| random.tensor([2, 7, 2, 3], -2.0, 2.0));
            table.case(format!("differences size {size}{}", format_name(format)), || {
                let dx = backward(format, [&dy, &x], p, [None; 2])?;
                let k = power(p, p.beta + 1.0) + root(size);
                gradient(&dx, &x, &magnitude(&dy, &x, p), k, |x| dy.dot(&twin::forward(x, &p)))
            });
        }
        table.case(format!("batch 3x7x5x3{}", format_name(format)), || {
            let [x, dy, add, mask] = inputs([3, 7, 5, 3]);
            batch_independent(|n| {
                let [x, dy, add, mask] = [&x, &dy, &add, &mask].map(|t| images(t, n));
                let dx = backward(format, [&dy, &x], STRONG, [Some(&add), Some(&mask)])?;
                Ok(vec![forward(format, &x, STRONG)?, dx])
            })
        });
    }
    table.finish();
}

/// A NaN spreads to all values that its channel normalises, and to no other image, position or channel.
#[test]
fn nan_stays_in_its_window() {
    let mut table = Table::new("local_response_norm");
    for (channel, format) in [0, 3, 6].into_iter().flat_map(|c| formats().into_iter().map(move |f| (c, f))) {
        table.case(format!("nan in {channel}{}", format_name(format)), || {
            let [mut x, dy, ..] = inputs([2, 7, 2, 3]);
            x[[1, channel, 1, 0]] = f64::NAN;
            let reached = |reach: usize| {
                let hit = |[n, c, h, w]: [usize; 4]| [n, h, w] == [1, 1, 0] && c.abs_diff(channel) <= reach;
                Tensor::new(x.shape, indices(x.shape).map(|at| f64::from(hit(at))).collect())
            };
            let is_nan = |t: &Tensor| t.map(|v| f64::from(v.is_nan()));
            exact("whether y is NaN", &is_nan(&forward(format, &x, STRONG)?), &reached(2))?;
            // Through the norms of all that it is in.
            let dx = backward(format, [&dy, &x], STRONG, [None; 2])?;
            exact("whether dx is NaN", &is_nan(&dx), &reached(4))
        });
    }
    table.finish();
}

#[test]
fn what_it_does_not_know() {
    let mut table = Table::new("local_response_norm");
    table.case("errors", || {
        let x = Tensor::zeros([1, 3, 2, 2]);
        let none = |p| refused("numbers", forward(Format::Nchw, &x, p), "size and k must be positive");
        none(LocalResponseNorm { size: 0, ..STRONG })?;
        none(LocalResponseNorm { k: 0.0, ..STRONG })?;
        none(LocalResponseNorm { k: f64::NAN, ..STRONG })?;
        none(LocalResponseNorm { beta: f64::INFINITY, ..STRONG })?;
        none(LocalResponseNorm { alpha: f64::NAN, ..STRONG })?;
        none(LocalResponseNorm { alpha: -1e-3, ..STRONG })
    });
    // Recorded, not run: no adapter needs to know texels.
    for [formats, size] in [[0b11, 10], [0b11, 11], [0b01, 5], [0b10, 5]] {
        table.case(format!("formats {formats:02b} size {size}"), || {
            let mut rec = protogpu::gpu::Recording::new();
            let mut tensor = |texels: bool| match texels {
                true => ops::Tensor::transient_texels(&mut rec, "t", protogpu::Shape::new(1, 9, 2, 2)),
                false => ops::Tensor::transient(&mut rec, "t", protogpu::Shape::new(1, 9, 2, 2)),
            };
            let (x, y, dy) = (tensor(formats & 1 != 0), tensor(formats & 2 != 0), tensor(formats & 1 != 0));
            let norm = op(LocalResponseNorm { size, ..STRONG });
            refused("forward", harness::forward(&mut rec, &norm, &[x], y), "with a window of")?;
            let epilogue = ops::GradEpilogue::default();
            refused(
                "backward",
                harness::backward(&mut rec, &norm, dy, (&[x], &[]), &[(y, epilogue)]),
                "with a window of",
            )
        });
    }
    table.finish();
}
