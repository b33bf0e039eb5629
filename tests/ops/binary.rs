//! binary: every function over tensors that are repeated along every kind of axis, and with constants on either side.

use std::sync::Arc;

use protogpu::Shape;
use protogpu::ops::{Binary, BinaryConstant, BinaryFunction, Op};

use crate::tests::harness::{
    EPILOGUES, Table, backward_nd as backward, batch_independent, by, close, epilogue_name, exact, finished,
    forward_nd as forward, refused, root,
};
use crate::tests::twin::Tensor;
use crate::tests::twin::binary::{self, FUNCTIONS, Function};
use crate::tests::twin::check::central_differences;
use crate::tests::twin::nd::Nd;
use crate::tests::twin::random::Random;

const ALL: [BinaryFunction; 7] = [
    BinaryFunction::Add,
    BinaryFunction::Sub,
    BinaryFunction::Mul,
    BinaryFunction::Div,
    BinaryFunction::Minimum,
    BinaryFunction::Maximum,
    BinaryFunction::Pow,
];

/// Against the twin: forward, and the gradient of each tensor. `op` has the operands that are tensors as inputs; `which` are their numbers.
fn compare(table: &mut Table, name: &str, op: &dyn Op, function: &Function, operands: [&Nd; 2], which: &[usize]) {
    let [x, z] = operands;
    let xs: Vec<&Nd> = which.iter().map(|&operand| operands[operand]).collect();
    let want = binary::forward(function, x, z);
    table.case(format!("forward {name}"), || {
        let y = forward(op, &xs)?;
        assert_eq!(y.shape, want.shape);
        match function.k {
            0.0 => exact("y", &y.flat(), &want.map(|v| f64::from(v as f32)).flat()),
            k => close("y", &y.flat(), &want.flat(), &want.map(f64::abs).flat(), k),
        }
    });
    let mut random = Random(7);
    let dy = Nd::random(&mut random, &want.shape, -1.0, 1.0);
    let [gradients, sizes] = [binary::backward, binary::magnitude].map(|of| of(function, &dy, x, z));
    // The parts have the elements of the largest input; those of others are its first.
    let largest = xs.iter().map(|x| x.data.len()).max().unwrap_or_default();
    let [add, mask] = [0; 2].map(|_| Nd::random(&mut random, &[1, largest], -1.0, 1.0));
    for parts in EPILOGUES {
        // What is delivered as it is has no epilogue of the op.
        if parts != [false; 2] && matches!(function.name, "add" | "sub") && xs.iter().any(|x| x.shape == dy.shape) {
            continue;
        }
        table.case(format!("backward {name}{}", epilogue_name(parts)), || {
            let [add, mask] = [(parts[0], &add), (parts[1], &mask)].map(|(on, part)| on.then_some(part));
            let got = backward(op, &dy, (&xs, [add, mask]))?;
            for (i, (got, &operand)) in got.iter().zip(which).enumerate() {
                let part = |part: Option<&Nd>| part.map(|part| xs[i].with_first_of(part).flat());
                let want = finished(&gradients[operand].flat(), part(add).as_ref(), part(mask).as_ref());
                let size = sizes[operand].map(|v| v + 1.0).flat();
                let k = function.k + root(dy.data.len() / want.data.len());
                close(&format!("gradient of operand {operand}"), &got.flat(), &want, &size, k)?;
            }
            Ok(())
        });
    }
    table.case(format!("differences {name}"), || {
        for (got, &operand) in backward(op, &dy, (&xs, [None; 2]))?.iter().zip(which) {
            let weighted = |v: &Tensor| {
                let mut both = [x.clone(), z.clone()];
                both[operand] = both[operand].with(v);
                dy.dot(&binary::forward(function, &both[0], &both[1]))
            };
            // The third derivative of a division by 1/4 and of a power is some hundreds.
            let want = central_differences(&operands[operand].flat(), 1e-5, weighted);
            let size = sizes[operand].map(|v| v + 1.0).flat();
            close("dx against central differences", &got.flat(), &want, &size, function.k + root(dy.data.len()))?;
        }
        Ok(())
    });
}

#[test]
fn tensors() {
    let mut table = Table::new("binary");
    let shapes: [(&[usize], &[usize]); 10] = [
        (&[2, 3, 5, 7], &[2, 3, 5, 7]),
        // Squeeze and excitation, either way round; a plane for all channels; sums as long as a workgroup, and longer.
        (&[2, 3, 5, 7], &[2, 3, 1, 1]),
        (&[2, 3, 1, 1], &[2, 3, 5, 13]),
        (&[2, 3, 8, 8], &[2, 1, 8, 8]),
        (&[1, 2, 16, 9], &[1, 2, 1, 1]),
        // Both are repeated; ranks from 1 to 6.
        (&[2, 3, 1, 7], &[2, 1, 5, 7]),
        (&[3], &[3]),
        (&[2, 65], &[2, 1]),
        (&[2, 1, 4], &[2, 3, 1]),
        (&[2, 3, 1, 2, 1, 5], &[2, 1, 4, 2, 3, 1]),
    ];
    for (function, twin) in ALL.into_iter().zip(&FUNCTIONS) {
        let op = Binary(function);
        assert_eq!(op.name(), twin.name);
        for (i, (x, z)) in shapes.into_iter().enumerate() {
            // Mul has every shape; the others share its kernel.
            if function != BinaryFunction::Mul && ![0, 1, 5].contains(&i) {
                continue;
            }
            let mut random = Random(1);
            let [x, z] = [(x, 0), (z, 1)].map(|(shape, at)| {
                let [lo, hi] = twin.ranges[at];
                Nd::random(&mut random, shape, lo, hi)
            });
            let name = format!("{} {} {}", op.name(), by(&x.shape), by(&z.shape));
            compare(&mut table, &name, &op, twin, [&x, &z], &[0, 1]);
        }
    }
    table.finish();
}

