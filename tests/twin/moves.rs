//! moves: y[k] = x[p(k)], or a number where p(k) lies outside of x; dx[p(k)] += dy[k]. p by its formula for each op.

use super::nd::Nd;

/// Where along each axis of x the element `k` of y is read, and the number that stands in for those outside; `shape` is that of x.
pub(crate) type Place = Box<dyn Fn(&[usize]) -> Vec<i64>>;

/// y[k] = x[p(k)].
pub(crate) fn forward(x: &Nd, shape: &[usize], p: &Place, value: f64) -> Nd {
    let mut y = Nd::filled(shape, value);
    for (i, k) in y.indices().iter().enumerate() {
        if let Some(at) = inside(x, &p(k)) {
            y.data[i] = x.data[at];
        }
    }
    y
}

pub(crate) fn backward(dy: &Nd, x: &Nd, p: &Place) -> Nd {
    let mut dx = Nd::filled(&x.shape, 0.0);
    for (i, k) in dy.indices().iter().enumerate() {
        if let Some(at) = inside(x, &p(k)) {
            dx.data[at] += dy.data[i];
        }
    }
    dx
}

fn inside(x: &Nd, p: &[i64]) -> Option<usize> {
    assert_eq!(p.len(), x.shape.len());
    let inside = p.iter().zip(&x.shape).all(|(&at, &extent)| (0..extent as i64).contains(&at));
    inside.then(|| p.iter().zip(&x.shape).fold(0, |all, (&at, &extent)| all * extent + at as usize))
}

/// Every axis by itself: `axis` is read at `of(k[axis])`, the others at k.
pub(crate) fn along(axis: usize, of: impl Fn(i64) -> i64 + 'static) -> Place {
    Box::new(move |k| k.iter().enumerate().map(|(i, &k)| if i == axis { of(k as i64) } else { k as i64 }).collect())
}

/// Two axes, one after the other.
pub(crate) fn both(first: Place, second: Place) -> Place {
    Box::new(move |k| {
        let (a, b) = (first(k), second(k));
        k.iter().zip(a.into_iter().zip(b)).map(|(&k, (a, b))| if a == k as i64 { b } else { a }).collect()
    })
}

/// The reflection of `at` at both ends of an axis.
pub(crate) fn reflected(at: i64, len: i64) -> i64 {
    let period = 2 * (len - 1);
    let at = at.rem_euclid(period);
    if at < len { at } else { period - at }
}
