//! The twins of the ops over tensors of any rank, and of those with windows and functions of their own, against central differences.

use super::{Random, gradient_matches};
use crate::tests::twin::Tensor;
use crate::tests::twin::activations::{ACTIVATIONS, WITH_PARAMETERS};
use crate::tests::twin::avg_pool2d::{Windows, windows_backward, windows_forward};
use crate::tests::twin::group_norm::{self, Rows};
use crate::tests::twin::max_pool2d::Window;
use crate::tests::twin::nd::Nd;
use crate::tests::twin::reduce::{self, Kind};
use crate::tests::twin::{binary, matmul, moves, softmax};

/// The shape of y, which `gradient_matches` knows only as `[N, rest, 1, 1]`.
fn as_y(y: &Nd) -> impl Fn(&Tensor) -> Nd + use<> {
    let shape = y.shape.clone();
    move |dy| Nd::new(&shape, dy.data.clone())
}

#[test]
fn activations_backward() {
    for activation in ACTIVATIONS.iter().chain(WITH_PARAMETERS) {
        let [lo, hi] = activation.range;
        let x = Random(1).tensor([2, 3, 4, 5], lo, hi);
        gradient_matches(activation.name, &x, |x| activation.forward(x), |dy| activation.backward(dy, &x));
    }
}

#[test]
fn binary_backward() {
    for function in &binary::FUNCTIONS {
        let mut random = Random(2);
        let [[a, b], [c, d]] = function.ranges;
        let x = Nd::random(&mut random, &[2, 3, 1, 4], a, b);
        let z = Nd::random(&mut random, &[2, 1, 5, 4], c, d);
        let of_y = as_y(&binary::forward(function, &x, &z));
        let back = |dy: &Tensor| binary::backward(function, &of_y(dy), &x, &z);
        let name = format!("{} to", function.name);
        let by_x = |v: &Tensor| binary::forward(function, &x.with(v), &z).flat();
        gradient_matches(&format!("{name} x"), &x.flat(), by_x, |dy| back(dy)[0].flat());
        let by_z = |v: &Tensor| binary::forward(function, &x, &z.with(v)).flat();
        gradient_matches(&format!("{name} z"), &z.flat(), by_z, |dy| back(dy)[1].flat());
    }
}

#[test]
fn windows_of_means_backward() {
    let fixed =
        |pad, ceil_mode, counted| Windows::Fixed(Window { kernel: [3, 2], stride: [2, 3], pad, ceil_mode }, counted);
    for windows in [
        fixed([1, 0, 1, 1], true, true),
        fixed([1, 0, 1, 1], true, false),
        fixed([0; 4], false, true),
        Windows::Adaptive([3, 4]),
        Windows::Adaptive([7, 2]),
    ] {
        let x = Random(3).tensor([2, 2, 5, 7], -1.0, 1.0);
        let back = |dy: &Tensor| windows_backward(dy, x.shape, windows);
        gradient_matches(&format!("{windows:?}"), &x, |x| windows_forward(x, windows), back);
    }
}

#[test]
fn reductions_backward() {
    for (kind, axes) in [(Kind::Sum, &[1, 3][..]), (Kind::Mean, &[2]), (Kind::Max, &[1, 2]), (Kind::Min, &[3])] {
        let x = Nd::random(&mut Random(4), &[2, 3, 4, 5], -1.0, 1.0);
        let of_y = as_y(&reduce::forward(&x, axes, kind).0);
        let forward = |v: &Tensor| reduce::forward(&x.with(v), axes, kind).0.flat();
        let back = |dy: &Tensor| reduce::backward(&of_y(dy), &x, axes, kind).flat();
        gradient_matches(&format!("{kind:?}"), &x.flat(), forward, back);
    }
}

#[test]
fn moves_backward() {
    let x = Nd::random(&mut Random(5), &[2, 5, 3], -1.0, 1.0);
    for (name, shape, place) in [
        ("reflect", [2, 9, 3], moves::along(1, |k| moves::reflected(k - 2, 5))),
        ("outside", [2, 9, 3], moves::along(1, |k| k - 3)),
        ("flip", [2, 5, 3], moves::along(1, |k| 4 - k)),
    ] {
        let forward = |v: &Tensor| moves::forward(&x.with(v), &shape, &place, 0.5).flat();
        let back = |dy: &Tensor| moves::backward(&Nd::new(&shape, dy.data.clone()), &x, &place).flat();
        gradient_matches(name, &x.flat(), forward, back);
    }
    assert_eq!([-2, -1, 0, 4, 5, 6].map(|at| moves::reflected(at, 5)), [2, 1, 0, 4, 3, 2]);
}

#[test]
fn softmax_norms_and_products_backward() {
    let mut random = Random(6);
    let x = Nd::random(&mut random, &[2, 4, 3], -2.0, 2.0);
    for log in [false, true] {
        let forward = |v: &Tensor| softmax::forward(&x.with(v), 1, log).flat();
        let back = |dy: &Tensor| softmax::backward(&x.with(dy), &x, 1, log).flat();
        gradient_matches(&format!("softmax, log {log}"), &x.flat(), forward, back);
    }
    let w = random.vec(4, 0.5, 1.5);
    for rows in [Rows::groups(2, 4, 3, 2), Rows::last(24, 4)] {
        let b = [0.25; 4];
        let forward = |v: &Tensor| {
            x.with(&Tensor::new(v.shape, group_norm::forward(&v.data, &rows, Some(&w), Some(&b), 1e-3))).flat()
        };
        let back = |dy: &Tensor| {
            x.with(&Tensor::new(dy.shape, group_norm::backward(&dy.data, &x.data, &rows, Some(&w), 1e-3))).flat()
        };
        gradient_matches("norm", &x.flat(), forward, back);
    }
    let [a, b] = [[2, 3, 2, 4], [2, 1, 4, 3]].map(|shape| Nd::random(&mut random, &shape, -1.0, 1.0));
    let of_y = as_y(&matmul::forward(&a, &b));
    let back = |dy: &Tensor| matmul::backward(&of_y(dy), &a, &b);
    gradient_matches("matmul to x", &a.flat(), |v| matmul::forward(&a.with(v), &b).flat(), |dy| back(dy)[0].flat());
    gradient_matches("matmul to z", &b.flat(), |v| matmul::forward(&a, &b.with(v)).flat(), |dy| back(dy)[1].flat());
}