#[test]
fn constants() {
    let mut table = Table::new("binary");
    let shapes: [(&[usize], &[usize]); 6] = [
        (&[2, 3, 5, 7], &[]),
        (&[2, 3, 5, 7], &[3, 1, 1]),
        (&[2, 3, 5, 7], &[1, 3, 5, 7]),
        // The constant has more than x along an axis.
        (&[2, 3, 1], &[4]),
        (&[2, 1, 70], &[5, 1]),
        (&[2], &[1]),
    ];
    for (function, twin) in ALL.into_iter().zip(&FUNCTIONS) {
        for (i, (x, c)) in shapes.into_iter().enumerate() {
            if ![BinaryFunction::Sub, BinaryFunction::Mul].contains(&function) && i != 1 {
                continue;
            }
            for first in [false, true] {
                let mut random = Random(2);
                let [x, c] = [(x, usize::from(first)), (c, usize::from(!first))].map(|(shape, at)| {
                    let [lo, hi] = twin.ranges[at];
                    Nd::random(&mut random, shape, lo, hi)
                });
                let constant: Arc<[f32]> = c.data.iter().map(|&v| v as f32).collect();
                let shape = Shape::of(&c.shape).expect("a shape");
                let op = BinaryConstant { function, constant, shape, first };
                let operands = if first { [&c, &x] } else { [&x, &c] };
                let side = if first { " first" } else { "" };
                let name = format!("{} {} constant {}{side}", op.name(), by(&x.shape), by(&c.shape));
                compare(&mut table, &name, &op, twin, operands, &[usize::from(first)]);
            }
        }
    }
    table.case("numbers", || {
        let x = Nd::new(&[2, 1], vec![1.0, 4.0]);
        exact(
            "x - 3",
            &forward(&BinaryConstant::number(BinaryFunction::Sub, 3.0), &[&x])?.flat(),
            &x.map(|x| x - 3.0).flat(),
        )?;
        let first = BinaryConstant::number_first(BinaryFunction::Sub, 3.0);
        exact("3 - x", &forward(&first, &[&x])?.flat(), &x.map(|x| 3.0 - x).flat())
    });
    table.finish();
}

#[test]
fn ties_nan_and_batches() {
    let mut table = Table::new("binary");
    for function in [BinaryFunction::Minimum, BinaryFunction::Maximum] {
        table.case(format!("ties {function}"), || {
            let [x, z] = [[1.0, 2.0, 3.0], [1.0, 3.0, 2.0]].map(|data| Nd::new(&[1, 3], data.into()));
            let dxs = backward(&Binary(function), &x.map(|_| 1.0), (&[&x, &z], [None; 2]))?;
            let twin = &FUNCTIONS[function as usize];
            let want = binary::backward(twin, &x.map(|_| 1.0), &x, &z);
            assert_eq!(want[0].data[0], 0.5);
            dxs.iter().zip(&want).try_for_each(|(got, want)| exact("gradients", &got.flat(), &want.flat()))
        });
    }
    for function in ALL {
        table.case(format!("nan {function}"), || {
            let [x, z] = [[f64::NAN, 2.0, 2.0], [1.0, f64::NAN, 1.0]].map(|data| Nd::new(&[1, 3], data.into()));
            let y = forward(&Binary(function), &[&x, &z])?;
            exact(
                "which are NaN",
                &y.map(|v| f64::from(v.is_nan())).flat(),
                &Nd::new(&[1, 3], vec![1.0, 1.0, 0.0]).flat(),
            )
        });
    }
    for (x, z) in [([3, 4, 5, 7], [3, 4, 1, 1]), ([3, 2, 9, 11], [3, 2, 1, 1])] {
        table.case(format!("batch {}", by(&x)), || {
            let mut random = Random(3);
            let [x, z, dy] = [x, z, x].map(|shape| Nd::random(&mut random, &shape, -1.0, 1.0));
            batch_independent(|n| {
                let [x, z, dy] = [&x, &z, &dy].map(|t| t.images(n));
                let op = Binary(BinaryFunction::Mul);
                let mut out = vec![forward(&op, &[&x, &z])?.flat()];
                out.extend(backward(&op, &dy, (&[&x, &z], [None; 2]))?.iter().map(Nd::flat));
                Ok(out)
            })
        });
    }
    table.finish();
}

#[test]
fn what_does_not_fit_is_refused() {
    let mut table = Table::new("binary");
    table.case("shapes", || {
        let shape = |extents: &[usize]| Shape::of(extents).expect("a shape");
        let op = Binary(BinaryFunction::Mul);
        let [x, z] = [[2, 3, 4], [2, 3, 5]].map(|extents| shape(&extents));
        refused("extents", op.output("l", &[x, z]), "mul (l): x is [2,3,4] and z is [2,3,5]: along each axis")?;
        refused("batch", op.output("l", &[x, shape(&[1, 3, 4])]), "must have one rank and one batch")?;
        refused("rank", op.output("l", &[x, shape(&[3, 4])]), "must have one rank and one batch")?;
        let op = BinaryConstant { shape: shape(&[2, 1, 1]), ..BinaryConstant::number(BinaryFunction::Mul, 1.0) };
        refused("elements", op.output("l", &[x]), "the constant is [2,1,1], but has 1 elements")?;
        let op = BinaryConstant { constant: Arc::from([1.0; 2]), ..op };
        refused("per image", op.output("l", &[x]), "must be the same for every image of x, [2,3,4]")
    });
    table.finish();
}
