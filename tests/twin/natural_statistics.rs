//! natural_statistics: with u = km (mean − m) and v = kv (var − s) of each channel, mean and var over its positions,
//! norms: value = a·|u| + b·|v|; squares: value = a·mean(u²) + b·mean(w²), w = √(kv·var) − √(kv·s). x: [N,C,H,W]

use super::Tensor;

/// A channel of photographs: m, s, km, kv.
pub(crate) type Natural = [f64; 4];

/// Which differences of variances count.
#[derive(Clone, Copy)]
pub(crate) enum Side {
    Both,
    Below,
    Above,
}

/// A form of the loss: whether it is of squares, a, b, and which variances count.
#[derive(Clone, Copy)]
pub(crate) struct Form {
    pub(crate) squares: bool,
    pub(crate) weights: [f64; 2],
    pub(crate) side: Side,
}

/// Mean and variance of each channel of each image.
fn moments(x: &Tensor) -> Vec<[f64; 2]> {
    let plane = x.shape[2] * x.shape[3];
    let of = |values: &[f64]| {
        let mean = values.iter().sum::<f64>() / plane as f64;
        [mean, values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / plane as f64]
    };
    x.data.chunks(plane).map(of).collect()
}

fn differences(form: Form, [mean, var]: [f64; 2], [m, s, km, kv]: Natural) -> [f64; 2] {
    let v = if form.squares { (kv * var).sqrt() - (kv * s).sqrt() } else { kv * (var - s) };
    let counts = match form.side {
        Side::Both => true,
        Side::Below => v < 0.0,
        Side::Above => v > 0.0,
    };
    [km * (mean - m), if counts { v } else { 0.0 }]
}

/// One value per image.
pub(crate) fn forward(x: &Tensor, natural: &[Natural], form: Form) -> Vec<f64> {
    let image = |moments: &[[f64; 2]]| {
        let d: Vec<[f64; 2]> = moments.iter().zip(natural).map(|(own, of)| differences(form, *own, *of)).collect();
        let squares = |i: usize| d.iter().map(|d| d[i] * d[i]).sum::<f64>();
        let part = |i| if form.squares { squares(i) / d.len() as f64 } else { squares(i).sqrt() };
        form.weights[0] * part(0) + form.weights[1] * part(1)
    };
    moments(x).chunks(x.shape[1]).map(image).collect()
}

pub(crate) fn backward(x: &Tensor, natural: &[Natural], form: Form) -> Tensor {
    let ([_, channels, h, w], all) = (x.shape, moments(x));
    let lengths: Vec<[f64; 2]> = all
        .chunks(channels)
        .map(|image| {
            let d = image.iter().zip(natural).map(|(own, of)| differences(form, *own, *of));
            d.fold([0.0; 2], |sum, d| [sum[0] + d[0] * d[0], sum[1] + d[1] * d[1]]).map(f64::sqrt)
        })
        .collect();
    let [a, b] = form.weights;
    let slope = |x: f64, n: usize, c: usize| {
        let (own, of) = (all[n * channels + c], natural[c]);
        let ([u, v], [_, _, km, kv]) = (differences(form, own, of), of);
        let along = |d: f64, length: f64| if length > 0.0 { d / length } else { 0.0 };
        let [d_mean, d_var] = if form.squares {
            [2.0 * a * km * u, b * v * (kv / own[1]).sqrt()].map(|d| d / channels as f64)
        } else {
            [a * km * along(u, lengths[n][0]), b * kv * along(v, lengths[n][1])]
        };
        (d_mean + d_var * 2.0 * (x - own[0])) / (h * w) as f64
    };
    let data = x.indices().zip(&x.data).map(|([n, c, ..], x)| slope(*x, n, c));
    Tensor::new(x.shape, data.collect())
}
