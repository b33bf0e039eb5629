//! l2: the pixels' distance from a colour, value and gradient.

use protogpu::method::losses::L2;

use crate::tests::harness::{Outcome, Table, batch_independent, by, close, gradient, images, refused, root, run_term};
use crate::tests::twin::random::Random;
use crate::tests::twin::{Tensor, l2 as twin};

/// Exact as f32.
const WEIGHT: f64 = 0.75;
const COLOUR: [f64; 3] = [0.5, 0.25, 0.125];

/// A difference, three products, and the sum with what came before.
const K: f64 = 6.0;

/// The weighted loss and the loss `[N,2,1,1]`, and dx.
fn step(x: &Tensor, before: Option<&Tensor>) -> Outcome<[Tensor; 2]> {
    let colour = COLOUR[..x.shape[1]].iter().map(|&v| v as f32).collect();
    run_term(&L2 { colour, weight: 0.0 }, WEIGHT as f32, x, before)
}

#[test]
fn l2() {
    let mut table = Table::new("l2");
    // Around the 64 columns that a workgroup takes at a time; one row, one column.
    for shape in [[2, 3, 5, 7], [1, 1, 3, 63], [2, 2, 2, 64], [1, 3, 4, 65], [3, 1, 2, 130], [2, 1, 1, 9], [1, 2, 9, 1]]
    {
        let (name, mut random) = (by(&shape), Random(1));
        let x = random.tensor(shape, 0.0, 1.0);
        let before = random.tensor(shape, -1.0, 1.0);
        let colour = &COLOUR[..shape[1]];
        let want = twin::backward(&x, colour).map(|d| WEIGHT * d);
        let size = x.map(|x| 2.0 * WEIGHT * (x + 0.5) / (shape[1] * shape[2] * shape[3]) as f64);
        table.case(format!("value {name}"), || {
            let both = twin::forward(&x, colour).into_iter().flat_map(|value| [WEIGHT * value, value]);
            let want = Tensor::new([shape[0], 2, 1, 1], both.collect());
            // At most (1 + 0.5)² on average.
            let size = Tensor::filled(want.shape, 2.25);
            close("loss, loss_l2", &step(&x, None)?[0], &want, &size, root(shape[3]) + root(shape[1] * shape[2]) + K)
        });
        table.case(format!("dx {name}"), || close("dx", &step(&x, None)?[1], &want, &size, K));
        table.case(format!("dx {name} +add"), || {
            let [_, dx] = step(&x, Some(&before))?;
            close("dx", &dx, &want.zip(&before, |d, b| d + b), &size.zip(&before, |s, b| s + b.abs()), K)
        });
        if shape == [2, 3, 5, 7] {
            table.case(format!("differences {name}"), || {
                let f = |x: &Tensor| WEIGHT * twin::forward(x, colour).iter().sum::<f64>();
                gradient(&step(&x, None)?[1], &x, &size, K, f)
            });
        }
        if shape[0] == 3 {
            table.case(format!("batch {name}"), || batch_independent(|n| Ok(step(&images(&x, n), None)?.into())));
        }
    }
    table.case("another colour", || {
        let x = Tensor::filled([1, 2, 3, 4], 0.5);
        let one = L2 { colour: vec![0.5], weight: 1.0 };
        refused("one channel of two", run_term(&one, 1.0, &x, None), "the colour has 1 channels")
    });
    table.finish();
}
