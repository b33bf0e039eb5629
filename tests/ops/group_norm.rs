//! group_norm, instance_norm and layer_norm, with and without weight and bias.

use std::sync::Arc;

use protogpu::Shape;
use protogpu::ops::{GroupNorm, LayerNorm, Op};

use crate::tests::harness::{
    EPILOGUES, Table, backward_nd, batch_independent, by, close, epilogue_name, exact, finished, forward_nd, gradient,
    refused, root,
};
use crate::tests::twin::group_norm::{self, Rows};
use crate::tests::twin::nd::Nd;
use crate::tests::twin::random::Random;

const EPS: f32 = 1e-3;

/// The shape of x, and groups, or the number of last axes.
const CASES: [(&[usize], Result<usize, usize>); 8] = [
    (&[2, 6, 5, 3], Ok(2)),
    // instance_norm, and all channels at once.
    (&[2, 5, 9, 8], Ok(5)),
    (&[3, 4, 2, 3], Ok(1)),
    (&[2, 8], Ok(2)),
    (&[2, 3, 65], Err(1)),
    (&[2, 64], Err(1)),
    (&[2, 3, 4, 5], Err(2)),
    (&[1, 5, 2, 1, 3, 2], Err(4)),
];

struct Parameters {
    weight: Option<Vec<f64>>,
    bias: Option<Vec<f64>>,
}

fn op(kind: Result<usize, usize>, parameters: &Parameters) -> Box<dyn Op> {
    let f32s = |values: &Option<Vec<f64>>| -> Option<Arc<[f32]>> {
        values.as_ref().map(|values| values.iter().map(|&v| v as f32).collect())
    };
    let (weight, bias) = (f32s(&parameters.weight), f32s(&parameters.bias));
    match kind {
        Ok(groups) => Box::new(GroupNorm { groups, weight, bias, eps: EPS }),
        Err(axes) => Box::new(LayerNorm { axes, weight, bias, eps: EPS }),
    }
}

#[test]
fn norms() {
    let mut table = Table::new("group_norm");
    for ((shape, kind), [weighs, adds_bias]) in
        CASES.into_iter().flat_map(|case| [[false, false], [true, false], [true, true]].map(|with| (case, with)))
    {
        let mut random = Random(1);
        let [x, dy, add, mask] = [2.0, 1.0, 1.0, 1.0].map(|most| Nd::random(&mut random, shape, -most, most));
        let (rows, elements) = match kind {
            Ok(groups) => (Rows::groups(shape[0], shape[1], shape[2..].iter().product(), groups), shape[1]),
            Err(axes) => {
                let len = shape[shape.len() - axes..].iter().product();
                (Rows::last(x.data.len(), len), len)
            }
        };
        let [weight, bias] =
            [weighs, adds_bias].map(|is| is.then(|| Nd::random(&mut random, &[elements], 0.5, 1.5).data));
        let parameters = Parameters { weight, bias };
        let (w, b) = (parameters.weight.as_deref(), parameters.bias.as_deref());
        let op = op(kind, &parameters);
        let name = format!(
            "{} {} {kind:?}{}{}",
            op.name(),
            by(shape),
            if weighs { " w" } else { "" },
            if adds_bias { " b" } else { "" }
        );
        let want = Nd::new(shape, group_norm::forward(&x.data, &rows, w, b, f64::from(EPS)));
        // Mean, variance, and their difference to x, which is as large as x.
        let k = 4.0 * root(rows.len);
        let r = 1.0 / f64::from(EPS).sqrt();
        table.case(format!("forward {name}"), || {
            let size = want.map(|v| v.abs() + if rows.len < 8 { r } else { 4.0 }).flat();
            close("y", &forward_nd(&*op, &[&x])?.flat(), &want.flat(), &size, k)
        });
        let plain = Nd::new(shape, group_norm::backward(&dy.data, &x.data, &rows, w, f64::from(EPS))).flat();
        let size = plain.map(|v| v.abs() + if rows.len < 8 { r } else { 8.0 });
        for parts in EPILOGUES {
            table.case(format!("backward {name}{}", epilogue_name(parts)), || {
                let [add, mask] = [(parts[0], &add), (parts[1], &mask)].map(|(on, part)| on.then_some(part));
                let dx = backward_nd(&*op, &dy, (&[&x], [add, mask]))?.remove(0);
                let want = finished(&plain, add.map(Nd::flat).as_ref(), mask.map(Nd::flat).as_ref());
                close("dx", &dx.flat(), &want, &size, k)
            });
        }
        table.case(format!("differences {name}"), || {
            let dx = backward_nd(&*op, &dy, (&[&x], [None; 2]))?.remove(0);
            gradient(&dx.flat(), &x.flat(), &size, k, |v| {
                let y = group_norm::forward(&v.data, &rows, w, b, f64::from(EPS));
                y.iter().zip(&dy.data).map(|(y, dy)| y * dy).sum()
            })
        });
    }
    table.finish();
}

#[test]
fn batches_nan_and_refusals() {
    let mut table = Table::new("group_norm");
    let shape = [3, 4, 5, 7];
    let plain = Parameters { weight: None, bias: None };
    for kind in [Ok(2), Err(2)] {
        let op = op(kind, &plain);
        table.case(format!("batch {}", op.name()), || {
            let mut random = Random(2);
            let [x, dy] = [0; 2].map(|_| Nd::random(&mut random, &shape, -1.0, 1.0));
            batch_independent(|n| {
                let (x, dy) = (x.images(n), dy.images(n));
                Ok(vec![forward_nd(&*op, &[&x])?.flat(), backward_nd(&*op, &dy, (&[&x], [None; 2]))?.remove(0).flat()])
            })
        });
        table.case(format!("nan {}", op.name()), || {
            let mut x = Nd::random(&mut Random(3), &shape, -1.0, 1.0);
            x.data[36] = f64::NAN;
            let row = if kind.is_ok() { 0..70 } else { 35..70 };
            let want: Vec<f64> = (0..x.data.len()).map(|i| f64::from(row.contains(&i))).collect();
            let y = forward_nd(&*op, &[&x])?.map(|v| f64::from(v.is_nan()));
            exact("which are NaN", &y.flat(), &Nd::new(&shape, want).flat())
        });
    }
    table.case("refusals", || {
        let x = Shape::from(shape);
        let groups = |groups| GroupNorm { groups, weight: None, bias: Some(Arc::from([0.0; 3])), eps: EPS };
        refused("groups", groups(3).output("l", &[x]), "group_norm (l): no 3 groups of the channels of x [3,4,5,7]")?;
        refused("bias", groups(2).output("l", &[x]), "the bias has 3 elements, not 4")?;
        let layer = |axes| LayerNorm { axes, weight: Some(Arc::from([0.0; 3])), bias: None, eps: EPS };
        refused(
            "axes",
            layer(4).output("l", &[x]),
            "layer_norm (l): x [3,4,5,7] has no 4 last axes besides the batch",
        )?;
        refused("weight", layer(1).output("l", &[x]), "the weight has 3 elements, not 7")
    });
    table.finish();
}
