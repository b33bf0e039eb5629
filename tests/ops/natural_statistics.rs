//! natural_statistics: the distance of a module's channels from those of photographs, value and gradient.

use std::sync::Arc;

use protogpu::method::losses::{NaturalChannel, NaturalForm, NaturalLayer, NaturalSide, NaturalStatistics, Source};
use protogpu::ops::Format;

use crate::tests::harness::{
    Outcome, Table, batch_independent, by, close, formats, gradient, images, refused, root, run_term,
    run_term_over_texels,
};
use crate::tests::twin::natural_statistics::{self as twin, Form, Natural, Side};
use crate::tests::twin::random::Random;
use crate::tests::twin::{Tensor, natural_statistics};

/// Exact as f32.
const WEIGHT: f64 = 0.75;
const WEIGHTS: [f64; 2] = [0.5, 2.0];

/// Products and sums of a slope, its root, and the sum with what came before.
const K: f64 = 24.0;

/// Numbers that f32 holds: of means about 0 and variances about a twelfth, as those of x are.
fn channels(count: usize) -> Vec<Natural> {
    let mut random = Random(7);
    let draws = random.tensor([count, 4, 1, 1], 0.25, 1.0);
    draws
        .data
        .chunks(4)
        .map(|of| [of[0] - 0.5, 0.25 * of[1], 2.0 * of[2], 4.0 * of[3]].map(|x| f64::from(x as f32)))
        .collect()
}

fn term(natural: &[Natural], form: Form) -> NaturalStatistics {
    let channel = |&[m, s, km, kv]: &Natural| {
        let [mean, variance, mean_scale, variance_scale] = [m, s, km, kv].map(|x| x as f32);
        NaturalChannel { mean, variance, mean_scale, variance_scale }
    };
    let channels: Arc<[NaturalChannel]> = natural.iter().map(channel).collect();
    NaturalStatistics {
        layers: vec![NaturalLayer { source: Source::Image, channels }],
        // The other forms of lengths differ from it in their factors only, see tests/statistics.rs.
        form: if form.squares { NaturalForm::Relative } else { NaturalForm::Spread },
        side: match form.side {
            Side::Both => NaturalSide::Both,
            Side::Below => NaturalSide::Below,
            Side::Above => NaturalSide::Above,
        },
        weight: 0.0,
        mean_weight: form.weights[0] as f32,
        variance_weight: form.weights[1] as f32,
    }
}

/// The weighted loss and the loss `[N,2,1,1]`, and dx.
fn step(x: &Tensor, natural: &[Natural], form: Form, before: Option<&Tensor>) -> Outcome<[Tensor; 2]> {
    run_term(&term(natural, form), WEIGHT as f32, x, before)
}

/// The same over texels.
fn over_texels(x: &Tensor, natural: &[Natural], form: Form) -> Outcome<[Tensor; 2]> {
    run_term_over_texels(&term(natural, form), WEIGHT as f32, x)
}

fn forms() -> [(&'static str, Form); 4] {
    let of = |squares, side| Form { squares, weights: WEIGHTS, side };
    [
        ("norms", of(false, Side::Both)),
        ("squares", of(true, Side::Both)),
        ("norms below", of(false, Side::Below)),
        ("squares above", of(true, Side::Above)),
    ]
}

#[test]
fn natural_statistics() {
    let mut table = Table::new("natural_statistics");
    // Around the 64 places and channels that a workgroup takes at a time; several images.
    for shape in [[2, 3, 5, 7], [1, 1, 7, 9], [2, 2, 8, 8], [1, 3, 5, 13], [3, 65, 2, 3], [2, 64, 3, 3], [1, 130, 2, 2]]
    {
        for (form_name, form) in forms() {
            let (name, mut random) = (format!("{} {form_name}", by(&shape)), Random(1));
            let x = random.tensor(shape, -0.5, 0.5);
            let before = random.tensor(shape, -1.0, 1.0);
            let natural = channels(shape[1]);
            let want = natural_statistics::backward(&x, &natural, form).map(|d| WEIGHT * d);
            let plane = (shape[2] * shape[3]) as f64;
            // |u|/|..| and the like are at most 1 and scales at most 4, |x - mean| at most 1.
            let size = Tensor::filled(shape, WEIGHT * (WEIGHTS[0] * 2.0 + WEIGHTS[1] * 4.0 * 3.0) / plane);
            let sums = root(shape[2] * shape[3]) + root(shape[1]) + K;
            table.case(format!("value {name}"), || {
                let both = twin::forward(&x, &natural, form).into_iter().flat_map(|value| [WEIGHT * value, value]);
                let want = Tensor::new([shape[0], 2, 1, 1], both.collect());
                let size = Tensor::filled(want.shape, 8.0 * root(shape[1]));
                close("loss, loss_natural", &step(&x, &natural, form, None)?[0], &want, &size, sums)
            });
            table.case(format!("dx {name}"), || close("dx", &step(&x, &natural, form, None)?[1], &want, &size, sums));
            if formats().contains(&Format::Texels) {
                table.case(format!("texels {name}"), || {
                    let [values, dx] = over_texels(&x, &natural, form)?;
                    let both = twin::forward(&x, &natural, form).into_iter().flat_map(|value| [WEIGHT * value, value]);
                    let want_values = Tensor::new([shape[0], 2, 1, 1], both.collect());
                    let size_of_values = Tensor::filled(want_values.shape, 8.0 * root(shape[1]));
                    close("loss, loss_natural", &values, &want_values, &size_of_values, sums)?;
                    close("dx", &dx, &want, &size, sums)
                });
            }
            table.case(format!("dx {name} +add"), || {
                let [_, dx] = step(&x, &natural, form, Some(&before))?;
                close("dx", &dx, &want.zip(&before, |d, b| d + b), &size.zip(&before, |s, b| s + b.abs()), sums)
            });
            if shape == [2, 3, 5, 7] {
                table.case(format!("differences {name}"), || {
                    let f = |x: &Tensor| WEIGHT * twin::forward(x, &natural, form).iter().sum::<f64>();
                    gradient(&step(&x, &natural, form, None)?[1], &x, &size, sums, f)
                });
            }
            if shape[0] == 3 {
                table.case(format!("batch {name}"), || {
                    batch_independent(|n| Ok(step(&images(&x, n), &natural, form, None)?.into()))
                });
            }
        }
    }
    table.case("no slope where nothing differs", || {
        let x = Tensor::filled([1, 2, 3, 3], 0.5);
        let natural = [[0.5, 0.0, 1.0, 1.0]; 2];
        let [values, dx] = step(&x, &natural, forms()[0].1, None)?;
        let zero = |what, of: &Tensor| close(what, of, &Tensor::zeros(of.shape), &Tensor::filled(of.shape, 1e-30), 1.0);
        zero("values", &values)?;
        zero("dx", &dx)
    });
    table.case("other channels", || {
        let x = Tensor::filled([1, 2, 3, 4], 0.5);
        let error = "natural_statistics 1: x is [1,2,3,4], and there are natural statistics of 3 channels";
        refused("three of two", step(&x, &channels(3), forms()[0].1, None), error)
    });
    table.finish();
}
