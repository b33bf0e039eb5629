//! scale_shift, as batch_norm and as normalize: both twins compute it in their own form, unfolded.

use protogpu::ops::{ChannelAffine, GradEpilogue, ScaleShift};

use crate::tests::harness::{
    self, EPILOGUES, Outcome, Rig, Table, adjoint, batch_independent, by, close, epilogue_name, finished, gradient,
    images,
};
use crate::tests::twin::batch_norm::{self, BatchNorm};
use crate::tests::twin::random::Random;
use crate::tests::twin::{Tensor, normalize};

/// The folded scale and shift, x·scale, its sum with shift: four roundings, each relative to the parts of the sum.
const K: f64 = 4.0;

fn forward(op: &ScaleShift, x: &Tensor) -> Outcome<Tensor> {
    let mut rig = Rig::default();
    let (x, y) = (rig.input("x", x), rig.output("y", x.shape));
    harness::forward(&mut rig.rec, op, &[x], y)?;
    rig.run()?.read(y)
}

fn backward(op: &ScaleShift, dy: &Tensor, add: Option<&Tensor>, mask: Option<&Tensor>) -> Outcome<Tensor> {
    let mut rig = Rig::default();
    let (dy, dx) = (rig.input("dy", dy), rig.output("dx", dy.shape));
    let epilogue =
        GradEpilogue { add: add.map(|t| rig.input("add", t).id), mask: mask.map(|t| rig.input("mask", t).id) };
    harness::backward(&mut rig.rec, op, dy, (&[dx], &[]), &[(dx, epilogue)])?;
    rig.run()?.read(dx)
}

fn f32s(values: &[f64]) -> Vec<f32> {
    values.iter().map(|&v| v as f32).collect()
}

#[test]
fn batch_norm() {
    let mut table = Table::new("scale_shift");
    for shape in [[2, 7, 3, 3], [1, 64, 1, 1], [2, 5, 13, 1], [3, 3, 5, 7]] {
        let mut random = Random(1);
        let [x, dy, add, mask] = [0; 4].map(|_| random.tensor(shape, -1.0, 1.0));
        let mut vec = |lo, hi| random.vec(shape[1], lo, hi);
        // Multiples of a power of two: exact as f32, as the twin sees them.
        let p = BatchNorm {
            mean: vec(-1.0, 1.0),
            var: vec(0.25, 2.25),
            weight: vec(-1.0, 1.0),
            bias: vec(-1.0, 1.0),
            eps: 1e-3,
        };
        let p = BatchNorm { var: p.var.iter().map(|&v| f64::from(v as f32)).collect(), ..p };
        let [weight, bias, mean, var] = [&p.weight, &p.bias, &p.mean, &p.var].map(|v| f32s(v));
        let op = ScaleShift(ChannelAffine::batch_norm(&weight, &bias, &mean, &var, p.eps));
        let scale = batch_norm::backward(&Tensor::filled(shape, 1.0), &p).map(f64::abs);
        // |x·scale| + |mean·scale| + |bias|, each of the latter at most 1.
        let size = scale.map(|s| 2.0 * s + 1.0);
        table.case(format!("forward batch_norm {}", by(&shape)), || {
            close("y", &forward(&op, &x)?, &batch_norm::forward(&x, &p), &size, K)
        });
        for [adds, masks] in EPILOGUES {
            table.case(format!("backward batch_norm {}{}", by(&shape), epilogue_name([adds, masks])), || {
                let (add, mask) = (adds.then_some(&add), masks.then_some(&mask));
                let want = finished(&batch_norm::backward(&dy, &p), add, mask);
                close("dx", &backward(&op, &dy, add, mask)?, &want, &size, K)
            });
        }
        if shape[0] == 3 {
            table.case(format!("differences {}", by(&shape)), || {
                let weighted = |x: &Tensor| dy.dot(&batch_norm::forward(x, &p));
                gradient(&backward(&op, &dy, None, None)?, &x, &size, K, weighted)
            });
            table.case(format!("adjoint {}", by(&shape)), || {
                let linear = ScaleShift(ChannelAffine::new(op.0.scale.clone(), vec![0.0; shape[1]]));
                let (y, dx) = (forward(&linear, &x)?, backward(&linear, &dy, None, None)?);
                let magnitude = scale.zip(&x, |s, x| s * x.abs()).dot(&dy.map(f64::abs));
                adjoint([&dy, &y], [&dx, &x], magnitude, K)
            });
            table.case(format!("batch {}", by(&shape)), || {
                batch_independent(|n| {
                    let (x, dy) = (images(&x, n), images(&dy, n));
                    Ok(vec![forward(&op, &x)?, backward(&op, &dy, Some(&x), Some(&x))?])
                })
            });
        }
    }
    table.finish();
}

#[test]
fn normalize() {
    let mut table = Table::new("scale_shift");
    let shape = [2, 3, 9, 15];
    let mut random = Random(2);
    let x = random.tensor(shape, 0.0, 1.0);
    let dy = random.tensor(shape, -1.0, 1.0);
    // ImageNet's, as f32 has them.
    let exact = |v: [f32; 3]| v.map(f64::from);
    let (mean, std) = (exact([0.485, 0.456, 0.406]), exact([0.229, 0.224, 0.225]));
    let op = ScaleShift(ChannelAffine::normalize(&f32s(&mean), &f32s(&std)));
    // 1 / 0.224 for x of at most 1, and as much for the mean.
    let size = Tensor::filled(shape, 9.0);
    table.case("forward normalize 2x3x9x15", || {
        close("y", &forward(&op, &x)?, &normalize::forward(&x, &mean, &std), &size, K)
    });
    table.case("backward normalize 2x3x9x15", || {
        close("dx", &backward(&op, &dy, None, None)?, &normalize::backward(&dy, &std), &size, K)
    });
    table.finish();
}
