//! objective.weighted: weighted sums of terms on classes, beside the probability variance.

use protogpu::method::ScheduleRow;
use protogpu::ops::{LogitRow, Objective, PvForm};

use crate::harness::{Outcome, QUIET, Rig, Table, batch_independent, close, gradient, images};
use crate::twin::Tensor;
use crate::twin::class_terms::{self as twin, Form, Term};
use crate::twin::probability_variance;
use crate::twin::random::Random;

const ROWS: [ScheduleRow; 2] =
    [ScheduleRow { w_class: f32::NAN, w_pv: f32::NAN, ..QUIET }, ScheduleRow { w_class: 0.5, w_pv: 4.0, ..QUIET }];

/// As of objective.step: exp may err by 19 units in the last place, in numerator and denominator alike.
const K: f64 = 64.0;

/// values [N,4,1,1] and dlogits [N,K,1,1].
fn step(z: &Tensor, terms: &[Vec<Term>]) -> Outcome<[Tensor; 2]> {
    let mut rig = Rig::default();
    let (logits, dlogits) = (rig.input("logits", z), rig.output("dlogits", z.shape));
    let row =
        |&(weight, class, form): &Term| LogitRow { weight: weight as f32, class: class as u32, form: form as u32 };
    // There is a buffer even where there is no term.
    let spare = LogitRow { weight: f32::NAN, class: 0, form: 0 };
    let rows: Vec<LogitRow> = terms.iter().flatten().map(row).chain([spare]).collect();
    let rows = rig.words("terms", protogpu::gpu::bytemuck::cast_slice(&rows));
    let values = rig.output("values", [z.shape[0], 4, 1, 1]);
    let now = rig.schedule(&ROWS, 1);
    let objective = Objective { pv_form: PvForm::Softmax, rivals: 0.0 };
    objective.weighted(&mut rig.rec, logits, (rows, terms[0].len()), now, dlogits, values.id)?;
    let ready = rig.run()?;
    Ok([ready.read(values)?, ready.read(dlogits)?])
}

fn twin_values(z: &Tensor, terms: &[Vec<Term>]) -> Tensor {
    let pv = probability_variance::forward(z, probability_variance::Form::Softmax);
    let row = |(pv, f): (f64, f64)| [pv, f, 0.0, -f];
    Tensor::new([z.shape[0], 4, 1, 1], pv.into_iter().zip(twin::forward(z, terms)).flat_map(row).collect())
}

fn loss(z: &Tensor, terms: &[Vec<Term>]) -> f64 {
    let pv: f64 = probability_variance::forward(z, probability_variance::Form::Softmax).iter().sum();
    4.0 * pv - 0.5 * twin::forward(z, terms).iter().sum::<f64>()
}

fn twin_gradient(z: &Tensor, terms: &[Vec<Term>]) -> Tensor {
    let pv = probability_variance::backward(z, probability_variance::Form::Softmax);
    pv.zip(&twin::backward(z, terms), |pv, f| 4.0 * pv - 0.5 * f)
}

#[test]
fn objective_terms() {
    let mut table = Table::new("objective_terms");
    let forms = [Form::Logit, Form::Probability, Form::LogProbability];
    for [n, k] in [[2, 10], [3, 63], [1, 64], [2, 65], [3, 1000], [1, 1]] {
        let z = Random(k as u64).tensor([n, k, 1, 1], -4.0, 4.0);
        // Each form alone, then several of which two are about one class.
        let alone = forms.map(|form| vec![(1.5, k / 2, form)]);
        let sum = vec![
            (0.75, 0, Form::Logit),
            (-3.0, k - 1, Form::Probability),
            (0.5, k / 3, Form::LogProbability),
            (-0.25, 0, Form::Logit),
            (2.0, k - 1, Form::LogProbability),
        ];
        for (i, terms) in alone.into_iter().chain([sum, Vec::new()]).enumerate() {
            // Every image has its own classes.
            let own =
                |n: usize| terms.iter().map(|&(w, class, form)| (w, (class + n) % k, form)).collect::<Vec<Term>>();
            let terms: Vec<Vec<Term>> = (0..n).map(own).collect();
            // |log p| is at most 8 + log K; every other part is smaller than a logit.
            let most: f64 = 1.0 + terms[0].iter().map(|(w, ..)| w.abs() * 15.0).sum::<f64>();
            let slope: f64 = 1.0 + terms[0].iter().map(|(w, ..)| w.abs()).sum::<f64>();
            let (v_size, d_size) = (Tensor::filled([n, 4, 1, 1], most), Tensor::filled(z.shape, slope));
            table.case(format!("values {i} {n}x{k}"), || {
                close("values", &step(&z, &terms)?[0], &twin_values(&z, &terms), &v_size, K)
            });
            table.case(format!("dlogits {i} {n}x{k}"), || {
                close("dlogits", &step(&z, &terms)?[1], &twin_gradient(&z, &terms), &d_size, K)
            });
            if n * k < 50 {
                table.case(format!("differences {i} {n}x{k}"), || {
                    gradient(&step(&z, &terms)?[1], &z, &d_size, K, |z| loss(z, &terms))
                });
            }
            if n == 3 {
                table.case(format!("batch {i} {n}x{k}"), || {
                    batch_independent(|n| {
                        let terms: Vec<_> = n.iter().map(|&n| terms[n].clone()).collect();
                        Ok(step(&images(&z, n), &terms)?.into())
                    })
                });
            }
        }
    }
    table.case("nan", || {
        let mut z = Random(5).tensor([2, 70, 1, 1], -4.0, 4.0);
        z.data[69] = f64::NAN;
        let [values, _] = step(&z, &[vec![(1.0, 0, Form::Logit)], vec![(1.0, 0, Form::Logit)]])?;
        let lost: Vec<bool> = values.data.iter().map(|v| v.is_nan()).collect();
        let want = [true, true, false, true, false, false, false, false];
        if lost == want { Ok(()) } else { Err(format!("{values:?}: only image 0 has a NaN").into()) }
    });
    table.finish();
}
