//! class_terms: weighted sums of terms on classes.

use protogpu::method::losses::{ClassRow, ClassTerms};

use crate::tests::harness::{Outcome, Rig, Table, batch_independent, close, gradient, images, objective_columns};
use crate::tests::twin::Tensor;
use crate::tests::twin::class_terms::{self as twin, Form, Term};
use crate::tests::twin::random::Random;

/// As in class_logit: exp may err by 19 units in the last place, in numerator and denominator alike.
const K: f64 = 64.0;

/// history `[N,2,1,1]`, the weighted loss and the objective; and dx.
fn step(z: &Tensor, terms: &[Vec<Term>]) -> Outcome<[Tensor; 2]> {
    let mut rig = Rig::default();
    let (n, read) = (z.shape[0], rig.source(z, None));
    let row =
        |&(weight, class, form): &Term| ClassRow { weight: weight as f32, class: class as u32, form: form as u32 };
    let rows = terms.iter().flatten().map(row).collect();
    let (ledger, _) = rig.ledger(n, &[objective_columns()], &[vec![f32::NAN, 0.5]], 1)?;
    ClassTerms { rows }.step(&mut rig.rec, "terms", read, &ledger.slot(0))?;
    ledger.write(&mut rig.rec)?;
    let ready = rig.run()?;
    Ok([ready.history(&ledger, n, 1)?, ready.read(read.dx)?])
}

fn twin_history(z: &Tensor, terms: &[Vec<Term>]) -> Tensor {
    let rows = twin::forward(z, terms).into_iter().flat_map(|f| [-0.5 * f, f]);
    Tensor::new([z.shape[0], 2, 1, 1], rows.collect())
}

fn loss(z: &Tensor, terms: &[Vec<Term>]) -> f64 {
    -0.5 * twin::forward(z, terms).iter().sum::<f64>()
}

fn twin_gradient(z: &Tensor, terms: &[Vec<Term>]) -> Tensor {
    twin::backward(z, terms).map(|f| -0.5 * f)
}

#[test]
fn class_terms() {
    let mut table = Table::new("class_terms");
    let forms = [Form::Logit, Form::Probability, Form::LogProbability];
    for [n, k] in [[2, 10], [3, 63], [1, 64], [2, 65], [3, 1000], [1, 1]] {
        let z = Random(k as u64).tensor([n, k, 1, 1], -4.0, 4.0);
        // Each form alone, then several forms, two of them for one class.
        let alone = forms.map(|form| vec![(1.5, k / 2, form)]);
        let sum = vec![
            (0.75, 0, Form::Logit),
            (-3.0, k - 1, Form::Probability),
            (0.5, k / 3, Form::LogProbability),
            (-0.25, 0, Form::Logit),
            (2.0, k - 1, Form::LogProbability),
        ];
        for (i, terms) in alone.into_iter().chain([sum]).enumerate() {
            // Every image has its own classes.
            let own =
                |n: usize| terms.iter().map(|&(w, class, form)| (w, (class + n) % k, form)).collect::<Vec<Term>>();
            let terms: Vec<Vec<Term>> = (0..n).map(own).collect();
            // |log p| is at most 8 + log K; every other part is smaller than a logit.
            let most: f64 = 1.0 + terms[0].iter().map(|(w, ..)| w.abs() * 15.0).sum::<f64>();
            let slope: f64 = 1.0 + terms[0].iter().map(|(w, ..)| w.abs()).sum::<f64>();
            let (v_size, d_size) = (Tensor::filled([n, 2, 1, 1], most), Tensor::filled(z.shape, slope));
            table.case(format!("history {i} {n}x{k}"), || {
                close("history", &step(&z, &terms)?[0], &twin_history(&z, &terms), &v_size, K)
            });
            table.case(format!("dx {i} {n}x{k}"), || {
                close("dx", &step(&z, &terms)?[1], &twin_gradient(&z, &terms), &d_size, K)
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
        let [history, _] = step(&z, &[vec![(1.0, 0, Form::Logit)], vec![(1.0, 0, Form::Logit)]])?;
        let lost: Vec<bool> = history.data.iter().map(|v| v.is_nan()).collect();
        let want = [true, true, false, false];
        if lost == want { Ok(()) } else { Err(format!("{history:?}: only image 0 has a NaN").into()) }
    });
    table.finish();
}
