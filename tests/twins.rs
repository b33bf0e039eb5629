//! Holds the CPU twins of `tests/twin/` to their formulas: each backward against central differences of its forward, under a random weighting
//! of the outputs, and the linear ones against the adjoint identity. `against_torch` holds them to PyTorch.

#[path = "twins/against_torch.rs"]
mod against_torch;
#[path = "twins/any_rank.rs"]
mod any_rank;

use super::twin::affine_warp::{self, Interpolation, theta_from};
use super::twin::batch_norm::{self, BatchNorm};
use super::twin::check::{assert_adjoint, assert_close, central_differences};
use super::twin::local_response_norm::{self, LocalResponseNorm};
use super::twin::max_pool2d::{self, Window};
use super::twin::random::Random;
use super::twin::{
    Tensor, adam, add, avg_pool2d, class_logit, concat, conv2d, golden, linear, normalize, probability_variance, relu,
    reveal, soft_top_k, total_variation,
};

/// Half the width of a central difference. With values of order 1: truncation 1e-10, cancellation 1e-11.
const STEP: f64 = 1e-5;
/// What both leave, over sums of some hundred terms.
const TOLERANCE: f64 = 1e-7;

/// Compares `backward(dy)` with central differences of ⟨dy, forward(x)⟩ for a random dy.
#[track_caller]
fn gradient_matches(what: &str, x: &Tensor, forward: impl Fn(&Tensor) -> Tensor, backward: impl Fn(&Tensor) -> Tensor) {
    let dy = Random(99).tensor(forward(x).shape, -1.0, 1.0);
    let expected = central_differences(x, STEP, |x| dy.dot(&forward(x)));
    let dx = backward(&dy);
    assert_eq!(dx.shape, x.shape, "{what}");
    assert_close(what, &dx.data, &expected.data, TOLERANCE, TOLERANCE);
}

/// Values that all differ from one another and from 0 by more than a difference's step, in random order: for ops with corners.
fn distinct(shape: [usize; 4], random: &mut Random) -> Tensor {
    let len: usize = shape.iter().product();
    let mut data: Vec<f64> = (0..len).map(|i| (i as f64 + 0.5) / len as f64 * 2.0 - 1.0 + 1e-4).collect();
    for i in (1..len).rev() {
        data.swap(i, random.below(i + 1));
    }
    Tensor::new(shape, data)
}

/// The shapes of x and w, stride, pad.
type ConvCase = ([usize; 4], [usize; 4], [usize; 2], [usize; 4]);

/// Odd and all different, one column, a window as large as its input, padding as wide as the kernel less one.
const CONVS: [ConvCase; 6] = [
    ([2, 3, 5, 7], [4, 3, 3, 3], [1, 1], [1, 1, 1, 1]),
    ([1, 2, 7, 5], [3, 2, 3, 2], [2, 3], [1, 0, 0, 2]),
    ([2, 1, 6, 9], [2, 1, 7, 5], [2, 2], [3, 1, 2, 3]),
    ([1, 5, 4, 3], [2, 5, 1, 1], [2, 1], [0, 0, 0, 0]),
    ([1, 2, 8, 1], [1, 2, 4, 1], [3, 5], [3, 0, 1, 0]),
    ([3, 2, 3, 4], [2, 2, 3, 4], [1, 1], [0, 0, 0, 0]),
];

#[test]
fn conv2d_backward() {
    for (i, (x_shape, w_shape, stride, pad)) in CONVS.into_iter().enumerate() {
        let what = format!("conv2d {x_shape:?} {w_shape:?} stride {stride:?} pad {pad:?}");
        let mut random = Random(i as u64);
        let x = random.tensor(x_shape, -1.0, 1.0);
        let w = random.tensor(w_shape, -1.0, 1.0);
        let b = random.vec(w_shape[0], -1.0, 1.0);
        gradient_matches(
            &what,
            &x,
            |x| conv2d::forward(x, &w, Some(&b), stride, pad),
            |dy| conv2d::backward(dy, &w, x_shape, stride, pad),
        );
        let y = conv2d::forward(&x, &w, None, stride, pad);
        let dy = random.tensor(y.shape, -1.0, 1.0);
        assert_adjoint(&what, &x, &y, &dy, &conv2d::backward(&dy, &w, x_shape, stride, pad));
    }
}

