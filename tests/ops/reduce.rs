//! reduce: sums, means and extreme values over every kind of axis, ties, NaN.

use protogpu::Shape;
use protogpu::ops::{Op, Reduce, Reduction};

use crate::tests::harness::{
    self, EPILOGUES, Nds, Table, batch_independent, by, close, epilogue_name, exact, finished, refused, root,
};
use crate::tests::twin::Tensor;
use crate::tests::twin::check::central_differences;
use crate::tests::twin::nd::Nd;
use crate::tests::twin::random::Random;
use crate::tests::twin::reduce::{self, Kind};

const KINDS: [(Reduction, Kind); 4] = [
    (Reduction::Sum, Kind::Sum),
    (Reduction::Mean, Kind::Mean),
    (Reduction::Max, Kind::Max),
    (Reduction::Min, Kind::Min),
];

/// x and the axes: means over planes and over channels, sums of 64 and 65 terms, axes apart, ranks up to 6.
const CASES: [(&[usize], &[usize]); 9] = [
    (&[2, 3, 5, 7], &[2, 3]),
    (&[2, 5, 4, 3], &[1]),
    (&[2, 3, 8, 8], &[2, 3]),
    (&[2, 3, 5, 13], &[3, 2]),
    (&[1, 2, 3, 66], &[3]),
    (&[2, 4, 3, 5], &[1, 3]),
    (&[3, 70], &[1]),
    (&[2, 3, 1, 2, 3, 5], &[1, 2, 4]),
    (&[2, 3], &[]),
];

#[test]
fn reductions() {
    let mut table = Table::new("reduce");
    for ((reduction, kind), (shape, axes)) in KINDS.into_iter().flat_map(|kind| CASES.map(|case| (kind, case))) {
        let mut random = Random(1);
        let [x, add, mask] = [0; 3].map(|_| Nd::random(&mut random, shape, -1.0, 1.0));
        let (want, _) = reduce::forward(&x, axes, kind);
        let k = root(x.data.len() / want.data.len());
        let dy = Nd::random(&mut random, &want.shape, -1.0, 1.0);
        for keepdim in [true, false] {
            let op = Reduce { reduction, axes: axes.to_vec(), keepdim };
            let of_y = op.output("y", &[Shape::of(shape).expect("a shape")]).expect("the axes fit");
            let name = format!("{} {} over {axes:?}{}", op.name(), by(shape), if keepdim { " kept" } else { "" });
            let dy = Nd::new(of_y.extents(), dy.data.clone());
            table.case(format!("forward {name}"), || {
                let y = harness::forward_nd(&op, &[&x])?;
                let size = Nd::new(&want.shape, reduce::forward(&x.map(f64::abs), axes, Kind::Sum).0.data);
                let size = if kind == Kind::Mean {
                    size.map(|v| v * want.data.len() as f64 / x.data.len() as f64)
                } else {
                    size
                };
                match kind {
                    Kind::Max | Kind::Min => exact("y", &y.flat(), &want.flat()),
                    Kind::Sum | Kind::Mean => close("y", &y.flat(), &want.flat(), &size.flat(), k),
                }
            });
            for parts in EPILOGUES {
                table.case(format!("backward {name}{}", epilogue_name(parts)), || {
                    let [add, mask] = [(parts[0], &add), (parts[1], &mask)].map(|(on, part)| on.then_some(part));
                    let nds: Nds = (&[&x], [add, mask]);
                    let dx = harness::backward_nd(&op, &dy, nds)?.remove(0);
                    let dy = Nd::new(&want.shape, dy.data.clone());
                    let plain = reduce::backward(&dy, &x, axes, kind).flat();
                    let want = finished(&plain, add.map(Nd::flat).as_ref(), mask.map(Nd::flat).as_ref());
                    close("dx", &dx.flat(), &want, &plain.map(|v| v.abs() + 1.0), 2.0)
                });
            }
            table.case(format!("differences {name}"), || {
                let dx = harness::backward_nd(&op, &dy, (&[&x], [None; 2]))?.remove(0);
                let weighted = |v: &Tensor| {
                    reduce::forward(&x.with(v), axes, kind).0.data.iter().zip(&dy.data).map(|(y, dy)| y * dy).sum()
                };
                let want = central_differences(&x.flat(), 1e-5, weighted);
                close("dx against central differences", &dx.flat(), &want, &want.map(|v| v.abs() + 0.1), k)
            });
        }
    }
    table.finish();
}

#[test]
fn ties_nan_batches_and_refusals() {
    let mut table = Table::new("reduce");
    for (reduction, kind) in KINDS {
        for shape in [[2, 3, 2, 4], [2, 2, 9, 9]] {
            let op = Reduce { reduction, axes: vec![2, 3], keepdim: true };
            let name = format!("{} {}", op.name(), by(&shape));
            table.case(format!("ties {name}"), || {
                let x = Nd::random(&mut Random(2), &shape, 0.0, 3.0).map(f64::floor);
                let dy = Nd::filled(&[2, shape[1], 1, 1], 1.0);
                let dx = harness::backward_nd(&op, &dy, (&[&x], [None; 2]))?.remove(0);
                let want = reduce::backward(&dy, &x, &[2, 3], kind).flat();
                close("dx", &dx.flat(), &want, &want.map(|_| 1.0), 2.0)
            });
            table.case(format!("nan {name}"), || {
                for at in [0, 1, shape[2] * shape[3] - 1] {
                    let mut x = Nd::random(&mut Random(3), &shape, -1.0, 1.0);
                    x.data[at] = f64::NAN;
                    let y = harness::forward_nd(&op, &[&x])?;
                    let mut want = Nd::filled(&y.shape, 0.0);
                    want.data[0] = 1.0;
                    exact("which are NaN", &y.map(|v| f64::from(v.is_nan())).flat(), &want.flat())?;
                }
                Ok(())
            });
        }
        table.case(format!("batch {reduction}"), || {
            let op = Reduce { reduction, axes: vec![1, 3], keepdim: false };
            let mut random = Random(4);
            let [x, dy] = [&[3, 5, 2, 17][..], &[3, 2]].map(|shape| Nd::random(&mut random, shape, -1.0, 1.0));
            batch_independent(|n| {
                let (x, dy) = (x.images(n), dy.images(n));
                let dx = harness::backward_nd(&op, &dy, (&[&x], [None; 2]))?.remove(0);
                Ok(vec![harness::forward_nd(&op, &[&x])?.flat(), dx.flat()])
            })
        });
    }
    table.case("refusals", || {
        let x = Shape::new(2, 3, 4, 5);
        for axes in [vec![0], vec![4], vec![2, 2]] {
            let op = Reduce { reduction: Reduction::Mean, axes, keepdim: true };
            refused("axes", op.output("l", &[x]), "of x [2,3,4,5]: each must be there once, and not the first")?;
        }
        Ok(())
    });
    table.finish();
}
