//! Holds the twins to PyTorch and torchvision through `tests/golden/ops.safetensors`: same inputs, results in float64 on both sides.

use crate::tests::twin::affine_warp::{self, Interpolation, theta_from};
use crate::tests::twin::batch_norm::{self, BatchNorm};
use crate::tests::twin::check::assert_close;
use crate::tests::twin::generated::generated;
use crate::tests::twin::golden::{Golden, norm, sample_indices};
use crate::tests::twin::local_response_norm::{self, LocalResponseNorm};
use crate::tests::twin::max_pool2d::{self, Window};
use crate::tests::twin::{
    Tensor, adam, avg_pool2d, conv2d, linear, normalize, probability_variance, relu, total_variation,
};

/// Both sides compute in f64 and differ in the order of sums of at most some hundred terms of order 1.
const TOLERANCE: f64 = 1e-12;

/// Compares with `<prefix>/y` and `<prefix>/dx`, given the twin's forward of `x` and backward of `dy`.
#[track_caller]
fn agrees(ops: &Golden, prefix: &str, forward: impl Fn(&Tensor) -> Tensor, backward: impl Fn(&Tensor) -> Tensor) {
    let [x, y, dy, dx] = ["x", "y", "dy", "dx"].map(|name| ops.tensor(&format!("{prefix}/{name}")));
    let (our_y, our_dx) = (forward(&x), backward(&dy));
    assert_eq!((our_y.shape, our_dx.shape), (y.shape, dx.shape), "{prefix}");
    assert_close(&format!("{prefix}/y"), &our_y.data, &y.data, TOLERANCE, TOLERANCE);
    assert_close(&format!("{prefix}/dx"), &our_dx.data, &dx.data, TOLERANCE, TOLERANCE);
}

/// The cases `<op>/0`, `<op>/1`, ...; a golden without any would prove nothing.
fn cases(ops: &Golden, op: &str) -> Vec<String> {
    let cases = ops.children(&format!("{op}/"));
    let numbered: Vec<_> = cases.iter().filter(|c| c.parse::<usize>().is_ok()).map(|c| format!("{op}/{c}")).collect();
    assert!(!numbered.is_empty(), "no case of {op}");
    numbered
}

fn array<const N: usize>(ops: &Golden, key: &str) -> [usize; N] {
    ops.sizes(key).try_into().unwrap_or_else(|v| panic!("{key}: {v:?}"))
}

/// The files of whole networks, and how many modules each has with the root.
const NETWORKS: [(&str, usize); 5] = [
    ("resnet18", 68),
    ("resnet18_imagenet", 68),
    ("googlenet", 224),
    ("inception_v1", 169),
    ("inception_v1_bvlc", 169),
];

#[test]
fn golden_says_where_it_comes_from() {
    for file in NETWORKS.map(|(file, _)| file).into_iter().chain(["ops"]) {
        let golden = Golden::open(file);
        for key in ["script", "command", "seed", "versions"] {
            assert!(golden.metadata(key).is_some_and(|v| !v.is_empty()), "{file}: {key} in the header");
        }
    }
}

/// What the network tests rely on: all modules, the input that follows from its name, and torchvision's draws as this convention's maps.
#[test]
fn network_goldens_are_whole() {
    let pixels: Vec<f64> = generated("pixels", &[1, 3, 224, 224], 0).into_iter().map(f64::from).collect();
    for (file, count) in NETWORKS {
        let golden = Golden::open(file);
        let modules = golden.children("snapshot/");
        assert_eq!(modules.len(), count, "{file}");
        assert_close("pixels_norm", &[norm(&pixels)], &golden.vec("pixels_norm"), 0.0, 1e-12);

        // In-place ReLUs and skips write over ResNet's batch norms: the stem's, and two in each of eight blocks. Downsampling's stay. In the
        // others a ReLU writes over what comes before it in each of the 57 convolutions: a batch norm, or the convolution itself.
        let (overwritten, examples): (fn(&&String) -> bool, _) = match file {
            "googlenet" => {
                (|m| m.ends_with(".bn"), [("conv1.bn", "conv1"), ("inception5b.branch4.1.bn", "inception5b.branch4")])
            }
            "inception_v1" | "inception_v1_bvlc" => (
                |m| m.ends_with(".conv"),
                [("conv1.conv", "conv1"), ("inception5b.branch4.1.conv", "inception5b.branch4")],
            ),
            _ => (|m| m.contains("bn"), [("bn1", "relu"), ("layer3.0.bn2", "layer3.0")]),
        };
        let expected: Vec<_> = modules.iter().filter(overwritten).cloned().collect();
        assert_eq!(golden.children("alias/"), expected, "{file}");
        for (before, after) in examples {
            let [alias, snapshot] = [format!("alias/{before}"), format!("snapshot/{after}")];
            assert_eq!(golden.vec(&alias), golden.vec(&snapshot), "{file}");
        }

        let (draws, maps) = (golden.vec("steps/draws"), golden.vec("steps/theta"));
        for (draw, map) in draws.chunks(4).zip(maps.chunks(6)) {
            let theta = theta_from(draw[0], draw[1], draw[2], draw[3], 224, 224);
            // The stored maps are rounded to f32; c and f cancel numbers of the image's size.
            assert_close(&format!("{file}: theta of {draw:?}"), map, &theta, 1e-12, f64::from(f32::EPSILON));
        }
    }
}