#[test]
fn conv2d_with_groups_and_dilation_backward() {
    let mut random = Random(30);
    for (groups, dilation) in [(1, [2, 3]), (2, [1, 1]), (4, [1, 2])] {
        let window = conv2d::Window { stride: [2, 1], pad: [1, 2, 0, 3], dilation, groups };
        let (x, w) = (random.tensor([2, 4, 7, 8], -1.0, 1.0), random.tensor([8, 4 / groups, 3, 2], -1.0, 1.0));
        let name = format!("conv2d {window:?}");
        gradient_matches(&name, &x, |x| window.forward(x, &w, None), |dy| window.backward(dy, &w, [2, 4, 7, 8]));
        // Groups are convolutions beside each other, and dilation is a window with zeros between its taps.
        let y = window.forward(&x, &w, None);
        let shape = [8, 4, 2 * dilation[0] + 1, dilation[1] + 1];
        let mut wide = Tensor::zeros(shape);
        for [o, c, kh, kw] in w.indices() {
            wide[[o, o / (8 / groups) * (4 / groups) + c, kh * dilation[0], kw * dilation[1]]] = w[[o, c, kh, kw]];
        }
        assert_eq!(conv2d::forward(&x, &wide, None, window.stride, window.pad).data, y.data, "{name}");
    }
}

#[test]
fn soft_top_k_backward() {
    let mut random = Random(20);
    let (x, areas) = (random.tensor([2, 1, 3, 5], -2.0, 2.0), [0.25, 0.1]);
    let y = soft_top_k::forward(&x, &areas);
    gradient_matches("soft_top_k", &x, |x| soft_top_k::forward(x, &areas), |dy| soft_top_k::backward(dy, &y));
}

#[test]
fn reveal_backward() {
    let mut random = Random(21);
    for (shape, cells) in [([2, 3, 5, 7], [2, 3]), ([1, 1, 4, 4], [4, 1])] {
        let [x, b] = [0; 2].map(|_| random.tensor(shape, 0.0, 1.0));
        let mask = random.tensor([shape[0], 1, cells[0], cells[1]], 0.0, 1.0);
        let name = format!("reveal {shape:?} {cells:?}");
        gradient_matches(&name, &mask, |m| reveal::forward(&x, &b, m), |dy| reveal::backward(dy, &x, &b, cells));
    }
}

#[test]
fn batch_norm_backward() {
    let mut random = Random(10);
    let x = random.tensor([2, 3, 4, 5], -2.0, 2.0);
    let p = BatchNorm {
        mean: random.vec(3, -1.0, 1.0),
        var: random.vec(3, 0.1, 2.0),
        weight: random.vec(3, -1.0, 1.0),
        bias: random.vec(3, -1.0, 1.0),
        eps: 1e-3,
    };
    gradient_matches("batch_norm", &x, |x| batch_norm::forward(x, &p), |dy| batch_norm::backward(dy, &p));
}

#[test]
fn relu_backward() {
    let x = distinct([2, 3, 4, 5], &mut Random(11));
    gradient_matches("relu", &x, relu::forward, |dy| relu::backward(dy, &x));
    gradient_matches("relu from y", &x, relu::forward, |dy| relu::backward(dy, &relu::forward(&x)));
    let at_zero = relu::backward(&Tensor::filled([1; 4], 1.0), &Tensor::zeros([1; 4]));
    assert_eq!(at_zero.data, [0.0]);
}

#[test]
fn add_backward() {
    let mut random = Random(12);
    let [a, b] = [0, 1].map(|_| random.tensor([2, 2, 3, 3], -1.0, 1.0));
    gradient_matches("add to a", &a, |a| add::forward(a, &b), |dy| add::backward(dy)[0].clone());
    gradient_matches("add to b", &b, |b| add::forward(&a, b), |dy| add::backward(dy)[1].clone());
}

