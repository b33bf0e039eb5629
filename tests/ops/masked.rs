//! where and masked_fill: exactly the elements that the condition says, and the gradient where they were read.

use std::sync::Arc;

use protogpu::Shape;
use protogpu::ops::{Condition, MaskedFill, Op, Where};

use crate::tests::harness::{
    EPILOGUES, Table, backward_nd, batch_independent, by, epilogue_name, exact, finished, forward_nd, refused,
};
use crate::tests::twin::nd::Nd;
use crate::tests::twin::random::Random;

/// a where the condition holds, b elsewhere; the condition stands over the last axes.
fn chosen(holds: &Nd, a: &Nd, b: &Nd) -> Nd {
    let of = |(i, index): (usize, &Vec<usize>)| {
        if holds.data[holds.at(index)] > 0.0 { a.data[i] } else { b.data[i] }
    };
    Nd::new(&a.shape, a.indices().iter().enumerate().map(of).collect())
}

fn condition(holds: &Nd) -> Condition {
    Condition { holds: holds.data.iter().map(|&v| v > 0.0).collect(), shape: Shape::of(&holds.shape).expect("a shape") }
}

#[test]
fn conditions() {
    let mut table = Table::new("masked");
    let cases: [(&[usize], &[usize]); 5] = [
        // An attention mask; one for all channels; every element; a single one; six axes.
        (&[2, 3, 7, 7], &[7, 7]),
        (&[2, 3, 5, 13], &[1, 1, 5, 13]),
        (&[2, 65], &[65]),
        (&[2, 3], &[]),
        (&[2, 1, 3, 2, 2, 3], &[3, 1, 2, 3]),
    ];
    for (shape, of) in cases {
        let mut random = Random(1);
        let [x, z, dy, add, mask] = [0; 5].map(|_| Nd::random(&mut random, shape, -1.0, 1.0));
        let holds = Nd::random(&mut random, of, -1.0, 1.0);
        let name = format!("{} by {}", by(shape), by(of));
        let (both, fill) = (Where(condition(&holds)), MaskedFill { keep: condition(&holds), value: -7.5 });
        let zero = x.map(|_| 0.0);
        table.case(format!("forward {name}"), || {
            exact("where", &forward_nd(&both, &[&x, &z])?.flat(), &chosen(&holds, &x, &z).flat())?;
            exact("masked_fill", &forward_nd(&fill, &[&x])?.flat(), &chosen(&holds, &x, &x.map(|_| -7.5)).flat())
        });
        for parts in EPILOGUES {
            table.case(format!("backward {name}{}", epilogue_name(parts)), || {
                let [add, mask] = [(parts[0], &add), (parts[1], &mask)].map(|(on, part)| on.then_some(part));
                let done = |dx: &Nd| {
                    let dx = finished(&dx.flat(), add.map(Nd::flat).as_ref(), mask.map(Nd::flat).as_ref());
                    dx.map(|v| f64::from(v as f32))
                };
                let dxs = backward_nd(&both, &dy, (&[&x, &z], [add, mask]))?;
                exact("dx", &dxs[0].flat(), &done(&chosen(&holds, &dy, &zero)))?;
                exact("dz", &dxs[1].flat(), &done(&chosen(&holds, &zero, &dy)))?;
                let dx = backward_nd(&fill, &dy, (&[&x], [add, mask]))?.remove(0);
                exact("dx of masked_fill", &dx.flat(), &done(&chosen(&holds, &dy, &zero)))
            });
        }
    }
    table.case("batch", || {
        let mut random = Random(2);
        let [x, z] = [0; 2].map(|_| Nd::random(&mut random, &[3, 4, 5], -1.0, 1.0));
        let op = Where(condition(&Nd::random(&mut random, &[4, 1], -1.0, 1.0)));
        batch_independent(|n| {
            let [x, z] = [&x, &z].map(|t| t.images(n));
            let mut out = vec![forward_nd(&op, &[&x, &z])?.flat()];
            out.extend(backward_nd(&op, &x, (&[&x, &z], [None; 2]))?.iter().map(Nd::flat));
            Ok(out)
        })
    });
    table.case("nan", || {
        let x = Nd::new(&[1, 2], vec![f64::NAN, 1.0]);
        let op = Where(condition(&Nd::new(&[2], vec![-1.0, 1.0])));
        exact(
            "what is not chosen is not there",
            &forward_nd(&op, &[&x, &x.map(|_| 2.0)])?.flat(),
            &Nd::new(&[1, 2], vec![2.0, 1.0]).flat(),
        )
    });
    table.case("refusals", || {
        let x = Shape::new(2, 3, 4, 5);
        let fill = |len: usize, extents: &[usize]| {
            let shape = Shape::of(extents).expect("a shape");
            MaskedFill { keep: Condition { holds: Arc::from(vec![true; len]), shape }, value: 0.0 }
        };
        refused(
            "elements",
            fill(3, &[4]).output("l", &[x]),
            "a condition [4] of 3 elements does not fit every image of [2,3,4,5]",
        )?;
        refused("batch", fill(2, &[2, 1, 1, 1]).output("l", &[x]), "does not fit every image")?;
        refused("extent", fill(4, &[4]).output("l", &[x]), "does not fit every image")
    });
    table.finish();
}
