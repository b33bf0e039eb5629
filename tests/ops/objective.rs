//! objective: class logit and both forms of the probability variance, weighted by the schedule.

use protogpu::method::ScheduleRow;
use protogpu::ops::{Objective, PvForm};

use crate::harness::{Outcome, QUIET, Rig, Table, batch_independent, close, gradient, images};
use crate::twin::probability_variance::{self, Form, softmax};
use crate::twin::random::Random;
use crate::twin::{Tensor, class_logit};

/// The first row would show if the clock were not read. Both weights are exact as f32.
const ROWS: [ScheduleRow; 2] =
    [ScheduleRow { w_class: f32::NAN, w_pv: f32::NAN, ..QUIET }, ScheduleRow { w_class: 0.5, w_pv: 12.0, ..QUIET }];

/// exp may err by 3 + 2|x| units in the last place, here 3 + 2·8, in p's numerator and denominator alike; then a division,
/// squares and sums over up to 16 terms a lane.
const K: f64 = 64.0;

const FORMS: [(PvForm, Form); 2] = [(PvForm::Softmax, Form::Softmax), (PvForm::Logits, Form::Logits)];

/// Exact as f32.
const RIVALS: f64 = 0.75;

/// values [N,4,1,1] and dlogits [N,K,1,1].
fn step(z: &Tensor, class: &[usize], pv_form: PvForm) -> Outcome<[Tensor; 2]> {
    let mut rig = Rig::default();
    let (logits, dlogits) = (rig.input("logits", z), rig.output("dlogits", z.shape));
    let class_of = rig.words("class_of", &class.iter().map(|&c| c as u32).collect::<Vec<_>>());
    let values = rig.output("values", [z.shape[0], 4, 1, 1]);
    let schedule = rig.schedule(&ROWS, 1);
    Objective { pv_form, rivals: RIVALS }.step(&mut rig.rec, logits, class_of, schedule, dlogits, values.id)?;
    let ready = rig.run()?;
    Ok([ready.read(values)?, ready.read(dlogits)?])
}

/// w_class·L_c + w_pv·L_pv, one value an image.
fn losses(z: &Tensor, class: &[usize], form: Form) -> Vec<f64> {
    let [w_class, w_pv] = [ROWS[1].w_class, ROWS[1].w_pv].map(f64::from);
    let pv = probability_variance::forward(z, form);
    class_logit::forward(z, class, RIVALS).iter().zip(pv).map(|(c, pv)| w_class * c + w_pv * pv).collect()
}

fn twin_values(z: &Tensor, class: &[usize], form: Form) -> Tensor {
    let (pv, loss) = (probability_variance::forward(z, form), class_logit::forward(z, class, RIVALS));
    let row = |(n, z): (usize, &[f64])| [pv[n], z[class[n]], softmax(z)[class[n]], loss[n]];
    Tensor::new([z.shape[0], 4, 1, 1], z.data.chunks(z.shape[1]).enumerate().flat_map(row).collect())
}

fn twin_gradient(z: &Tensor, class: &[usize], form: Form) -> Tensor {
    let [w_class, w_pv] = [ROWS[1].w_class, ROWS[1].w_pv].map(f64::from);
    class_logit::backward(z, class, RIVALS)
        .zip(&probability_variance::backward(z, form), |c, pv| w_class * c + w_pv * pv)
}

/// What is added up in `values`: (p + 1/K)² or (z + mean)² for the variance, the logit, the probability.
fn values_size(z: &Tensor, class: &[usize], form: Form) -> Tensor {
    let mean = |v: &[f64], f: &dyn Fn(f64) -> f64| v.iter().map(|&v| f(v)).sum::<f64>() / v.len() as f64;
    let row = |(n, z): (usize, &[f64])| {
        let p = softmax(z);
        let centre = mean(z, &f64::abs);
        let pv = match form {
            Form::Softmax => mean(&p, &|p| (p + 1.0 / z.len() as f64).powi(2)),
            Form::Logits => mean(z, &|z| (z.abs() + centre).powi(2)),
        };
        // log Σ exp z is the largest z and at most log K more.
        let high = z.iter().fold(0.0, |high: f64, z| high.max(z.abs()));
        [pv, z[class[n]].abs(), p[class[n]], z[class[n]].abs() + RIVALS * (high + (z.len() as f64).ln())]
    };
    Tensor::new([z.shape[0], 4, 1, 1], z.data.chunks(z.shape[1]).enumerate().flat_map(row).collect())
}

