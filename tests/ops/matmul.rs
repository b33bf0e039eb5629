//! matmul: two tensors and a tensor with a constant, batches that are repeated, both gradients.

use std::sync::Arc;

use protogpu::Shape;
use protogpu::ops::{MatMul, MatMulConstant, Op};

use crate::tests::harness::{
    EPILOGUES, Table, backward_nd, batch_independent, by, close, epilogue_name, finished, forward_nd, refused, root,
};
use crate::tests::twin::Tensor;
use crate::tests::twin::check::central_differences;
use crate::tests::twin::matmul;
use crate::tests::twin::nd::Nd;
use crate::tests::twin::random::Random;

/// As for the functions of two operands: see `binary::compare`.
fn compare(table: &mut Table, name: &str, op: &dyn Op, operands: [&Nd; 2], which: &[usize]) {
    let [x, z] = operands;
    let xs: Vec<&Nd> = which.iter().map(|&operand| operands[operand]).collect();
    let want = matmul::forward(x, z);
    let [sizes_x, sizes_z] = operands.map(|of| of.map(f64::abs));
    let inner = x.shape[x.shape.len() - 1];
    table.case(format!("forward {name}"), || {
        let y = forward_nd(op, &xs)?;
        assert_eq!(y.shape, want.shape);
        close("y", &y.flat(), &want.flat(), &matmul::forward(&sizes_x, &sizes_z).flat(), root(inner))
    });
    let mut random = Random(7);
    let dy = Nd::random(&mut random, &want.shape, -1.0, 1.0);
    let gradients = matmul::backward(&dy, x, z);
    let sizes = matmul::backward(&dy.map(f64::abs), &sizes_x, &sizes_z);
    let largest = xs.iter().map(|x| x.data.len()).max().unwrap_or_default();
    let [add, mask] = [0; 2].map(|_| Nd::random(&mut random, &[1, largest], -1.0, 1.0));
    let terms = |operand: usize| dy.data.len() * inner / operands[operand].data.len();
    for parts in EPILOGUES {
        table.case(format!("backward {name}{}", epilogue_name(parts)), || {
            let [add, mask] = [(parts[0], &add), (parts[1], &mask)].map(|(on, part)| on.then_some(part));
            for ((i, got), &operand) in backward_nd(op, &dy, (&xs, [add, mask]))?.iter().enumerate().zip(which) {
                let part = |part: Option<&Nd>| part.map(|part| xs[i].with_first_of(part).flat());
                let want = finished(&gradients[operand].flat(), part(add).as_ref(), part(mask).as_ref());
                let size = sizes[operand].map(|v| v + 1.0).flat();
                close(&format!("gradient of operand {operand}"), &got.flat(), &want, &size, root(terms(operand)))?;
            }
            Ok(())
        });
    }
    // The twin takes as long as the product for each element.
    if dy.data.len() * inner * x.data.len().max(z.data.len()) > 1 << 22 {
        return;
    }
    table.case(format!("differences {name}"), || {
        for (got, &operand) in backward_nd(op, &dy, (&xs, [None; 2]))?.iter().zip(which) {
            let weighted = |v: &Tensor| {
                let mut both = [x.clone(), z.clone()];
                both[operand] = both[operand].with(v);
                dy.dot(&matmul::forward(&both[0], &both[1]))
            };
            let want = central_differences(&operands[operand].flat(), 1e-5, weighted);
            let size = sizes[operand].map(|v| v + 0.1).flat();
            close("dx against central differences", &got.flat(), &want, &size, root(terms(operand)))?;
        }
        Ok(())
    });
}

#[test]
fn tensors() {
    let mut table = Table::new("matmul");
    let shapes: [(&[usize], &[usize]); 7] = [
        (&[2, 3, 5], &[2, 5, 4]),
        // Attention; tiles of 32 and steps of 16, and one more.
        (&[2, 3, 7, 4], &[2, 3, 4, 7]),
        (&[1, 2, 33, 17], &[1, 2, 17, 31]),
        (&[2, 32, 16], &[2, 16, 65]),
        (&[2, 1, 1], &[2, 1, 1]),
        // Repeated on one side, on both.
        (&[2, 3, 5, 4], &[2, 1, 4, 3]),
        (&[2, 1, 3, 1, 2, 3], &[2, 2, 1, 2, 3, 4]),
    ];
    for (x, z) in shapes {
        let mut random = Random(1);
        let [x, z] = [x, z].map(|shape| Nd::random(&mut random, shape, -1.0, 1.0));
        compare(&mut table, &format!("{} {}", by(&x.shape), by(&z.shape)), &MatMul, [&x, &z], &[0, 1]);
    }
    table.finish();
}

