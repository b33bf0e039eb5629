//! softmax and log_softmax along every axis, with logits far from zero.

use protogpu::Shape;
use protogpu::ops::{Op, Softmax};

use crate::tests::harness::{
    EPILOGUES, Table, backward_nd, batch_independent, by, close, epilogue_name, exact, finished, forward_nd, gradient,
    refused, root,
};
use crate::tests::twin::nd::Nd;
use crate::tests::twin::random::Random;
use crate::tests::twin::softmax;

/// Rows shorter than a workgroup, as long as one and longer; their elements side by side and apart.
const CASES: [(&[usize], usize); 6] = [
    (&[2, 10], 1),
    (&[2, 3, 5, 64], 3),
    (&[3, 65, 2, 3], 1),
    (&[1, 4, 7, 5], 2),
    (&[2, 1, 3, 2, 131], 4),
    (&[2, 1], 1),
];

#[test]
fn rows() {
    let mut table = Table::new("softmax");
    for ((shape, axis), log) in CASES.into_iter().flat_map(|case| [(case, false), (case, true)]) {
        let op = Softmax { axis, log };
        let mut random = Random(1);
        let [x, dy, add, mask] = [2.0, 1.0, 1.0, 1.0].map(|most| Nd::random(&mut random, shape, -most, most));
        let name = format!("{} {} along {axis}", op.name(), by(shape));
        let want = softmax::forward(&x, axis, log);
        // exp errs by 3 + 2|x| units at most, for |x| up to 4 below the top; and the sum.
        let k = 16.0 + root(shape[axis]);
        table.case(format!("forward {name}"), || {
            let size = want.map(|v| v.abs() + if log { 1.0 } else { 0.0 });
            close("y", &forward_nd(&op, &[&x])?.flat(), &want.flat(), &size.flat(), k)
        });
        let plain = softmax::backward(&dy, &x, axis, log).flat();
        let size = plain.map(|v| v.abs() + 2.0);
        for parts in EPILOGUES {
            table.case(format!("backward {name}{}", epilogue_name(parts)), || {
                let [add, mask] = [(parts[0], &add), (parts[1], &mask)].map(|(on, part)| on.then_some(part));
                let dx = backward_nd(&op, &dy, (&[&x], [add, mask]))?.remove(0);
                let want = finished(&plain, add.map(Nd::flat).as_ref(), mask.map(Nd::flat).as_ref());
                close("dx", &dx.flat(), &want, &size, k)
            });
        }
        table.case(format!("differences {name}"), || {
            let dx = backward_nd(&op, &dy, (&[&x], [None; 2]))?.remove(0);
            gradient(&dx.flat(), &x.flat(), &size, k, |v| dy.dot(&softmax::forward(&x.with(v), axis, log)))
        });
        table.case(format!("far {name}"), || {
            let y = forward_nd(&op, &[&x.map(|x| f64::from((1000.0 * x) as f32))])?;
            exact("which are NaN", &y.map(|v| f64::from(v.is_nan())).flat(), &y.map(|_| 0.0).flat())
        });
        table.case(format!("nan {name}"), || {
            let mut x = x.clone();
            *x.data.last_mut().ok_or("elements")? = f64::NAN;
            // Shifted, so that exp in f64 does not overflow, and the same rows have a NaN.
            let want = softmax::forward(&x, axis, log).map(|v| f64::from(v.is_nan()));
            exact("which are NaN", &forward_nd(&op, &[&x])?.map(|v| f64::from(v.is_nan())).flat(), &want.flat())
        });
    }
    table.case("batch", || {
        let op = Softmax { axis: 2, log: false };
        let mut random = Random(2);
        let [x, dy] = [0; 2].map(|_| Nd::random(&mut random, &[3, 2, 66, 3], -1.0, 1.0));
        batch_independent(|n| {
            let (x, dy) = (x.images(n), dy.images(n));
            Ok(vec![forward_nd(&op, &[&x])?.flat(), backward_nd(&op, &dy, (&[&x], [None; 2]))?.remove(0).flat()])
        })
    });
    table.case("refusals", || {
        let x = Shape::new(2, 3, 4, 5);
        refused(
            "batch",
            Softmax { axis: 0, log: false }.output("l", &[x]),
            "softmax (l): axis 0 of x [2,3,4,5] must be there",
        )?;
        refused("rank", Softmax { axis: 4, log: true }.output("l", &[x]), "log_softmax (l): axis 4 of x")
    });
    table.finish();
}
