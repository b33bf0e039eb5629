//! reduce: y = Σ x, Σ x / terms, max x or min x over some axes. dx = dy, dy / terms, or dy / ties where x is the extreme value.

use super::nd::Nd;

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Kind {
    Sum,
    Mean,
    Max,
    Min,
}

/// The shape of y with the axes at extent 1.
fn kept(shape: &[usize], axes: &[usize]) -> Vec<usize> {
    shape.iter().enumerate().map(|(axis, &extent)| if axes.contains(&axis) { 1 } else { extent }).collect()
}

/// y with the axes at extent 1, and how many elements of x have each extreme value.
pub(crate) fn forward(x: &Nd, axes: &[usize], kind: Kind) -> (Nd, Nd) {
    let shape = kept(&x.shape, axes);
    let start = match kind {
        Kind::Sum | Kind::Mean => 0.0,
        Kind::Max => f64::NEG_INFINITY,
        Kind::Min => f64::INFINITY,
    };
    let mut y = Nd::filled(&shape, start);
    let terms = (x.data.len() / y.data.len()) as f64;
    for (i, index) in x.indices().iter().enumerate() {
        let at = y.at(index);
        y.data[at] = match kind {
            Kind::Sum => y.data[at] + x.data[i],
            Kind::Mean => y.data[at] + x.data[i] / terms,
            Kind::Max => y.data[at].max(x.data[i]),
            Kind::Min => y.data[at].min(x.data[i]),
        };
    }
    let mut ties = Nd::filled(&shape, 0.0);
    for (i, index) in x.indices().iter().enumerate() {
        let at = y.at(index);
        ties.data[at] += f64::from(x.data[i] == y.data[at]);
    }
    (y, ties)
}

/// `dy` has the axes at extent 1.
pub(crate) fn backward(dy: &Nd, x: &Nd, axes: &[usize], kind: Kind) -> Nd {
    let (y, ties) = forward(x, axes, kind);
    let terms = (x.data.len() / y.data.len()) as f64;
    let mut dx = Nd::filled(&x.shape, 0.0);
    for (i, index) in x.indices().iter().enumerate() {
        let at = y.at(index);
        dx.data[i] = match kind {
            Kind::Sum => dy.data[at],
            Kind::Mean => dy.data[at] / terms,
            Kind::Max | Kind::Min => dy.data[at] / ties.data[at] * f64::from(x.data[i] == y.data[at]),
        };
    }
    dx
}