#[test]
fn max_pool2d_backward() {
    let cases = [
        ([2, 3, 7, 9], Window { kernel: [3, 3], stride: [2, 2], pad: [1, 1, 1, 1], ceil_mode: false }),
        ([1, 2, 8, 6], Window { kernel: [3, 3], stride: [2, 2], pad: [0, 0, 0, 0], ceil_mode: true }),
        ([1, 1, 6, 5], Window { kernel: [3, 2], stride: [1, 3], pad: [0, 1, 1, 0], ceil_mode: true }),
        ([2, 1, 4, 4], Window { kernel: [2, 2], stride: [3, 3], pad: [0, 0, 0, 0], ceil_mode: true }),
    ];
    for (shape, window) in cases {
        let x = distinct(shape, &mut Random(13));
        let argmax = max_pool2d::forward(&x, window).1;
        gradient_matches(
            &format!("max_pool2d {shape:?} {window:?}"),
            &x,
            |x| max_pool2d::forward(x, window).0,
            |dy| max_pool2d::backward(dy, &argmax, shape),
        );
    }
}

#[test]
fn max_pool2d_ties_go_to_the_first() {
    let window = Window { kernel: [2, 2], stride: [1, 1], pad: [0; 4], ceil_mode: false };
    let x = Tensor::new([1, 1, 2, 3], vec![0.0, 1.0, 1.0, 1.0, 1.0, 1.0]);
    let (y, argmax) = max_pool2d::forward(&x, window);
    assert_eq!(y.data, [1.0, 1.0]);
    assert_eq!(argmax, [1, 1]);
    let dx = max_pool2d::backward(&Tensor::new([1, 1, 1, 2], vec![3.0, 4.0]), &argmax, x.shape);
    assert_eq!(dx.data, [0.0, 7.0, 0.0, 0.0, 0.0, 0.0]);
}

#[test]
fn local_response_norm_backward() {
    let cases = [
        ([2, 7, 2, 3], LocalResponseNorm { size: 5, alpha: 0.5, beta: 0.75, k: 1.0 }),
        ([1, 3, 3, 2], LocalResponseNorm { size: 5, alpha: 0.5, beta: 0.75, k: 1.0 }),
        ([1, 1, 1, 3], LocalResponseNorm { size: 5, alpha: 2.0, beta: 0.75, k: 1.0 }),
        ([1, 6, 3, 1], LocalResponseNorm { size: 4, alpha: 2.0, beta: 0.5, k: 2.0 }),
        ([2, 5, 1, 2], LocalResponseNorm { size: 2, alpha: 2.0, beta: 1.0, k: 0.5 }),
        ([1, 4, 2, 2], LocalResponseNorm { size: 1, alpha: 2.0, beta: 0.75, k: 1.0 }),
    ];
    for (i, (shape, p)) in cases.into_iter().enumerate() {
        let x = Random(24 + i as u64).tensor(shape, -2.0, 2.0);
        gradient_matches(
            &format!("local_response_norm {shape:?} {p:?}"),
            &x,
            |x| local_response_norm::forward(x, &p),
            |dy| local_response_norm::backward(dy, &x, &p),
        );
    }
}

#[test]
fn local_response_norm_by_hand() {
    // An even window reaches further back than ahead: 1 before and 0 after for 2.
    let x = Tensor::new([1, 3, 1, 1], vec![1.0, 2.0, -3.0]);
    let p = LocalResponseNorm { size: 2, alpha: 2.0, beta: 1.0, k: 1.0 };
    assert_eq!(local_response_norm::forward(&x, &p).data, [1.0 / 2.0, 2.0 / 6.0, -3.0 / 14.0]);
}