#[test]
fn generated_tensors() {
    let ops = Golden::open("ops");
    let names = ops.children("generated/");
    assert_eq!(names.len(), 7);
    for name in names {
        let ours = generated(&name, &ops.sizes(&format!("generated_dims/{name}")), 0);
        let sampled: Vec<f64> = sample_indices(ours.len(), 64).into_iter().map(|i| f64::from(ours[i])).collect();
        assert_eq!(sampled, ops.vec(&format!("generated/{name}")), "{name}: the same bits");
    }
}

#[test]
fn conv2d_agrees() {
    let ops = Golden::open("ops");
    for case in cases(&ops, "conv2d") {
        let [w, x] = ["w", "x"].map(|name| ops.tensor(&format!("{case}/{name}")));
        let b = ops.vec(&format!("{case}/b"));
        let (stride, pad) = (array(&ops, &format!("{case}/stride")), array(&ops, &format!("{case}/pad")));
        agrees(
            &ops,
            &case,
            |x| conv2d::forward(x, &w, Some(&b), stride, pad),
            |dy| conv2d::backward(dy, &w, x.shape, stride, pad),
        );
    }
}

#[test]
fn max_pool2d_agrees() {
    let ops = Golden::open("ops");
    for case in cases(&ops, "max_pool2d") {
        let x = ops.tensor(&format!("{case}/x"));
        let window = Window {
            kernel: array(&ops, &format!("{case}/kernel")),
            stride: array(&ops, &format!("{case}/stride")),
            pad: array(&ops, &format!("{case}/pad")),
            ceil_mode: ops.number(&format!("{case}/ceil_mode")) == 1.0,
        };
        let (_, argmax) = max_pool2d::forward(&x, window);
        assert_eq!(argmax, ops.sizes(&format!("{case}/argmax")), "{case}: argmax, ties included");
        agrees(&ops, &case, |x| max_pool2d::forward(x, window).0, |dy| max_pool2d::backward(dy, &argmax, x.shape));
    }
}

#[test]
fn local_response_norm_agrees() {
    let ops = Golden::open("ops");
    for case in cases(&ops, "local_response_norm") {
        let number = |name: &str| ops.number(&format!("{case}/{name}"));
        let [alpha, beta, k] = ["alpha", "beta", "k"].map(number);
        let p = LocalResponseNorm { size: number("size") as usize, alpha, beta, k };
        let x = ops.tensor(&format!("{case}/x"));
        agrees(&ops, &case, |x| local_response_norm::forward(x, &p), |dy| local_response_norm::backward(dy, &x, &p));
    }
}

#[test]
fn pointwise_and_linear_agree() {
    let ops = Golden::open("ops");
    let vec = |key: &str| ops.vec(key);
    let p = BatchNorm {
        mean: vec("batch_norm/mean"),
        var: vec("batch_norm/var"),
        weight: vec("batch_norm/weight"),
        bias: vec("batch_norm/bias"),
        eps: ops.number("batch_norm/eps"),
    };
    agrees(&ops, "batch_norm", |x| batch_norm::forward(x, &p), |dy| batch_norm::backward(dy, &p));

    let x = ops.tensor("relu/x");
    agrees(&ops, "relu", relu::forward, |dy| relu::backward(dy, &x));

    let shape = ops.tensor("avg_pool2d/x").shape;
    agrees(&ops, "avg_pool2d", avg_pool2d::forward, |dy| avg_pool2d::backward(dy, shape));

    let (w, b) = (ops.tensor("linear/w"), vec("linear/b"));
    agrees(&ops, "linear", |x| linear::forward(x, &w, &b), |dy| linear::backward(dy, &w));

    let (mean, std) = (vec("normalize/mean"), vec("normalize/std"));
    agrees(&ops, "normalize", |x| normalize::forward(x, &mean, &std), |dy| normalize::backward(dy, &std));
}

