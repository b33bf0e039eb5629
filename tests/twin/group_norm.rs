//! group_norm and layer_norm: y = z w + b, z = (x − mean) / √(variance + eps), both over rows of neighbouring elements;
//! dx = (g − mean(g) − z mean(g z)) / √(variance + eps), g = dy w.

/// The elements of a row, and for each element of x the one of w and b that it has.
pub(crate) struct Rows {
    pub(crate) len: usize,
    pub(crate) place: Vec<usize>,
}

impl Rows {
    /// Over the channels of a group and all that comes after: `[N,C,inner]`.
    pub(crate) fn groups(n: usize, channels: usize, inner: usize, groups: usize) -> Self {
        let place = (0..n * channels * inner).map(|i| i / inner % channels).collect();
        Self { len: channels / groups * inner, place }
    }

    /// Over the last elements.
    pub(crate) fn last(elements: usize, len: usize) -> Self {
        Self { len, place: (0..elements).map(|i| i % len).collect() }
    }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// z of a row, and 1/√(variance + eps).
fn normalized(x: &[f64], eps: f64) -> (Vec<f64>, f64) {
    let middle = mean(x);
    let variance = mean(&x.iter().map(|x| (x - middle) * (x - middle)).collect::<Vec<_>>());
    let r = 1.0 / (variance + eps).sqrt();
    (x.iter().map(|x| (x - middle) * r).collect(), r)
}

pub(crate) fn forward(x: &[f64], rows: &Rows, w: Option<&[f64]>, b: Option<&[f64]>, eps: f64) -> Vec<f64> {
    let z: Vec<f64> = x.chunks(rows.len).flat_map(|row| normalized(row, eps).0).collect();
    let of = |values: Option<&[f64]>, i: usize, none: f64| values.map_or(none, |values| values[rows.place[i]]);
    z.iter().enumerate().map(|(i, z)| z * of(w, i, 1.0) + of(b, i, 0.0)).collect()
}

pub(crate) fn backward(dy: &[f64], x: &[f64], rows: &Rows, w: Option<&[f64]>, eps: f64) -> Vec<f64> {
    let g: Vec<f64> = dy.iter().enumerate().map(|(i, dy)| dy * w.map_or(1.0, |w| w[rows.place[i]])).collect();
    let of_row = |(g, x): (&[f64], &[f64])| -> Vec<f64> {
        let (z, r) = normalized(x, eps);
        let along = mean(&g.iter().zip(&z).map(|(g, z)| g * z).collect::<Vec<_>>());
        g.iter().zip(&z).map(|(gi, zi)| r * (gi - mean(g) - zi * along)).collect()
    };
    g.chunks(rows.len).zip(x.chunks(rows.len)).flat_map(of_row).collect()
}
