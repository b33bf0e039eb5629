//! Every activation against its twin: forward, backward with each epilogue, central differences, batches, NaN, values far from zero; and one
//! shape that is large enough to fold the dispatch into two dimensions.

use protogpu::ops::{
    ACTIVATIONS, Conv2d, ConvAlgorithm, Format, GradEpilogue, Op, TEXELS_MAX_PLANE, TexelsAlgorithm, Unary,
    UnaryFunction,
};

use crate::tests::harness::{
    self, EPILOGUES, Outcome, Rig, Table, batch_independent, by, close, epilogue_name, exact, finished, format_name,
    formats, gradient, images,
};
use crate::tests::twin::Tensor;
use crate::tests::twin::activations::{self, Activation};
use crate::tests::twin::random::Random;

/// 63, 64 and 65 elements, odd and all different; then more than 65,535 workgroups of 64.
const SHAPES: [[usize; 4]; 5] = [[1, 7, 3, 3], [2, 2, 4, 4], [1, 5, 13, 1], [3, 2, 7, 5], [1, 1, 2049, 2048]];

fn forward(op: &dyn Op, format: Format, x: &Tensor) -> Outcome<Tensor> {
    let mut rig = Rig::default();
    let (x, y) = (rig.input_as(format, "x", x)?, rig.output_as(format, "y", x.shape));
    harness::forward(&mut rig.rec, op, &[x], y)?;
    rig.run()?.read(y)
}

fn backward(op: &dyn Op, format: Format, dy: &Tensor, x: &Tensor, parts: [Option<&Tensor>; 2]) -> Outcome<Tensor> {
    let mut rig = Rig::default();
    let (y, dx) = (rig.output_as(format, "y", dy.shape), rig.output_as(format, "dx", dy.shape));
    let (dy, x) = (rig.input_as(format, "dy", dy)?, rig.input_as(format, "x", x)?);
    let saved = harness::forward(&mut rig.rec, op, &[x], y)?;
    let epilogue = rig.epilogue(format, parts)?;
    harness::backward(&mut rig.rec, op, dy, (&[x], &saved), &[(dx, epilogue)])?;
    rig.run()?.read(dx)
}

/// Compares with the tolerance of the twin. `magnitude` is that of the terms, or the value where that is larger. What f32 cannot hold must be
/// the same infinity or NaN.
fn near(what: &str, twin: &Activation, got: &Tensor, want: &Tensor, magnitude: &Tensor) -> Outcome {
    let rounded = want.map(|v| f64::from(v as f32));
    if twin.k == 0.0 {
        return exact(what, got, &rounded);
    }
    let beyond = |v: &Tensor| v.zip(&rounded, |v, want| if want.is_finite() { 0.0 } else { v });
    exact(what, &beyond(got), &beyond(&rounded))?;
    let within = |v: &Tensor| v.zip(&rounded, |v, want| if want.is_finite() { v } else { 0.0 });
    let magnitude = within(&magnitude.zip(want, |m, want| m.max(want.abs())));
    close(what, &within(got), &within(want), &magnitude, twin.k)
}

/// Random numbers of f32.
fn numbers(random: &mut Random, shape: [usize; 4], low: f64, high: f64) -> Tensor {
    random.tensor(shape, low, high).map(|v| f64::from(v as f32))
}