#[test]
fn concat_backward() {
    let mut random = Random(30);
    let xs = [3, 1, 4].map(|channels| random.tensor([2, channels, 3, 2], -1.0, 1.0));
    for i in 0..xs.len() {
        let with = |x: &Tensor| concat::forward(&std::array::from_fn::<_, 3, _>(|j| if i == j { x } else { &xs[j] }));
        gradient_matches(&format!("concat to {i}"), &xs[i], with, |dy| concat::backward(dy, &[3, 1, 4])[i].clone());
    }
    let y = concat::forward(&xs.each_ref());
    assert_eq!((y[[1, 2, 2, 1]], y[[1, 3, 0, 1]]), (xs[0][[1, 2, 2, 1]], xs[1][[1, 0, 0, 1]]));
}

#[test]
fn avg_pool2d_backward() {
    let x = Random(14).tensor([2, 3, 4, 5], -1.0, 1.0);
    gradient_matches("avg_pool2d", &x, avg_pool2d::forward, |dy| avg_pool2d::backward(dy, x.shape));
    let y = avg_pool2d::forward(&x);
    let dy = Random(15).tensor(y.shape, -1.0, 1.0);
    assert_adjoint("avg_pool2d", &x, &y, &dy, &avg_pool2d::backward(&dy, x.shape));
}

#[test]
fn linear_backward() {
    let mut random = Random(16);
    let x = random.tensor([3, 5, 1, 1], -1.0, 1.0);
    let w = random.tensor([4, 5, 1, 1], -1.0, 1.0);
    let b = random.vec(4, -1.0, 1.0);
    gradient_matches("linear", &x, |x| linear::forward(x, &w, &b), |dy| linear::backward(dy, &w));
    let y = linear::forward(&x, &w, &[0.0; 4]);
    let dy = random.tensor(y.shape, -1.0, 1.0);
    assert_adjoint("linear", &x, &y, &dy, &linear::backward(&dy, &w));
}

#[test]
fn normalize_backward() {
    let mut random = Random(17);
    let x = random.tensor([2, 3, 4, 5], 0.0, 1.0);
    let (mean, std) = (random.vec(3, 0.0, 1.0), random.vec(3, 0.1, 0.5));
    gradient_matches("normalize", &x, |x| normalize::forward(x, &mean, &std), |dy| normalize::backward(dy, &std));
}

/// Maps from torchvision's ranges, one per image, whole-pixel translations that push part of the image out.
fn thetas(images: usize, h: usize, w: usize, random: &mut Random) -> Vec<affine_warp::Theta> {
    let draw = |_| {
        let angle_deg = random.uniform(-180.0, 180.0);
        let tx = random.uniform(-0.5 * w as f64, 0.5 * w as f64).round_ties_even();
        let ty = random.uniform(-0.5 * h as f64, 0.5 * h as f64).round_ties_even();
        theta_from(angle_deg, tx, ty, random.uniform(0.7, 1.3), w, h)
    };
    (0..images).map(draw).collect()
}

#[test]
fn affine_warp_backward() {
    for interpolation in [Interpolation::Bilinear, Interpolation::Nearest] {
        let mut random = Random(18);
        let x = random.tensor([3, 2, 7, 9], -1.0, 1.0);
        let theta = thetas(3, 7, 9, &mut random);
        let fill = [0.3, -0.7];
        let what = format!("affine_warp {interpolation:?}");
        gradient_matches(
            &what,
            &x,
            |x| affine_warp::forward(x, &theta, interpolation, &fill),
            |dy| affine_warp::backward(dy, &theta, interpolation),
        );
        let y = affine_warp::forward(&x, &theta, interpolation, &[0.0, 0.0]);
        let dy = random.tensor(y.shape, -1.0, 1.0);
        assert_adjoint(&what, &x, &y, &dy, &affine_warp::backward(&dy, &theta, interpolation));
    }
}

