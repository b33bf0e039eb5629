//! avg_pool2d and adaptive_avg_pool2d: what a window divides by, windows that extend past the end, and the gradient.

use protogpu::Shape;
use protogpu::ops::{AdaptiveAvgPool2d, AvgPool2d, Format, Op};

use crate::tests::harness::{
    self, EPILOGUES, Outcome, Rig, Table, adjoint, batch_independent, by, close, epilogue_name, exact, finished,
    format_name, formats, gradient, images, refused, root,
};
use crate::tests::twin::Tensor;
use crate::tests::twin::avg_pool2d::{Windows, windows_backward, windows_forward};
use crate::tests::twin::max_pool2d::Window;
use crate::tests::twin::random::Random;

const CASES: [([usize; 4], Windows); 17] = [
    // DenseNet's transitions, Inception's branches, and those of ResNet-D.
    ([2, 5, 8, 6], fixed([2, 2], [2, 2], [0; 4], false, true)),
    ([2, 3, 7, 9], fixed([3, 3], [1, 1], [1; 4], false, true)),
    ([2, 6, 7, 9], fixed([3, 3], [1, 1], [1; 4], false, false)),
    ([2, 3, 7, 9], fixed([2, 2], [2, 2], [0; 4], true, false)),
    // The windows of ceil_mode divide by what is inside of the padding, or of x.
    ([2, 3, 7, 9], fixed([3, 3], [2, 2], [1; 4], true, true)),
    ([2, 5, 8, 10], fixed([3, 3], [2, 2], [1; 4], true, true)),
    ([2, 5, 8, 10], fixed([3, 3], [2, 2], [1; 4], true, false)),
    ([1, 2, 4, 4], fixed([2, 2], [3, 3], [0, 0, 1, 1], true, true)),
    // Asymmetric in everything; gaps between windows; 65 columns.
    ([2, 3, 9, 7], fixed([3, 2], [1, 3], [2, 1, 1, 0], false, true)),
    ([1, 5, 8, 13], fixed([2, 4], [3, 2], [0, 3, 1, 2], true, false)),
    ([1, 3, 4, 65], fixed([2, 3], [1, 1], [0, 1, 1, 1], false, true)),
    ([1, 4, 4, 4], fixed([1, 1], [1, 1], [0; 4], false, true)),
    // Windows that divide x, that overlap, that are more than x has places.
    ([2, 5, 8, 6], Windows::Adaptive([4, 2])),
    ([2, 3, 7, 9], Windows::Adaptive([3, 4])),
    ([1, 6, 7, 7], Windows::Adaptive([1, 1])),
    ([1, 2, 3, 2], Windows::Adaptive([7, 5])),
    ([1, 3, 13, 70], Windows::Adaptive([6, 66])),
];

const fn fixed(
    kernel: [usize; 2],
    stride: [usize; 2],
    pad: [usize; 4],
    ceil_mode: bool,
    count_include_pad: bool,
) -> Windows {
    Windows::Fixed(Window { kernel, stride, pad, ceil_mode }, count_include_pad)
}

fn op(windows: Windows) -> Box<dyn Op> {
    match windows {
        Windows::Fixed(Window { kernel, stride, pad, ceil_mode }, count_include_pad) => {
            Box::new(AvgPool2d { kernel, stride, pad, ceil_mode, count_include_pad })
        }
        Windows::Adaptive(output) => Box::new(AdaptiveAvgPool2d { output }),
    }
}

fn forward(format: Format, x: &Tensor, windows: Windows) -> Outcome<Tensor> {
    let (mut rig, op) = (Rig::default(), op(windows));
    let shape = op.output("pool", &[Shape::from(x.shape)])?;
    let (x, y) = (rig.input_as(format, "x", x)?, rig.output_as(format, "y", shape.nchw()));
    harness::forward(&mut rig.rec, &*op, &[x], y)?;
    rig.run()?.read(y)
}

fn backward(
    format: Format,
    dy: &Tensor,
    x_shape: [usize; 4],
    windows: Windows,
    parts: [Option<&Tensor>; 2],
) -> Outcome<Tensor> {
    let mut rig = Rig::default();
    let (dy, dx) = (rig.input_as(format, "dy", dy)?, rig.output_as(format, "dx", x_shape));
    let epilogue = rig.epilogue(format, parts)?;
    harness::backward(&mut rig.rec, &*op(windows), dy, (&[dx], &[]), &[(dx, epilogue)])?;
    rig.run()?.read(dx)
}

