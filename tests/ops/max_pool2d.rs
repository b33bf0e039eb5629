//! max_pool2d: y and argmax exactly, ties, NaN, and windows that extend past the end.

use protogpu::Shape;
use protogpu::ops::{Format, MaxPool2d, Op};

use crate::tests::harness::{
    self, EPILOGUES, Outcome, Rig, Table, batch_independent, by, close, epilogue_name, exact, finished, format_name,
    formats, gradient, images, root,
};
use crate::tests::twin::max_pool2d::{self, Window};
use crate::tests::twin::random::Random;
use crate::tests::twin::{Tensor, indices};

const CASES: [([usize; 4], Window); 14] = [
    // ResNet's and GoogLeNet's.
    ([2, 3, 13, 11], Window { kernel: [3, 3], stride: [2, 2], pad: [1; 4], ceil_mode: false }),
    ([3, 2, 12, 9], Window { kernel: [3, 3], stride: [2, 2], pad: [0; 4], ceil_mode: true }),
    ([2, 2, 7, 5], Window { kernel: [3, 3], stride: [1, 1], pad: [1; 4], ceil_mode: true }),
    ([2, 1, 9, 10], Window { kernel: [2, 2], stride: [2, 2], pad: [0; 4], ceil_mode: true }),
    // Two quads of texels; the InceptionV1s' again: on even sizes, and on odd ones of which the last window has half.
    ([2, 5, 14, 8], Window { kernel: [3, 3], stride: [2, 2], pad: [0; 4], ceil_mode: true }),
    ([2, 5, 7, 7], Window { kernel: [2, 2], stride: [2, 2], pad: [0; 4], ceil_mode: true }),
    ([3, 6, 4, 7], Window { kernel: [3, 3], stride: [1, 1], pad: [1; 4], ceil_mode: true }),
    // 65 columns of y and 129 of x; 64 of x.
    ([2, 2, 5, 129], Window { kernel: [3, 3], stride: [2, 2], pad: [1; 4], ceil_mode: false }),
    ([1, 3, 4, 64], Window { kernel: [2, 3], stride: [1, 1], pad: [0, 1, 1, 1], ceil_mode: false }),
    // Asymmetric in everything; windows that overlap, that leave gaps, and whose last one would begin in the padding.
    ([2, 3, 9, 7], Window { kernel: [3, 2], stride: [1, 3], pad: [2, 1, 1, 0], ceil_mode: false }),
    ([1, 5, 8, 13], Window { kernel: [2, 4], stride: [3, 2], pad: [0, 3, 1, 2], ceil_mode: true }),
    ([1, 2, 4, 4], Window { kernel: [2, 2], stride: [3, 3], pad: [0, 0, 1, 1], ceil_mode: true }),
    ([1, 3, 1, 5], Window { kernel: [1, 5], stride: [1, 1], pad: [0, 4, 0, 4], ceil_mode: false }),
    ([1, 4, 4, 4], Window { kernel: [1, 1], stride: [1, 1], pad: [0; 4], ceil_mode: false }),
];

fn op(window: Window) -> MaxPool2d {
    let Window { kernel, stride, pad, ceil_mode } = window;
    MaxPool2d { kernel, stride, pad, ceil_mode }
}

/// y and argmax.
fn forward(format: Format, x: &Tensor, window: Window) -> Outcome<(Tensor, Vec<usize>)> {
    let mut rig = Rig::default();
    let shape = op(window).output("pool", &[Shape::from(x.shape)])?;
    let (x_slot, y) = (rig.input_as(format, "x", x)?, rig.output_as(format, "y", shape.nchw()));
    let saved = harness::forward(&mut rig.rec, &op(window), &[x_slot], y)?;
    let ready = rig.run()?;
    let words = ready.words(saved[0])?;
    let places = match format {
        Format::Nchw => words.into_iter().map(|at| at as usize).collect(),
        Format::Texels => indices(shape.nchw())
            .map(|p| {
                let (word, shift) = byte_of(shape.nchw(), p);
                let at = (words[word] >> shift & 255) as usize;
                let [top, left] = corner(window, p);
                let [row, col] = [top + (at / window.kernel[1]) as isize, left + (at % window.kernel[1]) as isize];
                row as usize * x.shape[3] + col as usize
            })
            .collect(),
    };
    Ok((ready.read(y)?, places))
}

/// The position in x at which the window of an element of y begins.
fn corner(window: Window, [_, _, oh, ow]: [usize; 4]) -> [isize; 2] {
    let along = |at: usize, axis: usize| (at * window.stride[axis]) as isize - window.pad[axis] as isize;
    [along(oh, 0), along(ow, 1)]
}

/// The word and the shift of an element's byte, where four channels share a word.
fn byte_of([_, c, h, w]: [usize; 4], [n, channel, oh, ow]: [usize; 4]) -> (usize, usize) {
    (((n * c.div_ceil(4) + channel / 4) * h + oh) * w + ow, 8 * (channel % 4))
}

/// Positions in the plane of x as positions in the window, in bytes.
fn bytes_of(argmax: &[usize], y_shape: [usize; 4], x_shape: [usize; 4], window: Window) -> Vec<u32> {
    let [n, c, h, w] = y_shape;
    let mut words = vec![0; n * c.div_ceil(4) * h * w];
    for (p, &at) in indices(y_shape).zip(argmax) {
        let ([top, left], (word, shift)) = (corner(window, p), byte_of(y_shape, p));
        let [row, col] = [at / x_shape[3], at % x_shape[3]].map(|v| v as isize);
        words[word] |= (((row - top) * window.kernel[1] as isize + col - left) as u32) << shift;
    }
    words
}