#[test]
fn affine_warp_special_maps() {
    let x = Random(19).tensor([1, 2, 4, 5], -1.0, 1.0);
    let fill = [0.25, 0.5];
    for interpolation in [Interpolation::Bilinear, Interpolation::Nearest] {
        let warp = |theta| affine_warp::forward(&x, &[theta], interpolation, &fill);
        assert_close("identity", &warp(theta_from(0.0, 0.0, 0.0, 1.0, 5, 4)).data, &x.data, 1e-14, 0.0);
        let far = warp(theta_from(0.0, 50.0, 0.0, 1.0, 5, 4));
        assert!(far.indices().all(|[n, c, h, w]| far[[n, c, h, w]] == fill[c]), "all fill");
        // A positive tx moves the picture to the right.
        let moved = warp(theta_from(0.0, 2.0, -1.0, 1.0, 5, 4));
        for [n, c, h, w] in x.indices() {
            let expected = if w >= 2 && h < 3 { x[[n, c, h + 1, w - 2]] } else { fill[c] };
            assert!((moved[[n, c, h, w]] - expected).abs() < 1e-14, "moved at {h},{w}");
        }
    }
    // Half way between pixels, nearest goes to the even one, on both axes: ½ → 0, 1½ → 2, 2½ → 2, 3½ → 4, which is no row of this image.
    let halves = affine_warp::forward(&x, &[[1.0, 0.0, 0.5, 0.0, 1.0, 0.5]], Interpolation::Nearest, &fill);
    for [n, c, h, w] in x.indices() {
        let (row, column) = ([0, 2, 2, 4][h], [0, 2, 2, 4, 4][w]);
        let expected = if row < 4 { x[[n, c, row, column]] } else { fill[c] };
        assert_eq!(halves[[n, c, h, w]], expected, "half way at {h},{w}");
    }
}

#[test]
fn total_variation_backward() {
    use total_variation::Form;
    for shape in [[2, 3, 4, 5], [1, 2, 1, 6], [1, 1, 5, 1]] {
        let x = distinct(shape, &mut Random(20));
        for form in [Form::L1, Form::L2, Form::L1Sum, Form::Isotropic] {
            gradient_matches(
                &format!("total_variation {form:?} {shape:?}"),
                &x,
                |x| Tensor::new([shape[0], 1, 1, 1], total_variation::forward(x, form)),
                |dy| {
                    let mut dx = total_variation::backward(&x, form);
                    for [n, c, h, w] in dx.indices() {
                        dx[[n, c, h, w]] *= dy[[n, 0, 0, 0]];
                    }
                    dx
                },
            );
        }
    }
}

#[test]
fn total_variation_by_hand() {
    use total_variation::{Form, backward, forward};
    let x = Tensor::new([1, 1, 2, 2], vec![0.0, 3.0, -4.0, -4.0]);
    // Horizontal differences 3 and 0, vertical −4 and −7.
    assert_eq!(forward(&x, Form::L1), [1.5 + 5.5]);
    assert_eq!(forward(&x, Form::L2), [4.5 + 32.5]);
    assert_eq!(forward(&x, Form::L1Sum), [14.0]);
    assert_close("isotropic", &forward(&x, Form::Isotropic), &[5.0 + 7.0 + 1e-4 + 1e-4], 1e-8, 0.0);
    assert_eq!(backward(&x, Form::L1Sum).data, [0.0, 2.0, -1.0, -1.0]);
    let flat = Tensor::filled([1, 3, 4, 4], 0.5);
    for form in [Form::L1, Form::L2, Form::L1Sum, Form::Isotropic] {
        assert!(backward(&flat, form).data.iter().all(|&d| d == 0.0), "{form:?} of a flat image");
    }
}

#[test]
fn probability_variance_backward() {
    use probability_variance::{Form, backward, forward};
    let z = Random(21).tensor([2, 7, 1, 1], -2.0, 2.0);
    for form in [Form::Softmax, Form::Logits] {
        gradient_matches(
            &format!("probability_variance {form:?}"),
            &z,
            |z| Tensor::new([2, 1, 1, 1], forward(z, form)),
            |dy| {
                let mut dz = backward(&z, form);
                for [n, k, _, _] in dz.indices() {
                    dz[[n, k, 0, 0]] *= dy[[n, 0, 0, 0]];
                }
                dz
            },
        );
        // The same for all logits shifted alike, and nothing to gain when all are equal.
        let shifted = backward(&z.map(|z| z + 500.0), form);
        assert_close("shifted", &shifted.data, &backward(&z, form).data, 1e-12, 0.0);
        assert_eq!(forward(&Tensor::zeros([1, 8, 1, 1]), form), [0.0]);
    }
}