#[test]
fn constants() {
    let mut table = Table::new("matmul");
    // x, the constant, and whether that is the first operand.
    let shapes: [(&[usize], &[usize], bool); 8] = [
        (&[3, 5], &[5, 4], false),
        (&[2, 9, 5], &[5, 33], false),
        (&[2, 3, 7, 17], &[17, 6], false),
        (&[2, 3, 4, 5], &[3, 5, 2], false),
        (&[2, 1, 4, 5], &[1, 3, 5, 2], false),
        (&[2, 5, 4], &[7, 5], true),
        (&[2, 3, 5, 4], &[3, 2, 5], true),
        (&[2, 1, 5, 4], &[3, 2, 5], true),
    ];
    for (x, c, first) in shapes {
        let mut random = Random(2);
        let [x, c] = [x, c].map(|shape| Nd::random(&mut random, shape, -1.0, 1.0));
        let constant: Arc<[f32]> = c.data.iter().map(|&v| v as f32).collect();
        let op = MatMulConstant { constant, shape: Shape::of(&c.shape).expect("a shape"), first };
        let operands = if first { [&c, &x] } else { [&x, &c] };
        let name = format!("{} constant {}{}", by(&x.shape), by(&c.shape), if first { " first" } else { "" });
        compare(&mut table, &name, &op, operands, &[usize::from(first)]);
    }
    table.finish();
}

#[test]
fn batches_and_refusals() {
    let mut table = Table::new("matmul");
    table.case("batch", || {
        let mut random = Random(3);
        let [x, z, dy] = [[3, 2, 33, 18], [3, 2, 18, 5], [3, 2, 33, 5]].map(|s| Nd::random(&mut random, &s, -1.0, 1.0));
        batch_independent(|n| {
            let [x, z, dy] = [&x, &z, &dy].map(|t| t.images(n));
            let mut out = vec![forward_nd(&MatMul, &[&x, &z])?.flat()];
            out.extend(backward_nd(&MatMul, &dy, (&[&x, &z], [None; 2]))?.iter().map(Nd::flat));
            Ok(out)
        })
    });
    table.case("batch of rows", || {
        let mut random = Random(4);
        let [x, dy] = [[3, 9, 18], [3, 9, 4]].map(|s| Nd::random(&mut random, &s, -1.0, 1.0));
        let op = MatMulConstant { constant: Arc::from([0.25; 72]), shape: Shape::of(&[18, 4])?, first: false };
        batch_independent(|n| {
            let [x, dy] = [&x, &dy].map(|t| t.images(n));
            Ok(vec![forward_nd(&op, &[&x])?.flat(), backward_nd(&op, &dy, (&[&x], [None; 2]))?.remove(0).flat()])
        })
    });
    table.case("refusals", || {
        let shape = |extents: &[usize]| Shape::of(extents).expect("a shape");
        let [x, z] = [[2, 3, 4], [2, 5, 4]].map(|extents| shape(&extents));
        refused("inner", MatMul.output("l", &[x, z]), "x is [2,3,4] and z is [2,5,4]: these have no product")?;
        refused("batch", MatMul.output("l", &[x, z.with_batch(1)]), "one rank, 3 at least, and one batch")?;
        refused("rank", MatMul.output("l", &[shape(&[2, 3]), shape(&[3, 2])]), "one rank, 3 at least, and one batch")?;
        let op =
            |extents: &[usize], first| MatMulConstant { constant: Arc::from([1.0; 12]), shape: shape(extents), first };
        refused("elements", op(&[4, 4], false).output("l", &[x]), "the constant is [4,4], but has 12 elements")?;
        refused("per image", op(&[2, 2, 3], true).output("l", &[x]), "must be the same for every image")?;
        refused("first", op(&[6, 2], true).output("l", &[shape(&[2, 3])]), "must be the same for every image")
    });
    table.finish();
}