fn backward(
    format: Format,
    dy: &Tensor,
    argmax: &[usize],
    x_shape: [usize; 4],
    window: Window,
    [add, mask]: [Option<&Tensor>; 2],
) -> Outcome<Tensor> {
    let mut rig = Rig::default();
    let words = match format {
        Format::Nchw => argmax.iter().map(|&at| at as u32).collect(),
        Format::Texels => bytes_of(argmax, dy.shape, x_shape, window),
    };
    let (dy, dx) = (rig.input_as(format, "dy", dy)?, rig.output_as(format, "dx", x_shape));
    let argmax = rig.words("argmax", &words);
    let epilogue = rig.epilogue(format, [add, mask])?;
    harness::backward(&mut rig.rec, &op(window), dy, (&[dx], &[argmax]), &[(dx, epilogue)])?;
    rig.run()?.read(dx)
}

/// Values with many ties, so that the first maximum matters.
fn with_ties(shape: [usize; 4]) -> Tensor {
    Random(7).tensor(shape, 0.0, 3.0).map(f64::floor)
}

fn name(shape: [usize; 4], window: Window) -> String {
    let Window { kernel, stride, pad: [top, left, bottom, right], ceil_mode } = window;
    let ceil = if ceil_mode { " ceil" } else { "" };
    format!("{} k{} s{} p{top},{left},{bottom},{right}{ceil}", by(&shape), by(&kernel), by(&stride))
}

#[test]
fn windows() {
    let mut table = Table::new("max_pool2d");
    for ((shape, window), format) in CASES.into_iter().flat_map(|case| formats().into_iter().map(move |f| (case, f))) {
        let mut random = Random(1);
        let [x, add, mask] = [0; 3].map(|_| random.tensor(shape, -1.0, 1.0));
        let name = format!("{}{}", name(shape, window), format_name(format));
        for (x, ties) in [(&x, ""), (&with_ties(shape), " ties")] {
            table.case(format!("forward {name}{ties}"), || {
                let (want_y, want_argmax) = max_pool2d::forward(x, window);
                let (y, argmax) = forward(format, x, window)?;
                exact("y", &y, &want_y)?;
                let places = |argmax: &[usize]| Tensor::new(y.shape, argmax.iter().map(|&at| at as f64).collect());
                exact("argmax", &places(&argmax), &places(&want_argmax))
            });
        }
        let (y, argmax) = max_pool2d::forward(&x, window);
        let dy = random.tensor(y.shape, -1.0, 1.0);
        // An element is the maximum of at most one window per tap.
        let k = root(window.kernel[0] * window.kernel[1]);
        let size = max_pool2d::backward(&dy.map(f64::abs), &argmax, shape).map(|d| d + 1.0);
        for [adds, masks] in EPILOGUES {
            table.case(format!("backward {name}{}", epilogue_name([adds, masks])), || {
                let (add, mask) = (adds.then_some(&add), masks.then_some(&mask));
                let want = finished(&max_pool2d::backward(&dy, &argmax, shape), add, mask);
                close("dx", &backward(format, &dy, &argmax, shape, window, [add, mask])?, &want, &size, k)
            });
        }
    }
    table.finish();
}

#[test]
fn differences_and_batch() {
    let mut table = Table::new("max_pool2d");
    let (shape, window) = CASES[1];
    // Random values are 1e-7 apart at the closest, but these not closer than the difference's step.
    let len: usize = shape.iter().product();
    let x = Tensor::new(shape, (0..len).map(|i| ((i * 401) % len) as f64 / 1024.0).collect());
    let (y, argmax) = max_pool2d::forward(&x, window);
    let dy = Random(3).tensor(y.shape, -1.0, 1.0);
    table.case(format!("differences {}", name(shape, window)), || {
        let dx = backward(Format::Nchw, &dy, &argmax, shape, window, [None; 2])?;
        let size = max_pool2d::backward(&dy.map(f64::abs), &argmax, shape);
        gradient(&dx, &x, &size, 4.0, |x| dy.dot(&max_pool2d::forward(x, window).0))
    });
    for format in formats() {
        table.case(format!("batch {}{}", name(shape, window), format_name(format)), || {
            batch_independent(|n| {
                let x = images(&x, n);
                let (y, argmax) = forward(format, &x, window)?;
                let dx = backward(format, &images(&dy, n), &argmax, x.shape, window, [Some(&x), Some(&x)])?;
                Ok(vec![y, dx])
            })
        });
    }
    table.finish();
}

#[test]
fn nan_wins_its_window() {
    let mut table = Table::new("max_pool2d");
    // The first and the last place of a window, and one within.
    for (at, format) in [0, 8, 15, 30, 5 * 7 - 1].into_iter().flat_map(|at| formats().into_iter().map(move |f| (at, f)))
    {
        table.case(format!("nan at {at}{}", format_name(format)), || {
            let window = Window { kernel: [3, 2], stride: [2, 2], pad: [1, 0, 1, 1], ceil_mode: false };
            let mut x = Random(5).tensor([1, 1, 5, 7], -1.0, 1.0);
            x.data[at] = f64::NAN;
            let (y, argmax) = forward(format, &x, window)?;
            for (i, [_, _, oh, ow]) in indices(y.shape).enumerate() {
                let (row, col) = (at / 7, at % 7);
                let hit = (2 * oh..2 * oh + 3).contains(&(row + 1)) && (2 * ow..2 * ow + 2).contains(&col);
                if hit != y.data[i].is_nan() || hit && argmax[i] != at {
                    return Err(format!("y[{oh},{ow}] = {} from {}, NaN at {at}", y.data[i], argmax[i]).into());
                }
            }
            Ok(())
        });
    }
    table.finish();
}
