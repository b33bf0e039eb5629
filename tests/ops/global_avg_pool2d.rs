//! global_avg_pool2d.

use protogpu::ops::{GlobalAvgPool2d, Sink};

use crate::harness::{
    Outcome, Rig, SINKS, Table, adjoint, batch_independent, by, close, gradient, images, root, sink_name, sunk,
};
use crate::twin::random::Random;
use crate::twin::{Tensor, avg_pool2d};

fn forward(x: &Tensor) -> Outcome<Tensor> {
    let mut rig = Rig::default();
    let (x, y) = (rig.input("x", x), rig.output("y", [x.shape[0], x.shape[1], 1, 1]));
    GlobalAvgPool2d.forward(&mut rig.rec, "pool", x, y)?;
    rig.run()?.read(y)
}

fn backward(dy: &Tensor, x_shape: [usize; 4], add: Option<&Tensor>, mask: Option<&Tensor>) -> Outcome<Tensor> {
    let mut rig = Rig::default();
    let (dy, dx) = (rig.input("dy", dy), rig.output("dx", x_shape));
    let sink = Sink { add: add.map(|t| rig.input("add", t).id), mask: mask.map(|t| rig.input("mask", t).id) };
    GlobalAvgPool2d.backward(&mut rig.rec, "pool", dy, dx, sink)?;
    rig.run()?.read(dx)
}

#[test]
fn global_avg_pool2d() {
    let mut table = Table::new("global_avg_pool2d");
    for shape in [[1, 63, 7, 7], [2, 32, 1, 1], [1, 65, 3, 2], [3, 5, 4, 7]] {
        let mut random = Random(1);
        let [x, add, mask] = [0; 3].map(|_| random.tensor(shape, -1.0, 1.0));
        let dy = random.tensor([shape[0], shape[1], 1, 1], -1.0, 1.0);
        // A sum of H·W terms, and a division that may err by 2.5 units in the last place.
        let k = root(shape[2] * shape[3]) + 2.5;
        let size = avg_pool2d::forward(&x.map(f64::abs));
        table.case(format!("forward {}", by(&shape)), || close("y", &forward(&x)?, &avg_pool2d::forward(&x), &size, k));
        let size = avg_pool2d::backward(&dy.map(f64::abs), shape);
        for [adds, masks] in SINKS {
            table.case(format!("backward {}{}", by(&shape), sink_name([adds, masks])), || {
                let (add, mask) = (adds.then_some(&add), masks.then_some(&mask));
                let want = sunk(&avg_pool2d::backward(&dy, shape), add, mask);
                let size = if adds { size.map(|d| d + 1.0) } else { size.clone() };
                close("dx", &backward(&dy, shape, add, mask)?, &want, &size, 3.0)
            });
        }
        if shape[0] == 3 {
            let dx = || backward(&dy, shape, None, None);
            table.case(format!("differences {}", by(&shape)), || {
                gradient(&dx()?, &x, &size, 3.0, |x| dy.dot(&avg_pool2d::forward(x)))
            });
            table.case(format!("adjoint {}", by(&shape)), || {
                adjoint([&dy, &forward(&x)?], [&dx()?, &x], size.dot(&x.map(f64::abs)), k)
            });
            table.case(format!("batch {}", by(&shape)), || {
                batch_independent(|n| {
                    let (x, dy) = (images(&x, n), images(&dy, n));
                    Ok(vec![forward(&x)?, backward(&dy, x.shape, Some(&x), Some(&x))?])
                })
            });
        }
    }
    table.finish();
}