#[test]
fn class_logit_backward() {
    let z = Random(22).tensor([2, 5, 1, 1], -2.0, 2.0);
    let classes = [3, 0];
    assert_eq!(class_logit::forward(&z, &classes, 0.0), [-z.data[3], -z.data[5]]);
    // With 1 it is minus the log-probability.
    let p = probability_variance::softmax(&z.data[..5])[3];
    assert!((class_logit::forward(&z, &classes, 1.0)[0] + p.ln()).abs() < 1e-14);
    let total = |z: &Tensor| class_logit::forward(z, &classes, 0.75).iter().sum::<f64>();
    let expected = central_differences(&z, STEP, total);
    assert_close("class_logit", &class_logit::backward(&z, &classes, 0.75).data, &expected.data, TOLERANCE, TOLERANCE);
}

#[test]
fn adam_first_steps_and_clamp() {
    // At t = 1 both corrections cancel the averages: x moves by lr·sign(dx), whatever the size of dx.
    let optimizer = adam::Adam::default();
    let (mut x, mut m, mut v) = (vec![0.5, 0.5, 0.5], vec![0.0; 3], vec![0.0; 3]);
    optimizer.step(&mut x, &[3.0, -1e-3, 0.0], &mut m, &mut v, 1);
    assert_close("t = 1", &x, &[0.45, 0.55, 0.5], 1e-6, 0.0);
    // A gradient that stays the same goes on moving x by lr a step.
    for t in 2..=5 {
        optimizer.step(&mut x, &[3.0, -1e-3, 0.0], &mut m, &mut v, t);
    }
    assert_close("t = 5", &x, &[0.25, 0.75, 0.5], 1e-5, 0.0);

    let clamped = adam::Adam { lr: 10.0, clamp: true, ..optimizer };
    clamped.step(&mut x, &[1.0, -1.0, 0.0], &mut [0.0; 3], &mut [0.0; 3], 1);
    assert_close("clamped", &x, &[0.0, 1.0, 0.5], 0.0, 0.0);
}

#[test]
fn samples_are_distinct() {
    assert_eq!(golden::sample_indices(1000, 1024).len(), 1000);
    let mut indices = golden::sample_indices(802_816, 1024);
    assert_eq!(indices[..2], [7, 1_000_003 % 802_816 + 7]);
    indices.sort_unstable();
    indices.dedup();
    assert_eq!(indices.len(), 1024);
}

#[test]
#[should_panic(expected = "1 of 3 elements differ; worst at 1: 2.5 but should be 2")]
fn a_wrong_element_is_named() {
    assert_close("red", &[1.0, 2.5, 3.0], &[1.0, 2.0, 3.0], 1e-6, 1e-6);
}

#[test]
#[should_panic(expected = "worst at 2: NaN")]
fn a_nan_is_never_close() {
    assert_close("red", &[1.0, 2.5, f64::NAN], &[1.0, 2.0, 3.0], 1e9, 0.0);
}

#[test]
#[should_panic(expected = "conv2d off by one")]
fn a_wrong_gradient_is_seen() {
    let mut random = Random(23);
    let (x, w) = (random.tensor([1, 2, 5, 5], -1.0, 1.0), random.tensor([2, 2, 3, 3], -1.0, 1.0));
    gradient_matches(
        "conv2d off by one",
        &x,
        |x| conv2d::forward(x, &w, None, [1, 1], [1; 4]),
        |dy| {
            let mut dx = conv2d::backward(dy, &w, x.shape, [1, 1], [1; 4]);
            dx.data.rotate_right(1);
            dx
        },
    );
}
