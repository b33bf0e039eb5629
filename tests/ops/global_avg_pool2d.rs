//! global_avg_pool2d.

use protogpu::ops::{Format, GlobalAvgPool2d};

use crate::tests::harness::{
    self, EPILOGUES, Outcome, Rig, Table, adjoint, batch_independent, by, close, epilogue_name, finished, format_name,
    formats, gradient, images, root,
};
use crate::tests::twin::random::Random;
use crate::tests::twin::{Tensor, avg_pool2d};

fn forward(format: Format, x: &Tensor) -> Outcome<Tensor> {
    let mut rig = Rig::default();
    let (x, y) = (rig.input_as(format, "x", x)?, rig.output("y", [x.shape[0], x.shape[1], 1, 1]));
    harness::forward(&mut rig.rec, &GlobalAvgPool2d, &[x], y)?;
    rig.run()?.read(y)
}

fn backward(format: Format, dy: &Tensor, x_shape: [usize; 4], [add, mask]: [Option<&Tensor>; 2]) -> Outcome<Tensor> {
    let mut rig = Rig::default();
    let (dy, dx) = (rig.input("dy", dy), rig.output_as(format, "dx", x_shape));
    let epilogue = rig.epilogue(format, [add, mask])?;
    harness::backward(&mut rig.rec, &GlobalAvgPool2d, dy, (&[dx], &[]), &[(dx, epilogue)])?;
    rig.run()?.read(dx)
}

#[test]
fn global_avg_pool2d() {
    let mut table = Table::new("global_avg_pool2d");
    let shapes = [[1, 63, 7, 7], [2, 32, 1, 1], [1, 65, 3, 2], [3, 5, 4, 7]];
    for (shape, format) in shapes.into_iter().flat_map(|shape| formats().into_iter().map(move |format| (shape, format)))
    {
        let name = format!("{}{}", by(&shape), format_name(format));
        let mut random = Random(1);
        let [x, add, mask] = [0; 3].map(|_| random.tensor(shape, -1.0, 1.0));
        let dy = random.tensor([shape[0], shape[1], 1, 1], -1.0, 1.0);
        // A sum of H·W terms, and a division that may err by 2.5 units in the last place.
        let k = root(shape[2] * shape[3]) + 2.5;
        let size = avg_pool2d::forward(&x.map(f64::abs));
        table.case(format!("forward {name}"), || close("y", &forward(format, &x)?, &avg_pool2d::forward(&x), &size, k));
        let size = avg_pool2d::backward(&dy.map(f64::abs), shape);
        for [adds, masks] in EPILOGUES {
            table.case(format!("backward {name}{}", epilogue_name([adds, masks])), || {
                let (add, mask) = (adds.then_some(&add), masks.then_some(&mask));
                let want = finished(&avg_pool2d::backward(&dy, shape), add, mask);
                let size = if adds { size.map(|d| d + 1.0) } else { size.clone() };
                close("dx", &backward(format, &dy, shape, [add, mask])?, &want, &size, 3.0)
            });
        }
        if shape[0] == 3 {
            let dx = || backward(format, &dy, shape, [None; 2]);
            table.case(format!("differences {name}"), || {
                gradient(&dx()?, &x, &size, 3.0, |x| dy.dot(&avg_pool2d::forward(x)))
            });
            table.case(format!("adjoint {name}"), || {
                adjoint([&dy, &forward(format, &x)?], [&dx()?, &x], size.dot(&x.map(f64::abs)), k)
            });
            table.case(format!("batch {name}"), || {
                batch_independent(|n| {
                    let (x, dy) = (images(&x, n), images(&dy, n));
                    Ok(vec![forward(format, &x)?, backward(format, &dy, x.shape, [Some(&x); 2])?])
                })
            });
        }
    }
    table.finish();
}