/// The same for dlogits: w_class at the class, and the two parts of d_pv.
fn gradient_size(z: &Tensor, class: &[usize], form: Form) -> Tensor {
    let [w_class, w_pv] = [ROWS[1].w_class, ROWS[1].w_pv].map(f64::from);
    let row = |(n, z): (usize, &[f64])| -> Vec<f64> {
        let (p, count) = (softmax(z), z.len() as f64);
        let squares: f64 = p.iter().map(|p| p * p).sum();
        let centre = z.iter().map(|z| z.abs()).sum::<f64>() / count;
        let parts = |k: usize| match form {
            Form::Softmax => p[k] * (p[k] + squares),
            Form::Logits => z[k].abs() + centre,
        };
        let here = |k: usize| if k == class[n] { w_class } else { 0.0 };
        (0..z.len()).map(|k| here(k) + w_class * RIVALS * p[k] + w_pv * 2.0 / count * parts(k)).collect()
    };
    Tensor::new(z.shape, z.data.chunks(z.shape[1]).enumerate().flat_map(row).collect())
}

#[test]
fn objective() {
    let mut table = Table::new("objective");
    // Fewer classes than a workgroup has invocations, as many, one more; Imagenette's and ImageNet's.
    for [n, k] in [[2, 10], [3, 63], [1, 64], [2, 65], [3, 1000], [1, 1]] {
        let z = Random(k as u64).tensor([n, k, 1, 1], -4.0, 4.0);
        let class: Vec<usize> = (0..n).map(|n| [k - 1, 0, k / 2][n]).collect();
        for (form, twin) in FORMS {
            table.case(format!("values {form} {n}x{k}"), || {
                let [values, _] = step(&z, &class, form)?;
                close("values", &values, &twin_values(&z, &class, twin), &values_size(&z, &class, twin), K)
            });
            table.case(format!("dlogits {form} {n}x{k}"), || {
                let [_, dlogits] = step(&z, &class, form)?;
                close("dlogits", &dlogits, &twin_gradient(&z, &class, twin), &gradient_size(&z, &class, twin), K)
            });
            if n * k < 50 {
                table.case(format!("differences {form} {n}x{k}"), || {
                    let [_, dlogits] = step(&z, &class, form)?;
                    let f = |z: &Tensor| losses(z, &class, twin).iter().sum();
                    gradient(&dlogits, &z, &gradient_size(&z, &class, twin), K, f)
                });
            }
            if n == 3 {
                table.case(format!("batch {form} {n}x{k}"), || {
                    batch_independent(|n| {
                        let class: Vec<usize> = n.iter().map(|&n| class[n]).collect();
                        Ok(step(&images(&z, n), &class, form)?.into())
                    })
                });
            }
        }
    }
    // Logits of any size: only their differences may reach exp.
    table.case("values softmax of large logits", || {
        let z = Random(4).tensor([2, 10, 1, 1], -4.0, 4.0).map(|z| f64::from(z as f32 + 1000.0));
        let [values, _] = step(&z, &[1, 2], PvForm::Softmax)?;
        let size = values_size(&z, &[1, 2], Form::Softmax);
        close("values", &values, &twin_values(&z, &[1, 2], Form::Softmax), &size, K)
    });
    for (form, _) in FORMS {
        table.case(format!("nan {form}"), || {
            let mut z = Random(5).tensor([2, 70, 1, 1], -4.0, 4.0);
            z.data[69] = f64::NAN;
            let [values, _] = step(&z, &[0, 0], form)?;
            let lost = values.data.iter().map(|v| v.is_nan()).collect::<Vec<_>>();
            let want = [true, false, true, true, false, false, false, false];
            if lost == want { Ok(()) } else { Err(format!("{values:?}: only image 0 has a NaN").into()) }
        });
    }
    table.finish();
}