/// For a loss of one value per image: `gradient` times each image's dy.
fn weighted(gradient: Tensor, dy: &Tensor) -> Tensor {
    let mut dx = gradient;
    for [n, c, h, w] in dx.indices() {
        dx[[n, c, h, w]] *= dy.data[n];
    }
    dx
}

#[test]
fn losses_agree() {
    let ops = Golden::open("ops");
    let column = |values: Vec<f64>| Tensor::new([values.len(), 1, 1, 1], values);
    let forms = [
        ("l1", total_variation::Form::L1),
        ("l2", total_variation::Form::L2),
        ("l1-sum", total_variation::Form::L1Sum),
        ("isotropic", total_variation::Form::Isotropic),
    ];
    for (name, form) in forms {
        let prefix = format!("total_variation/{name}");
        let x = ops.tensor(&format!("{prefix}/x"));
        agrees(
            &ops,
            &prefix,
            |x| column(total_variation::forward(x, form)),
            |dy| weighted(total_variation::backward(&x, form), dy),
        );
    }
    for (name, form) in
        [("softmax", probability_variance::Form::Softmax), ("logits", probability_variance::Form::Logits)]
    {
        let prefix = format!("probability_variance/{name}");
        let z = ops.tensor(&format!("{prefix}/x"));
        agrees(
            &ops,
            &prefix,
            |z| column(probability_variance::forward(z, form)),
            |dy| weighted(probability_variance::backward(&z, form), dy),
        );
    }
}

#[test]
fn adam_agrees() {
    let ops = Golden::open("ops");
    let mut x = ops.vec("adam/start");
    let (mut m, mut v) = (vec![0.0; x.len()], vec![0.0; x.len()]);
    let (dx, after) = (ops.vec("adam/dx"), ops.vec("adam/x"));
    for (i, (dx, after)) in dx.chunks(x.len()).zip(after.chunks(x.len())).enumerate() {
        adam::Adam::default().step(&mut x, dx, &mut m, &mut v, i as i32 + 1);
        assert_close(&format!("adam, step {}", i + 1), &x, after, TOLERANCE, TOLERANCE);
    }
}

#[test]
fn affine_warp_agrees_with_torchvision() {
    let ops = Golden::open("ops");
    let (x, dy, fill) = (ops.tensor("affine_warp/x"), ops.tensor("affine_warp/dy"), ops.vec("affine_warp/fill"));
    let [_, _, h, w] = x.shape;
    for case in cases(&ops, "affine_warp") {
        let params = ops.vec(&format!("{case}/params"));
        let theta = theta_from(params[0], params[1], params[2], params[3], w, h);
        assert_close(&format!("{case}/theta"), &theta, &ops.vec(&format!("{case}/theta")), TOLERANCE, TOLERANCE);
        for (name, interpolation) in [("bilinear", Interpolation::Bilinear), ("nearest", Interpolation::Nearest)] {
            let what = format!("{case}/{name}");
            let compare = |what: String, ours: &Tensor| {
                assert_close(&what, &ours.data, &ops.vec(&what), TOLERANCE, TOLERANCE);
            };
            let warp = |x: &Tensor, fill: &[f64]| affine_warp::forward(x, &[theta], interpolation, fill);
            let zero = warp(&x, &[0.0; 3]);
            compare(format!("{what}_zero"), &zero);
            compare(format!("{what}_dx"), &affine_warp::backward(&dy, &[theta], interpolation));

            // torchvision's fill multiplies the zero-padded sum by the mask a second time, which darkens the picture's rim; ours does not.
            let mask = warp(&Tensor::filled(x.shape, 1.0), &[0.0; 3]);
            let ours = warp(&x, &fill);
            let mut theirs = zero.clone();
            for at @ [_, c, _, _] in zero.indices() {
                theirs[at] = mask[at] * zero[at] + (1.0 - mask[at]) * fill[c];
                let expected = zero[at] + (1.0 - mask[at]) * fill[c];
                assert!((ours[at] - expected).abs() <= TOLERANCE, "{what}: fill at {at:?}");
            }
            compare(format!("{what}_fill"), &theirs);
        }
    }
}
