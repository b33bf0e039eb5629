//! colour: the matrix, the sigmoid, and the gradient.

use protogpu::ops::Colour;

use crate::tests::harness::{
    Outcome, Rig, Table, adjoint, batch_independent, by, close, exact, gradient, images, refused,
};
use crate::tests::twin::colour::{self, Matrix};
use crate::tests::twin::random::Random;
use crate::tests::twin::{Tensor, check};

/// Exact as f32, without symmetry.
static MATRIX: Matrix = [[0.5, 0.25, -1.0], [2.0, 0.0, -0.125], [0.75, -0.5, 0.0625]];

/// The matrix if there are three channels.
fn matrix(x: &Tensor) -> Option<&'static Matrix> {
    (x.shape[1] == 3).then_some(&MATRIX)
}

fn op(matrix: Option<&Matrix>, sigmoid: bool) -> Colour {
    Colour { matrix: matrix.map(|matrix| matrix.map(|row| row.map(|v| v as f32))), sigmoid }
}

fn forward(x: &Tensor, sigmoid: bool) -> Outcome<Tensor> {
    let (mut rig, op) = (Rig::default(), op(matrix(x), sigmoid));
    let (x, y) = (rig.input("x", x), rig.output("y", x.shape));
    op.forward(&mut rig.rec, x, y)?;
    rig.run()?.read(y)
}

fn backward(dy: &Tensor, y: &Tensor, sigmoid: bool) -> Outcome<Tensor> {
    let (mut rig, op) = (Rig::default(), op(matrix(dy), sigmoid));
    let (dy, y, dx) = (rig.input("dy", dy), rig.input("y", y), rig.output("dx", dy.shape));
    op.backward(&mut rig.rec, dy, y, dx)?;
    rig.run()?.read(dx)
}

/// Three products and two sums; WGSL allows exp 3 + 2|v| units in the last place, and |v| is at most 10 here.
const K: f64 = 28.0;

#[test]
fn colour() {
    let mut table = Table::new("colour");
    for shape in [[1, 3, 1, 1], [2, 3, 5, 7], [1, 3, 8, 8], [3, 3, 13, 5], [1, 1, 1, 1], [2, 4, 5, 7], [3, 1, 13, 5]] {
        let mut random = Random(1);
        let [x, dy] = [0; 2].map(|_| random.tensor(shape, -4.0, 4.0));
        let ones = Tensor::filled(shape, 8.0);
        for sigmoid in [false, true] {
            let name = format!("{}{}", by(&shape), if sigmoid { " sigmoid" } else { "" });
            // Adapter and twin read the same y in the backward, so it must be exact as f32.
            let y = colour::forward(&x, matrix(&x), sigmoid).map(|v| f64::from(v as f32));
            table.case(format!("forward {name}"), || {
                close("y", &forward(&x, sigmoid)?, &colour::forward(&x, matrix(&x), sigmoid), &ones, K)
            });
            table.case(format!("backward {name}"), || {
                close("dx", &backward(&dy, &y, sigmoid)?, &colour::backward(&dy, &y, matrix(&x), sigmoid), &ones, 4.0)
            });
            if shape[0] == 3 {
                table.case(format!("differences {name}"), || {
                    let f = |x: &Tensor| dy.dot(&colour::forward(x, matrix(x), sigmoid));
                    gradient(&backward(&dy, &y, sigmoid)?, &x, &ones, 8.0, f)
                });
                table.case(format!("batch {name}"), || {
                    batch_independent(|n| {
                        let (x, dy, y) = (images(&x, n), images(&dy, n), images(&y, n));
                        Ok(vec![forward(&x, sigmoid)?, backward(&dy, &y, sigmoid)?])
                    })
                });
            }
        }
        table.case(format!("adjoint {}", by(&shape)), || {
            let (y, dx) = (forward(&x, false)?, backward(&dy, &x, false)?);
            adjoint([&dy, &y], [&dx, &x], 8.0 * dy.map(f64::abs).data.iter().sum::<f64>(), 4.0)
        });
    }
    table.case("far out it is 0 and 1", || {
        let x = Tensor::new([1, 3, 1, 2], vec![0.0, 0.0, -1024.0, 1024.0, 0.0, 0.0]);
        let y = forward(&x, true)?;
        check::assert_close("y", &y.data, &[0.0, 1.0, 0.5, 0.5, 1.0, 0.0], 1e-6, 0.0);
        Ok(())
    });
    table.case("nan stays", || {
        let y = forward(&Tensor::new([1, 3, 1, 2], vec![f64::NAN, 0.0, 0.0, 0.0, 0.0, 0.0]), true)?;
        exact("y", &y.map(|v| if v.is_nan() { v } else { 0.5 }), &Tensor::new(y.shape, [f64::NAN, 0.5].repeat(3)))
    });
    table.case("two channels", || {
        let mut rig = Rig::default();
        let [x, y] = ["x", "y"].map(|label| rig.output(label, [1, 2, 4, 4]));
        refused(
            "channels",
            op(Some(&MATRIX), true).forward(&mut rig.rec, x, y),
            "C is 2 in x [1,2,4,4], but colours have three",
        )
    });
    table.finish();
}
