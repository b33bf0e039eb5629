//! add: exact. Both gradients are dy itself, so the backward runs nothing.

use protogpu::ops::Add;

use crate::tests::harness::{Outcome, Rig, Table, batch_independent, by, exact, forward, images};
use crate::tests::twin::random::Random;
use crate::tests::twin::{Tensor, add};

fn sum(x: &Tensor, z: &Tensor) -> Outcome<Tensor> {
    let mut rig = Rig::default();
    let (x, z, y) = (rig.input("x", x), rig.input("z", z), rig.output("y", x.shape));
    forward(&mut rig.rec, &Add, &[x, z], y)?;
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
        table.case(format!("forward {}", by(&shape)), || exact("y", &sum(&x, &z)?, &want));
        if shape[0] == 3 {
            table.case(format!("batch {}", by(&shape)), || {
                batch_independent(|n| Ok(vec![sum(&images(&x, n), &images(&z, n))?]))
            });
        }
    }
    table.finish();
}
