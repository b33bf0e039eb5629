//! Every activation against its twin: forward, backward with each epilogue, central differences, batches, NaN; and one shape that is
//! large enough to fold the dispatch into two dimensions.

use protogpu::ops::{ACTIVATIONS, Format, Op, TEXELS_MAX_PLANE};

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

/// Compares with the tolerance of the twin. `magnitude` is that of the terms.
fn near(what: &str, twin: &Activation, got: &Tensor, want: &Tensor, magnitude: &Tensor) -> Outcome {
    if twin.k == 0.0 {
        return exact(what, got, &want.map(|v| f64::from(v as f32)));
    }
    close(what, got, want, magnitude, twin.k)
}

fn cases(op: &dyn Op, format: Format, twin: &Activation) {
    let mut table = Table::new(twin.name);
    let over = format_name(format);
    let abs = |t: &Tensor| t.map(f64::abs);
    for shape in SHAPES.into_iter().filter(|[.., h, w]| format == Format::Nchw || h * w <= TEXELS_MAX_PLANE) {
        let mut random = Random(1);
        let [mut x, dy, add, mask] = [4.0, 1.0, 1.0, 1.0].map(|most| random.tensor(shape, -most, most));
        x.data[1] = 0.0;
        table.case(format!("forward {}{over}", by(&shape)), || {
            near("y", twin, &forward(op, format, &x)?, &twin.forward(&x), &abs(&x))
        });
        for [adds, masks] in EPILOGUES {
            table.case(format!("backward {}{over}{}", by(&shape), epilogue_name([adds, masks])), || {
                let parts = [adds.then_some(&add), masks.then_some(&mask)];
                let want = finished(&twin.backward(&dy, &x), parts[0], parts[1]);
                let terms = dy.zip(&x, |dy, x| dy.abs() * (1.0 + x.abs())).zip(&add, |v, add| v + add.abs());
                near("dx", twin, &backward(op, format, &dy, &x, parts)?, &want, &terms)
            });
        }
    }
    let mut random = Random(2);
    let [x, dy] = [0; 2].map(|_| random.tensor([3, 2, 5, 3], -1.0, 1.0));
    table.case(format!("differences 3x2x5x3{over}"), || {
        let weighted = |x: &Tensor| dy.dot(&twin.forward(x));
        gradient(&backward(op, format, &dy, &x, [None; 2])?, &x, &abs(&dy), twin.k.max(1.0), weighted)
    });
    table.case(format!("batch 3x2x5x3{over}"), || {
        batch_independent(|n| {
            let (x, dy) = (images(&x, n), images(&dy, n));
            Ok(vec![forward(op, format, &x)?, backward(op, format, &dy, &x, [Some(&dy), Some(&x)])?])
        })
    });
    table.case(format!("nan{over}"), || {
        let y = forward(op, format, &Tensor::new([1, 1, 1, 3], vec![1.0, f64::NAN, -1.0]))?;
        exact("which are NaN", &y.map(|v| f64::from(v.is_nan())), &Tensor::new(y.shape, vec![0.0, 1.0, 0.0]))
    });
    table.case(format!("far from zero{over}"), || {
        let x = Tensor::new([1, 1, 1, 4], [-1e30f32, -100.0, 100.0, 1e30].map(f64::from).into());
        near("y", twin, &forward(op, format, &x)?, &twin.forward(&x), &abs(&x))
    });
    table.finish();
}

#[test]
fn activations() {
    let names: Vec<&str> = ACTIVATIONS.iter().map(|op| op.name()).collect();
    let twins: Vec<&str> = activations::ACTIVATIONS.iter().map(|twin| twin.name).collect();
    assert_eq!(names, twins, "each activation and its twin");
    for (op, twin) in ACTIVATIONS.iter().zip(activations::ACTIVATIONS) {
        let takes = |format: &Format| *format == Format::Nchw || op.formats(false).texels;
        formats().into_iter().filter(takes).for_each(|format| cases(*op, format, twin));
    }
}
