//! probability_variance: how unequal the classes are, in both forms.

use protogpu::method::BaselineForm;
use protogpu::method::losses::ProbabilityVariance;

use crate::tests::harness::{Outcome, Table, batch_independent, close, gradient, images, run_term};
use crate::tests::twin::Tensor;
use crate::tests::twin::probability_variance::{self as twin, Form, softmax};
use crate::tests::twin::random::Random;

/// As of class_logit; then squares.
const K: f64 = 64.0;

const FORMS: [(BaselineForm, Form); 2] = [(BaselineForm::Softmax, Form::Softmax), (BaselineForm::Logits, Form::Logits)];

const WEIGHT: f64 = 12.0;

/// The weighted loss `[N,1,1,1]`, and dx.
fn step(z: &Tensor, form: BaselineForm, before: Option<&Tensor>) -> Outcome<[Tensor; 2]> {
    run_term(&ProbabilityVariance { form, weight: 0.0 }, WEIGHT as f32, z, before)
}

fn twin_loss(z: &Tensor, form: Form) -> Tensor {
    Tensor::new([z.shape[0], 1, 1, 1], twin::forward(z, form).into_iter().map(|pv| WEIGHT * pv).collect())
}

/// (p + 1/K)² or (z + mean)², on average.
fn loss_size(z: &Tensor, form: Form) -> Tensor {
    let mean = |v: &[f64], f: &dyn Fn(f64) -> f64| v.iter().map(|&v| f(v)).sum::<f64>() / v.len() as f64;
    let row = |z: &[f64]| {
        let centre = mean(z, &f64::abs);
        WEIGHT
            * match form {
                Form::Softmax => mean(&softmax(z), &|p| (p + 1.0 / z.len() as f64).powi(2)),
                Form::Logits => mean(z, &|z| (z.abs() + centre).powi(2)),
            }
    };
    Tensor::new([z.shape[0], 1, 1, 1], z.data.chunks(z.shape[1]).map(row).collect())
}

fn twin_gradient(z: &Tensor, form: Form) -> Tensor {
    twin::backward(z, form).map(|d| WEIGHT * d)
}

fn gradient_size(z: &Tensor, form: Form) -> Tensor {
    let row = |z: &[f64]| -> Vec<f64> {
        let (p, count) = (softmax(z), z.len() as f64);
        let squares: f64 = p.iter().map(|p| p * p).sum();
        let centre = z.iter().map(|z| z.abs()).sum::<f64>() / count;
        let parts = |k: usize| match form {
            Form::Softmax => p[k] * (p[k] + squares),
            Form::Logits => z[k].abs() + centre,
        };
        (0..z.len()).map(|k| WEIGHT * 2.0 / count * parts(k)).collect()
    };
    Tensor::new(z.shape, z.data.chunks(z.shape[1]).flat_map(row).collect())
}

#[test]
fn probability_variance() {
    let mut table = Table::new("probability_variance");
    for [n, k] in [[2, 10], [3, 63], [1, 64], [2, 65], [3, 1000], [1, 1]] {
        let mut random = Random(k as u64);
        let [z, before] = [0; 2].map(|_| random.tensor([n, k, 1, 1], -4.0, 4.0));
        for (form, twin_form) in FORMS {
            let (want, size) = (twin_gradient(&z, twin_form), gradient_size(&z, twin_form));
            table.case(format!("loss {form} {n}x{k}"), || {
                let [loss, _] = step(&z, form, None)?;
                close("loss", &loss, &twin_loss(&z, twin_form), &loss_size(&z, twin_form), K)
            });
            table.case(format!("dx {form} {n}x{k}"), || close("dx", &step(&z, form, None)?[1], &want, &size, K));
            table.case(format!("dx {form} {n}x{k} +add"), || {
                let [_, dx] = step(&z, form, Some(&before))?;
                close("dx", &dx, &want.zip(&before, |d, b| d + b), &size.zip(&before, |d, b| d + b.abs()), K)
            });
            if n * k < 50 {
                table.case(format!("differences {form} {n}x{k}"), || {
                    let [_, dx] = step(&z, form, None)?;
                    gradient(&dx, &z, &size, K, |z| twin_loss(z, twin_form).data.iter().sum())
                });
            }
            if n == 3 {
                let alone = |n: &[usize]| Ok(step(&images(&z, n), form, None)?.into());
                table.case(format!("batch {form} {n}x{k}"), || batch_independent(alone));
            }
        }
    }
    // Logits of any size: only their differences may reach exp.
    table.case("softmax of large logits", || {
        let z = Random(4).tensor([2, 10, 1, 1], -4.0, 4.0).map(|z| f64::from(z as f32 + 1000.0));
        let [loss, _] = step(&z, BaselineForm::Softmax, None)?;
        close("loss", &loss, &twin_loss(&z, Form::Softmax), &loss_size(&z, Form::Softmax), K)
    });
    for (form, _) in FORMS {
        table.case(format!("nan {form}"), || {
            let mut z = Random(5).tensor([2, 70, 1, 1], -4.0, 4.0);
            z.data[69] = f64::NAN;
            let [loss, _] = step(&z, form, None)?;
            let lost = loss.data.iter().map(|v| v.is_nan()).collect::<Vec<_>>();
            if lost == [true, false] { Ok(()) } else { Err(format!("{loss:?}: only image 0 has a NaN").into()) }
        });
    }
    table.finish();
}
