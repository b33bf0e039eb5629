//! relu: exact, and large enough once to fold the dispatch into two dimensions.

use protogpu::ops::{GradEpilogue, Relu};

use crate::harness::{Outcome, Rig, SINKS, Table, batch_independent, by, exact, gradient, images, sink_name, sunk};
use crate::twin::random::Random;
use crate::twin::{Tensor, relu};

/// 63, 64 and 65 elements, odd and all different; then more than 65,535 workgroups of 64.
const SHAPES: [[usize; 4]; 5] = [[1, 7, 3, 3], [2, 2, 4, 4], [1, 5, 13, 1], [3, 2, 7, 5], [1, 1, 2049, 2048]];

fn forward(x: &Tensor) -> Outcome<Tensor> {
    let mut rig = Rig::default();
    let (x, y) = (rig.input("x", x), rig.output("y", x.shape));
    Relu.forward(&mut rig.rec, "relu", x, y)?;
    rig.run()?.read(y)
}

fn backward(dy: &Tensor, x: &Tensor, add: Option<&Tensor>, mask: Option<&Tensor>) -> Outcome<Tensor> {
    let mut rig = Rig::default();
    let (dy, x, dx) = (rig.input("dy", dy), rig.input("x", x), rig.output("dx", dy.shape));
    let sink = GradEpilogue { add: add.map(|t| rig.input("add", t).id), mask: mask.map(|t| rig.input("mask", t).id) };
    Relu.backward(&mut rig.rec, "relu", dy, x, dx, sink)?;
    rig.run()?.read(dx)
}

#[test]
fn relu() {
    let mut table = Table::new("relu");
    for shape in SHAPES {
        let mut random = Random(1);
        let [mut x, dy, add, mask] = [0; 4].map(|_| random.tensor(shape, -1.0, 1.0));
        x.data[1] = 0.0;
        table.case(format!("forward {}", by(&shape)), || exact("y", &forward(&x)?, &relu::forward(&x)));
        for [adds, masks] in SINKS {
            table.case(format!("backward {}{}", by(&shape), sink_name([adds, masks])), || {
                let (add, mask) = (adds.then_some(&add), masks.then_some(&mask));
                let want = sunk(&relu::backward(&dy, &x), add, mask).map(|v| f64::from(v as f32));
                exact("dx", &backward(&dy, &x, add, mask)?, &want)
            });
        }
    }
    let mut random = Random(2);
    let [x, dy] = [0; 2].map(|_| random.tensor([3, 2, 5, 3], -1.0, 1.0));
    table.case("differences 3x2x5x3", || {
        let weighted = |x: &Tensor| dy.dot(&relu::forward(x));
        gradient(&backward(&dy, &x, None, None)?, &x, &dy.map(f64::abs), 1.0, weighted)
    });
    table.case("batch 3x2x5x3", || {
        batch_independent(|n| {
            let (x, dy) = (images(&x, n), images(&dy, n));
            Ok(vec![forward(&x)?, backward(&dy, &x, Some(&dy), Some(&x))?])
        })
    });
    table.case("nan", || {
        let x = Tensor::new([1, 1, 1, 3], vec![1.0, f64::NAN, -1.0]);
        exact("y", &forward(&x)?, &Tensor::new(x.shape, vec![1.0, f64::NAN, 0.0]))
    });
    table.finish();
}
