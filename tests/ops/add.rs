//! add: exact, with and without a ReLU. Both gradients are dy itself, so the backward runs nothing.

use protogpu::ops::{Add, Format, Fusable, Op};

use crate::tests::harness::{Outcome, Rig, Table, batch_independent, by, exact, format_name, formats, forward, images};
use crate::tests::twin::random::Random;
use crate::tests::twin::{Tensor, add};

fn sum(op: &dyn Op, format: Format, x: &Tensor, z: &Tensor) -> Outcome<Tensor> {
    let mut rig = Rig::default();
    let (y, x, z) = (rig.output_as(format, "y", x.shape), rig.input_as(format, "x", x)?, rig.input_as(format, "z", z)?);
    forward(&mut rig.rec, op, &[x, z], y)?;
    rig.run()?.read(y)
}

#[test]
fn add() {
    let mut table = Table::new("add");
    for shape in [[1, 7, 3, 3], [2, 2, 4, 4], [1, 5, 13, 1], [3, 2, 7, 5]] {
        let mut random = Random(1);
        let [x, z] = [0; 2].map(|_| random.tensor(shape, -1.0, 1.0));
        // A sum of two f32 is exact in f64, so the adapter must give its rounding to f32.
        let want = add::forward(&x, &z).map(|y| f64::from(y as f32));
        for format in formats() {
            let name = format!("{}{}", by(&shape), format_name(format));
            table.case(format!("forward {name}"), || exact("y", &sum(&Add, format, &x, &z)?, &want));
            table.case(format!("forward relu {name}"), || {
                let both = Add.absorb(&Fusable::Relu).ok_or("it takes a relu")?;
                exact("y", &sum(&*both, format, &x, &z)?, &want.map(|y| y.max(0.0)))
            });
        }
        if shape[0] == 3 {
            table.case(format!("batch {}", by(&shape)), || {
                batch_independent(|n| Ok(vec![sum(&Add, Format::Nchw, &images(&x, n), &images(&z, n))?]))
            });
        }
    }
    table.finish();
}