fn name(shape: [usize; 4], windows: Windows) -> String {
    match windows {
        Windows::Fixed(Window { kernel, stride, pad, ceil_mode }, included) => {
            let (ceil, pads) = (if ceil_mode { " ceil" } else { "" }, if included { " counted" } else { "" });
            format!("{} k{} s{} p{pad:?}{ceil}{pads}", by(&shape), by(&kernel), by(&stride))
        }
        Windows::Adaptive(output) => format!("{} adaptive {}", by(&shape), by(&output)),
    }
}

#[test]
fn windows() {
    let mut table = Table::new("avg_pool2d");
    for ((shape, windows), format) in CASES.into_iter().flat_map(|case| formats().into_iter().map(move |f| (case, f))) {
        let mut random = Random(1);
        let [x, add, mask] = [0; 3].map(|_| random.tensor(shape, -1.0, 1.0));
        let name = format!("{}{}", name(shape, windows), format_name(format));
        let want = windows_forward(&x, windows);
        // As many terms as a window has of x at most, and a division.
        let k = root(shape[2] * shape[3]);
        table.case(format!("forward {name}"), || {
            let size = windows_forward(&x.map(f64::abs), windows);
            close("y", &forward(format, &x, windows)?, &want, &size, k)
        });
        let dy = random.tensor(want.shape, -1.0, 1.0);
        let size = windows_backward(&dy.map(f64::abs), shape, windows).map(|v| v + 1.0);
        for [adds, masks] in EPILOGUES {
            table.case(format!("backward {name}{}", epilogue_name([adds, masks])), || {
                let parts = [adds.then_some(&add), masks.then_some(&mask)];
                let want = finished(&windows_backward(&dy, shape, windows), parts[0], parts[1]);
                close("dx", &backward(format, &dy, shape, windows, parts)?, &want, &size, k)
            });
        }
        table.case(format!("differences {name}"), || {
            let dx = backward(format, &dy, shape, windows, [None; 2])?;
            gradient(&dx, &x, &size, k, |x| dy.dot(&windows_forward(x, windows)))
        });
        table.case(format!("adjoint {name}"), || {
            let (y, dx) = (forward(format, &x, windows)?, backward(format, &dy, shape, windows, [None; 2])?);
            let terms = dy.map(f64::abs).dot(&windows_forward(&x.map(f64::abs), windows));
            adjoint([&dy, &y], [&dx, &x], terms, k)
        });
    }
    table.finish();
}

#[test]
fn batches_nan_and_refusals() {
    let mut table = Table::new("avg_pool2d");
    let shape = [3, 2, 7, 9];
    for (windows, format) in [fixed([3, 3], [2, 2], [1; 4], true, true), Windows::Adaptive([3, 4])]
        .into_iter()
        .flat_map(|windows| formats().into_iter().map(move |f| (windows, f)))
    {
        let mut random = Random(2);
        let x = random.tensor(shape, -1.0, 1.0);
        let dy = random.tensor(windows_forward(&x, windows).shape, -1.0, 1.0);
        let name = format!("{}{}", name(shape, windows), format_name(format));
        table.case(format!("batch {name}"), || {
            batch_independent(|n| {
                let (x, dy) = (images(&x, n), images(&dy, n));
                let dx = backward(format, &dy, x.shape, windows, [Some(&x), Some(&x)])?;
                Ok(vec![forward(format, &x, windows)?, dx])
            })
        });
        table.case(format!("nan {name}"), || {
            let mut x = x.clone();
            x[[0, 1, 3, 4]] = f64::NAN;
            let which = |y: &Tensor| y.map(|v| f64::from(v.is_nan()));
            exact("which are NaN", &which(&forward(format, &x, windows)?), &which(&windows_forward(&x, windows)))
        });
    }
    table.case("refusals", || {
        let x = Shape::new(1, 2, 5, 5);
        let pool =
            AvgPool2d { kernel: [2, 2], stride: [1, 1], pad: [2, 0, 0, 0], ceil_mode: false, count_include_pad: true };
        refused("pad", pool.output("l", &[x]), "padding [2, 0, 0, 0] is not less than the window 2x2")?;
        let pool = AvgPool2d { kernel: [6, 2], pad: [0; 4], ..pool };
        refused("window", pool.output("l", &[x]), "a window of 6x2 does not fit x [1,2,5,5]")?;
        refused("none", AdaptiveAvgPool2d { output: [0, 1] }.output("l", &[x]), "no 0x1 windows in x [1,2,5,5]")?;
        refused("many", AdaptiveAvgPool2d { output: [1, 1 << 30] }.output("l", &[x]), "no 1x1073741824 windows")
    });
    table.finish();
}
