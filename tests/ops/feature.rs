//! feature: the terms of an objective on a module's output, each image with its own unit and weight.

use protogpu::method::losses::{Feature, FeatureRow, Read};

use crate::tests::harness::{
    Outcome, Rig, Table, batch_independent, by, close, gradient, images, objective_columns, refused, root,
};
use crate::tests::twin::Tensor;
use crate::tests::twin::feature::{self as twin, Unit};
use crate::tests::twin::random::Random;

/// Exact as f32, and one of each sign.
const WEIGHTS: [f64; 3] = [0.75, -2.0, 1.0];

/// `[history, dx]`. The term is recorded twice: dx has its gradient twice, plus `before`.
fn step(x: &Tensor, units: &[Unit], weights: &[f64], before: Option<&Tensor>) -> Outcome<[Tensor; 2]> {
    let mut rig = Rig::default();
    let [n, _, _, w] = x.shape;
    let read = rig.source(x, before);
    let row = |(unit, &weight): (&Unit, &f64)| {
        let [channel, place] = match unit {
            Unit::Channel(c) => [*c, 0],
            Unit::Neuron([c, row, column]) => [*c, row * w + column],
            _ => [0, 0],
        };
        FeatureRow { weight: weight as f32, channel: channel as u32, place: place as u32 }
    };
    let rows: Vec<FeatureRow> = units.iter().zip(weights).map(row).collect();
    let feature = match &units[0] {
        Unit::Channel(_) => Feature::Channel,
        Unit::Neuron(_) => Feature::Neuron,
        Unit::Layer => Feature::Layer,
        Unit::Direction(_) => {
            let all = units.iter().flat_map(|unit| if let Unit::Direction(v) = unit { v.clone() } else { vec![] });
            Feature::Direction(all.map(|v| v as f32).collect())
        }
    };
    let (ledger, _) = rig.ledger(n, &[objective_columns()], &[vec![f32::NAN, 0.5]], 1)?;
    feature.record(&mut rig.rec, "term", read, &rows, &ledger.slot(0), true)?;
    let again = Read { accumulates: true, ..read };
    feature.record(&mut rig.rec, "term", again, &rows, &ledger.slot(0), false)?;
    ledger.write(&mut rig.rec)?;
    let ready = rig.run()?;
    Ok([ready.history(&ledger, n, 1)?, ready.read(read.dx)?])
}

/// (−wf, 2wf): the weight is a half.
fn values(f: &[f64], weights: &[f64]) -> Tensor {
    let row = |(f, w): (&f64, &f64)| [-w * f, 2.0 * w * f];
    Tensor::new([f.len(), 2, 1, 1], f.iter().zip(weights).flat_map(row).collect())
}

/// Twice −weight·w·df/dx.
fn weighted(dx: &Tensor, weights: &[f64]) -> Tensor {
    let data = dx.indices().zip(&dx.data).map(|([n, ..], d)| -weights[n] * d);
    Tensor::new(dx.shape, data.collect())
}

/// One kind of unit for three images, each its own.
fn units([_, c, h, w]: [usize; 4]) -> [(&'static str, Vec<Unit>); 4] {
    let neuron = |i: usize| Unit::Neuron([c - 1 - i % c, (i * 5) % h, w - 1 - i % w]);
    let mut random = Random(9);
    let mut direction = || Unit::Direction(random.vec(c, -1.0, 1.0));
    [
        ("channel", (0..3).map(|i| Unit::Channel((i * 7) % c)).collect()),
        ("neuron", (0..3).map(neuron).collect()),
        ("direction", (0..3).map(|_| direction()).collect()),
        ("layer", vec![Unit::Layer; 3]),
    ]
}

fn magnitudes(units: &[Unit]) -> Vec<Unit> {
    let positive = |unit: &Unit| match unit {
        Unit::Direction(v) => Unit::Direction(v.iter().map(|v| v.abs()).collect()),
        other => other.clone(),
    };
    units.iter().map(positive).collect()
}

#[test]
fn feature() {
    let mut table = Table::new("feature");
    // Planes of less than a workgroup's lanes, as many, more; channels likewise.
    for shape in [[3, 5, 7, 3], [2, 63, 8, 8], [1, 65, 5, 13], [3, 1, 1, 1], [2, 10, 1, 1], [3, 4, 17, 9]] {
        let mut random = Random(shape[1] as u64);
        let [x, before] = [0; 2].map(|_| random.tensor(shape, -1.0, 1.0));
        for (kind, units) in units(shape) {
            let (units, weights) = (&units[..shape[0]], &WEIGHTS[..shape[0]]);
            let name = format!("{kind} {}", by(&shape));
            let (sizes, signs) = (magnitudes(units), weights.iter().map(|w| w.abs()).collect::<Vec<_>>());
            let d_size = weighted(&twin::backward(&x.map(f64::abs), &sizes), &signs).map(f64::abs);
            table.case(format!("values {name}"), || {
                let [got, _] = step(&x, units, weights, None)?;
                let size = values(&twin::forward(&x.map(f64::abs), &sizes), &signs).map(f64::abs);
                let k = root(shape[2] * shape[3]) + root(shape[1]) + 6.0;
                close("values", &got, &values(&twin::forward(&x, units), weights), &size, k)
            });
            let want = weighted(&twin::backward(&x, units), weights);
            // The product of four factors, and a division that may err by 2.5 units in the last place.
            table.case(format!("dx {name}"), || close("dx", &step(&x, units, weights, None)?[1], &want, &d_size, 6.0));
            table.case(format!("dx {name} +add"), || {
                let [_, dx] = step(&x, units, weights, Some(&before))?;
                close("dx", &dx, &want.zip(&before, |d, b| d + b), &d_size.map(|d| d + 1.0), 6.0)
            });
            if shape == [3, 5, 7, 3] {
                table.case(format!("differences {name}"), || {
                    let [_, dx] = step(&x, units, weights, None)?;
                    let f =
                        |x: &Tensor| -> f64 { twin::forward(x, units).iter().zip(weights).map(|(f, w)| -w * f).sum() };
                    gradient(&dx, &x, &d_size, 6.0, f)
                });
                table.case(format!("batch {name}"), || {
                    batch_independent(|n| {
                        let units: Vec<Unit> = n.iter().map(|&n| units[n].clone()).collect();
                        let weights: Vec<f64> = n.iter().map(|&n| weights[n]).collect();
                        Ok(step(&images(&x, n), &units, &weights, None)?.into())
                    })
                });
            }
        }
    }
    table.case("nan", || {
        let mut x = Random(1).tensor([2, 3, 4, 5], -1.0, 1.0);
        x.data[17] = f64::NAN;
        let [values, _] = step(&x, &[Unit::Layer, Unit::Layer], &[1.0, 1.0], None)?;
        let lost: Vec<bool> = values.data.iter().map(|v| v.is_nan()).collect();
        let want = [true, true, false, false];
        if lost == want { Ok(()) } else { Err(format!("{values:?}: only image 0 has a NaN").into()) }
    });
    table.case("a place that is not there", || {
        let x = Random(1).tensor([1, 3, 4, 5], -1.0, 1.0);
        refused("a channel", step(&x, &[Unit::Channel(3)], &[1.0], None), "which has no position 0 in channel 3")?;
        refused("a place", step(&x, &[Unit::Neuron([2, 4, 0])], &[1.0], None), "which has no position 20 in channel 2")
    });
    table.finish();
}
