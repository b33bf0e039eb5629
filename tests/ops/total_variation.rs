//! total_variation: value and gradient in the four forms, also of flat images and of one row or column.

use protogpu::method::TvForm;
use protogpu::method::losses::TotalVariation;

use crate::tests::harness::{Outcome, Table, batch_independent, by, close, gradient, images, root, run_term};
use crate::tests::twin::Tensor;
use crate::tests::twin::random::Random;
use crate::tests::twin::total_variation::{self, Form};

const FORMS: [(TvForm, Form); 4] = [
    (TvForm::L1, Form::L1),
    (TvForm::L2, Form::L2),
    (TvForm::L1Sum, Form::L1Sum),
    (TvForm::Isotropic, Form::Isotropic),
];

/// Exact as f32.
const W_HF: f64 = 0.75;

/// The weighted loss and the loss, [N,2,1,1], and dx + w_hf·dL/dx.
fn step(x: &Tensor, form: TvForm, dx: &Tensor) -> Outcome<[Tensor; 2]> {
    run_term(&TotalVariation { form, weight: 0.0, start: 0.0 }, W_HF as f32, x, Some(dx))
}

fn accumulated(x: &Tensor, form: TvForm, dx: &Tensor) -> Outcome<Tensor> {
    step(x, form, dx).map(|[_, dx]| dx)
}

/// The most that one element of the gradient adds up: four differences of at most 1 each.
fn size([_, c, h, w]: [usize; 4], form: Form) -> f64 {
    let mean = |count: usize| 1.0 / count.max(1) as f64;
    let scales = mean(c * h * (w - 1)) + mean(c * (h - 1) * w);
    match form {
        Form::L1 => 2.0 * scales,
        Form::L2 => 4.0 * scales,
        Form::L1Sum | Form::Isotropic => 4.0,
    }
}

/// A root may err by 3 units in the last place and a quotient by 2.5; the rest is a sum of four.
const K: f64 = 8.0;

#[test]
fn forms() {
    let mut table = Table::new("total_variation");
    // Around the 64 columns that a workgroup takes at a time; one row, one column, one pixel.
    for shape in [[2, 3, 5, 7], [1, 1, 3, 63], [2, 2, 2, 64], [1, 1, 4, 65], [3, 1, 2, 130], [2, 1, 1, 9], [1, 2, 9, 1]]
    {
        let mut random = Random(1);
        let x = random.tensor(shape, 0.0, 1.0);
        let before = random.tensor(shape, -1.0, 1.0);
        for (form, twin) in FORMS {
            let name = format!("{form} {}", by(&shape));
            table.case(format!("value {name}"), || {
                let [got, _] = step(&x, form, &before)?;
                let both = total_variation::forward(&x, twin).into_iter().flat_map(|value| [W_HF * value, value]);
                let want = Tensor::new([shape[0], 2, 1, 1], both.collect());
                // All terms are positive, so the sum is its own magnitude.
                close("loss, loss_hf", &got, &want, &want, root(shape[3]) + root(shape[1] * shape[2]) + K)
            });
            table.case(format!("gradient {name}"), || {
                let want = total_variation::backward(&x, twin).zip(&before, |g, dx| dx + W_HF * g);
                let size = before.map(|dx| dx.abs() + size(shape, twin));
                close("dx", &accumulated(&x, form, &before)?, &want, &size, K)
            });
        }
    }
    table.finish();
}

#[test]
fn flat_images_pull_nowhere() {
    let mut table = Table::new("total_variation");
    let shape = [2, 3, 5, 7];
    let (x, zero) = (Tensor::filled(shape, 0.5), Tensor::zeros(shape));
    for (form, _) in FORMS {
        table.case(format!("gradient {form} flat"), || close("dx", &accumulated(&x, form, &zero)?, &zero, &zero, 0.0));
    }
    table.finish();
}

#[test]
fn differences_and_batch() {
    let mut table = Table::new("total_variation");
    let shape = [3, 2, 4, 5];
    let mut random = Random(3);
    let x = random.tensor(shape, 0.0, 1.0);
    let before = random.tensor(shape, -1.0, 1.0);
    for (form, twin) in FORMS {
        let name = format!("{form} {}", by(&shape));
        // The value of each image, times the weight that the schedule gives.
        table.case(format!("differences {name}"), || {
            let dx = accumulated(&x, form, &Tensor::zeros(shape))?;
            let f = |x: &Tensor| W_HF * total_variation::forward(x, twin).iter().sum::<f64>();
            gradient(&dx, &x, &Tensor::filled(shape, size(shape, twin)), K, f)
        });
        table.case(format!("batch {name}"), || {
            batch_independent(|n| {
                let x = images(&x, n);
                step(&x, form, &images(&before, n)).map(Vec::from)
            })
        });
    }
    table.finish();
}