fn cases(table: &mut Table, op: &dyn Op, format: Format, twin: &Activation, shapes: &[[usize; 4]]) {
    let over = format!(" {}{}", twin.name, format_name(format));
    let abs = |t: &Tensor| t.map(f64::abs);
    let [low, high] = twin.range;
    for &shape in shapes.iter().filter(|[.., h, w]| format == Format::Nchw || h * w <= TEXELS_MAX_PLANE) {
        let mut random = Random(1);
        let mut x = numbers(&mut random, shape, low, high);
        let [dy, add, mask] = [0; 3].map(|_| random.tensor(shape, -1.0, 1.0));
        x.data[1] = 0.0;
        table.case(format!("forward{over} {}", by(&shape)), || {
            near("y", twin, &forward(op, format, &x)?, &twin.forward(&x), &abs(&x))
        });
        for [adds, masks] in EPILOGUES {
            table.case(format!("backward{over} {}{}", by(&shape), epilogue_name([adds, masks])), || {
                let parts = [adds.then_some(&add), masks.then_some(&mask)];
                let plain = twin.backward(&dy, &x);
                let terms = dy.zip(&x, |dy, x| dy.abs() * (1.0 + x.abs())).zip(&add, |v, add| v + add.abs());
                let terms = terms.zip(&plain, |t, v| if v.is_finite() { t.max(v.abs()) } else { t });
                let want = finished(&plain, parts[0], parts[1]);
                near("dx", twin, &backward(op, format, &dy, &x, parts)?, &want, &terms)
            });
        }
    }
    let mut random = Random(2);
    let x = numbers(&mut random, [3, 2, 5, 3], low.max(-1.0), high.min(1.0));
    let dy = random.tensor([3, 2, 5, 3], -1.0, 1.0);
    table.case(format!("differences{over} 3x2x5x3"), || {
        let weighted = |x: &Tensor| dy.dot(&twin.forward(x));
        let magnitude = abs(&dy).zip(&twin.backward(&dy, &x), |dy, dx| dy.max(dx.abs()));
        gradient(&backward(op, format, &dy, &x, [None; 2])?, &x, &magnitude, twin.k.max(1.0), weighted)
    });
    table.case(format!("batch{over} 3x2x5x3"), || {
        batch_independent(|n| {
            let (x, dy) = (images(&x, n), images(&dy, n));
            Ok(vec![forward(op, format, &x)?, backward(op, format, &dy, &x, [Some(&dy), Some(&x)])?])
        })
    });
    table.case(format!("nan{over}"), || {
        let x = Tensor::new([1, 1, 1, 3], vec![1.0, f64::NAN, 2.0]);
        let y = forward(op, format, &x)?;
        exact("which are NaN", &y.map(|v| f64::from(v.is_nan())), &Tensor::new(y.shape, vec![0.0, 1.0, 0.0]))
    });
    table.case(format!("far from zero{over}"), || {
        let x = Tensor::new([1, 1, 1, 4], [-1e30f32, -100.0, 100.0, 1e30].map(f64::from).into());
        near("y", twin, &forward(op, format, &x)?, &twin.forward(&x), &abs(&x))?;
        let dy = x.map(|_| 1.0);
        near("dx", twin, &backward(op, format, &dy, &x, [None; 2])?, &twin.backward(&dy, &x), &dy)
    });
}

/// The formats that an op takes and the adapter uses.
fn formats_of(op: &dyn Op) -> Vec<Format> {
    let takes = |format: &Format| *format == Format::Nchw || op.formats(false).texels;
    formats().into_iter().filter(takes).collect()
}

#[test]
fn activations() {
    let names: Vec<&str> = ACTIVATIONS.iter().map(|op| op.name()).collect();
    let twins: Vec<&str> = activations::ACTIVATIONS.iter().map(|twin| twin.name).collect();
    assert_eq!(names, twins, "each activation and its twin");
    let mut table = Table::new("activations");
    for (op, twin) in ACTIVATIONS.iter().zip(activations::ACTIVATIONS) {
        // The functions of unary.wgsl share their kernels, and so the grid.
        let shapes = if ["relu", "silu", "relu6"].contains(&op.name()) { &SHAPES[..] } else { &SHAPES[2..4] };
        formats_of(*op).into_iter().for_each(|format| cases(&mut table, *op, format, twin, shapes));
    }
    table.finish();
}

#[test]
fn activations_with_parameters() {
    let ops = [
        Unary::clamp(-0.5, 2.25),
        Unary::clamp(0.0, f32::INFINITY),
        Unary::clamp(f32::NEG_INFINITY, 1.0),
        Unary::clamp(2.0, 1.0),
        Unary::leaky_relu(0.25),
        Unary::elu(0.5),
        Unary::celu(2.0),
        Unary::hardsigmoid(0.25, 0.375),
        Unary::softplus(2.0),
        Unary::pow(3.0),
        Unary::pow(0.0),
        Unary::pow(1.0),
        Unary::pow(-2.0),
        Unary::pow(0.5),
        Unary::pow(2.5),
    ];
    let mut table = Table::new("activations");
    assert_eq!(ops.len(), activations::WITH_PARAMETERS.len());
    for (op, twin) in ops.iter().zip(activations::WITH_PARAMETERS) {
        assert!(twin.name.starts_with(op.name()), "{} is no {}", op.name(), twin.name);
        formats_of(op).into_iter().for_each(|format| cases(&mut table, op, format, twin, &SHAPES[3..4]));
    }
    table.finish();
}

