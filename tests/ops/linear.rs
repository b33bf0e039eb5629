//! linear.

use protogpu::ops::{GradEpilogue, Linear};

use crate::tests::harness::{
    self, EPILOGUES, Outcome, Rig, Table, adjoint, batch_independent, close, epilogue_name, finished, gradient, images,
    root,
};
use crate::tests::twin::random::Random;
use crate::tests::twin::{Tensor, linear};

fn op(w: &Tensor, b: &[f64]) -> Linear {
    Linear { w: w.to_f32().into(), b: b.iter().map(|&b| b as f32).collect() }
}

fn forward(op: &Linear, x: &Tensor) -> Outcome<Tensor> {
    let mut rig = Rig::default();
    let (x, y) = (rig.input("x", x), rig.output("y", [x.shape[0], op.b.len(), 1, 1]));
    harness::forward(&mut rig.rec, op, &[x], y)?;
    rig.run()?.read(y)
}

fn backward(op: &Linear, dy: &Tensor, add: Option<&Tensor>, mask: Option<&Tensor>) -> Outcome<Tensor> {
    let mut rig = Rig::default();
    let inputs = op.w.len() / op.b.len();
    let (dy, dx) = (rig.input("dy", dy), rig.output("dx", [dy.shape[0], inputs, 1, 1]));
    let epilogue =
        GradEpilogue { add: add.map(|t| rig.input("add", t).id), mask: mask.map(|t| rig.input("mask", t).id) };
    harness::backward(&mut rig.rec, op, dy, (&[dx], &[]), &[(dx, epilogue)])?;
    rig.run()?.read(dx)
}

/// More weights than WebGPU promises one buffer: each pass has two dispatches.
#[test]
fn weights_of_two_buffers() {
    let mut table = Table::new("linear in slices");
    let [c, o] = [6000, 5601];
    let mut random = Random(2);
    let x = random.tensor([2, c, 1, 1], -1.0, 1.0);
    let dy = random.tensor([2, o, 1, 1], -1.0, 1.0);
    let row = random.vec(c + 97, -1.0, 1.0);
    // Only 97 rows are different, so that the twin has little to do.
    let rows = |count: usize| Tensor {
        shape: [count, c, 1, 1],
        data: (0..count).flat_map(|o| row[o % 97..][..c].to_vec()).collect(),
    };
    let b = vec![0.0; o];
    let op = op(&rows(o), &b);
    table.case("forward", || {
        let of_rows = linear::forward(&x, &rows(97), &b[..97]);
        let mut want = Tensor::zeros([2, o, 1, 1]);
        want.indices().for_each(|[n, o, ..]| want[[n, o, 0, 0]] = of_rows[[n, o % 97, 0, 0]]);
        close("y", &forward(&op, &x)?, &want, &want.map(|_| c as f64), root(c))
    });
    table.case("backward", || {
        let mut of_rows = Tensor::zeros([2, 97, 1, 1]);
        dy.indices().for_each(|[n, o, ..]| of_rows[[n, o % 97, 0, 0]] += dy[[n, o, 0, 0]]);
        let want = finished(&linear::backward(&of_rows, &rows(97)), Some(&x), None);
        close("dx", &backward(&op, &dy, Some(&x), None)?, &want, &want.map(|_| o as f64), root(o))
    });
    table.finish();
}

#[test]
fn linear() {
    let mut table = Table::new("linear");
    for [n, c, o] in [[1, 63, 65], [2, 64, 32], [2, 7, 5], [3, 13, 10], [1, 1, 3], [1, 512, 1]] {
        let mut random = Random(1);
        let [x, add, mask] = [0; 3].map(|_| random.tensor([n, c, 1, 1], -1.0, 1.0));
        let w = random.tensor([o, c, 1, 1], -1.0, 1.0);
        let dy = random.tensor([n, o, 1, 1], -1.0, 1.0);
        let b = random.vec(o, -1.0, 1.0);
        let (w_size, b_size) = (w.map(f64::abs), b.iter().map(|b| b.abs()).collect::<Vec<_>>());
        let name = format!("{n}x{c} o{o}");
        table.case(format!("forward {name}"), || {
            let size = linear::forward(&x.map(f64::abs), &w_size, &b_size);
            close("y", &forward(&op(&w, &b), &x)?, &linear::forward(&x, &w, &b), &size, root(c))
        });
        let size = linear::backward(&dy.map(f64::abs), &w_size);
        for [adds, masks] in EPILOGUES {
            table.case(format!("backward {name}{}", epilogue_name([adds, masks])), || {
                let (add, mask) = (adds.then_some(&add), masks.then_some(&mask));
                let want = finished(&linear::backward(&dy, &w), add, mask);
                close("dx", &backward(&op(&w, &b), &dy, add, mask)?, &want, &size.map(|d| d + 1.0), root(o))
            });
        }
        let dx = || backward(&op(&w, &b), &dy, None, None);
        table.case(format!("adjoint {name}"), || {
            let y = forward(&op(&w, &vec![0.0; o]), &x)?;
            adjoint([&dy, &y], [&dx()?, &x], size.dot(&x.map(f64::abs)), root(c.max(o)))
        });
        if n == 3 {
            table.case(format!("differences {name}"), || {
                gradient(&dx()?, &x, &size, root(o), |x| dy.dot(&linear::forward(x, &w, &b)))
            });
            table.case(format!("batch {name}"), || {
                batch_independent(|n| {
                    let (x, dy) = (images(&x, n), images(&dy, n));
                    Ok(vec![forward(&op(&w, &b), &x)?, backward(&op(&w, &b), &dy, Some(&x), Some(&x))?])
                })
            });
        }
    }
    table.finish();
}