/// Gradients at corners are a choice: PyTorch's.
#[test]
fn corners() {
    let mut table = Table::new("activations");
    let clamp = Unary::clamp(-1.0, 1.0);
    for (op, x, slopes) in [
        (Unary::new(UnaryFunction::Relu6), [0.0, 6.0], [0.0, 0.0]),
        (clamp, [-1.0, 1.0], [0.0, 0.0]),
        (Unary::new(UnaryFunction::Hardsigmoid), [-3.0, 3.0], [0.0, 0.0]),
        (Unary::new(UnaryFunction::Hardswish), [-3.0, 3.0], [0.0, 1.0]),
        (Unary::new(UnaryFunction::Abs), [0.0, -1.0], [0.0, -1.0]),
        (Unary::leaky_relu(0.25), [0.0, 1.0], [0.25, 1.0]),
    ] {
        for format in formats() {
            table.case(format!("corners {}{}", op.name(), format_name(format)), || {
                let shape = [1, 2, 1, 1];
                let dx = backward(&op, format, &Tensor::filled(shape, 1.0), &Tensor::new(shape, x.into()), [None; 2])?;
                exact("dx", &dx, &Tensor::new(shape, slopes.into()))
            });
        }
    }
    table.finish();
}

/// Negative numbers have no logarithm, no root and no broken power, and this shows.
#[test]
fn no_value_is_nan() {
    let mut table = Table::new("activations");
    let negative = Tensor::new([1, 1, 1, 2], vec![-1.0, -0.25]);
    for op in [Unary::new(UnaryFunction::Log), Unary::new(UnaryFunction::Sqrt), Unary::pow(0.5), Unary::pow(-33.5)] {
        table.case(format!("negative {} {}", op.name(), op.a), || {
            exact("y", &forward(&op, Format::Nchw, &negative)?, &negative.map(|_| f64::NAN))
        });
    }
    for (exponent, want) in [(33.0, [-1.0, 0.0]), (34.0, [1.0, 0.0]), (-3.0, [-1.0, -64.0])] {
        table.case(format!("negative pow {exponent}"), || {
            let y = forward(&Unary::pow(exponent), Format::Nchw, &negative)?;
            // 0.25^33 is 1e-20.
            close("y", &y, &Tensor::new(y.shape, want.into()), &Tensor::filled(y.shape, 1.0), 32.0)
        });
    }
    table.finish();
}

/// A convolution after a function that is infinite at 0: the unused channels of the last texel must not reach its sum, whose weights there are
/// zero. And the same for the gradient.
#[test]
fn unused_channels_stay_zero() {
    let mut table = Table::new("activations");
    for function in [UnaryFunction::Log, UnaryFunction::Reciprocal] {
        table.case(format!("unused channels {function}"), || {
            let mut random = Random(4);
            let [x, dy] = [0; 2].map(|_| numbers(&mut random, [2, 5, 3, 4], 0.5, 2.0));
            for format in formats() {
                let mut rig = Rig::default();
                let conv = Conv2d::new(vec![1.0; 15], [3, 5, 1, 1], None, [1, 1], [0; 4]);
                let (x_slot, dy_slot) = (rig.input_as(format, "x", &x)?, rig.input_as(format, "dy", &dy)?);
                let [y, dx] = [0; 2].map(|_| x_slot.like(&mut rig.rec, "between"));
                let [z, dz] = [0; 2].map(|_| rig.output("z", [2, 3, 3, 4]));
                let op = Unary::new(function);
                harness::forward(&mut rig.rec, &op, &[x_slot], y)?;
                harness::backward(&mut rig.rec, &op, dy_slot, (&[x_slot], &[]), &[(dx, GradEpilogue::default())])?;
                let algorithm = match format {
                    Format::Nchw => ConvAlgorithm::Workgroup { slices: 1 },
                    Format::Texels => ConvAlgorithm::Texels(TexelsAlgorithm::Direct),
                };
                harness::forward_by(algorithm, &mut rig.rec, &conv, &[y], z)?;
                harness::forward_by(algorithm, &mut rig.rec, &conv, &[dx], dz)?;
                let ready = rig.run()?;
                for tensor in [z, dz] {
                    if let Some(v) = ready.read(tensor)?.data.iter().find(|v| !v.is_finite()) {
                        return Err(format!("{v} in a sum of finite values").into());
                    }
                }
            }
            Ok(())
        });
    }
    table.finish();
}
