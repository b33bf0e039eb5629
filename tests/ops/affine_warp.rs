//! affine_warp: torchvision's maps, special ones, and the adjoint.

use protogpu::ops::{AffineWarp, ChannelAffine, Clock, Interpolation};

use crate::tests::harness::{Outcome, Rig, Table, adjoint, batch_independent, by, close, exact, gradient, images};
use crate::tests::twin::affine_warp::{self, Theta, theta_from};
use crate::tests::twin::random::Random;
use crate::tests::twin::{Tensor, indices};

/// The twin's name for the same.
fn twin(interpolation: Interpolation) -> affine_warp::Interpolation {
    match interpolation {
        Interpolation::Bilinear => affine_warp::Interpolation::Bilinear,
        Interpolation::Nearest => affine_warp::Interpolation::Nearest,
    }
}

/// The maps of the step, after those of an earlier step, which a kernel that ignores the clock would use.
fn theta_words(theta: &[Theta], x: [usize; 2], y: [usize; 2]) -> Vec<u32> {
    let before = std::iter::repeat_n(f32::NAN.to_bits(), AffineWarp::ROW * theta.len());
    let row = |theta: &Theta| AffineWarp::row(theta.map(|v| v as f32), x, y).map(f32::to_bits);
    before.chain(theta.iter().flat_map(row)).collect()
}

/// Height and width.
fn sides(shape: [usize; 4]) -> [usize; 2] {
    [shape[2], shape[3]]
}

fn forward(x: &Tensor, theta: &[Theta], interpolation: Interpolation, fill: &[f64]) -> Outcome<Tensor> {
    let mut rig = Rig::default();
    let op = AffineWarp { interpolation, fill: fill.iter().map(|&v| v as f32).collect(), normalize: None };
    let (x, y) = (rig.input("x", x), rig.output("y", x.shape));
    let words = theta_words(theta, sides(x.shape.nchw()), sides(y.shape.nchw()));
    let (theta, clock) = (rig.words("theta", &words), Clock { step: rig.words("clock", &[1]), steps: 2 });
    op.forward(&mut rig.rec, x, theta, clock, y)?;
    rig.run()?.read(y)
}

fn backward(dy: &Tensor, theta: &[Theta], interpolation: Interpolation) -> Outcome<Tensor> {
    let mut rig = Rig::default();
    let op = AffineWarp { interpolation, fill: vec![0.0; dy.shape[1]], normalize: None };
    let (dy, dx) = (rig.input("dy", dy), rig.output("dx", dy.shape));
    let words = theta_words(theta, sides(dx.shape.nchw()), sides(dy.shape.nchw()));
    let (theta, clock) = (rig.words("theta", &words), Clock { step: rig.words("clock", &[1]), steps: 2 });
    op.backward(&mut rig.rec, dy, theta, clock, dx)?;
    rig.run()?.read(dx)
}

/// A map as the adapter gets it: the twin must compute with the same numbers.
fn rounded(theta: Theta) -> Theta {
    theta.map(|v| f64::from(v as f32))
}

/// Rotations by any angle, shifts by whole pixels that push part of the image out, and scales from half to double.
fn drawn(shape: [usize; 4], seed: u64) -> Vec<Theta> {
    let [n, _, h, w] = shape;
    let mut random = Random(seed);
    let mut draw = |_| {
        let angle_deg = random.uniform(-180.0, 180.0);
        let tx = random.uniform(-0.5 * w as f64, 0.5 * w as f64).round_ties_even();
        let ty = random.uniform(-0.5 * h as f64, 0.5 * h as f64).round_ties_even();
        rounded(theta_from(angle_deg, tx, ty, random.uniform(0.5, 2.0), w, h))
    };
    (0..n).map(&mut draw).collect()
}

/// No position is within 1e-4 of half way between pixels, where f32 may round to the other one.
fn no_ties(theta: &[Theta], [_, _, h, w]: [usize; 4]) -> bool {
    let clear = |p: f64| (p - p.floor() - 0.5).abs() > 1e-4;
    theta.iter().all(|[a, b, c, d, e, f]| {
        indices([1, 1, h, w]).all(|[_, _, y, x]| {
            let (x, y) = (x as f64, y as f64);
            clear(a * x + b * y + c) && clear(d * x + e * y + f)
        })
    })
}

/// How far a map reaches over the image: the sum of its three terms at most, along the farther axis. A position errs by one
/// and a half roundings of it, so by 1.5·ε·reach.
fn reach(theta: &[Theta], [_, _, h, w]: [usize; 4]) -> f64 {
    let axis = |[a, b, c]: [f64; 3]| a.abs() * w as f64 + b.abs() * h as f64 + c.abs();
    theta.iter().map(|&[a, b, c, d, e, f]| axis([a, b, c]).max(axis([d, e, f]))).fold(1.0, f64::max)
}

/// y changes by at most 2 over a pixel, along each axis: 2·2·1.5 of a position's error, and the sum of four weights itself.
fn k_forward(theta: &[Theta], shape: [usize; 4]) -> f64 {
    6.0 * reach(theta, shape) + 8.0
}

/// At scale 2, up to 25 pixels q reach an element; a weight errs by 2·1.5 of a position's error, and √25 of that add up.
fn k_backward(theta: &[Theta], shape: [usize; 4]) -> f64 {
    15.0 * reach(theta, shape) + 8.0
}

/// Odd and all different, one row, one column; 64 and 65 columns, around a workgroup's.
const SHAPES: [[usize; 4]; 7] =
    [[2, 3, 13, 11], [3, 2, 7, 9], [1, 3, 8, 8], [2, 1, 1, 17], [1, 2, 17, 1], [2, 1, 5, 64], [1, 2, 3, 65]];
const BOTH: [Interpolation; 2] = [Interpolation::Bilinear, Interpolation::Nearest];

#[test]
fn drawn_maps() {
    let mut table = Table::new("affine_warp");
    for shape in SHAPES {
        let mut random = Random(1);
        let [x, dy] = [0; 2].map(|_| random.tensor(shape, -1.0, 1.0));
        let fill = random.vec(shape[1], -1.0, 1.0);
        let theta = drawn(shape, 11);
        assert!(no_ties(&theta, shape), "take another seed for {shape:?}");
        let (k, k_back) = (k_forward(&theta, shape), k_backward(&theta, shape));
        let ones = Tensor::filled(shape, 1.0);
        for interpolation in BOTH {
            let name = format!("{interpolation} {}", by(&shape));
            let way = twin(interpolation);
            table.case(format!("forward {name}"), || {
                let y = forward(&x, &theta, interpolation, &fill)?;
                close("y", &y, &affine_warp::forward(&x, &theta, way, &fill), &ones, k)
            });
            table.case(format!("backward {name}"), || {
                let dx = backward(&dy, &theta, interpolation)?;
                close("dx", &dx, &affine_warp::backward(&dy, &theta, way), &ones, k_back)
            });
            table.case(format!("adjoint {name}"), || {
                let y = forward(&x, &theta, interpolation, &vec![0.0; shape[1]])?;
                let dx = backward(&dy, &theta, interpolation)?;
                let size = affine_warp::backward(&dy.map(f64::abs), &theta, way);
                adjoint([&dy, &y], [&dx, &x], size.dot(&x.map(f64::abs)), k_back)
            });
            if shape[0] == 3 {
                table.case(format!("differences {name}"), || {
                    let dx = backward(&dy, &theta, interpolation)?;
                    gradient(&dx, &x, &ones, k_back, |x| dy.dot(&affine_warp::forward(x, &theta, way, &fill)))
                });
                table.case(format!("batch {name}"), || {
                    batch_independent(|n| {
                        let theta: Vec<Theta> = n.iter().map(|&n| theta[n]).collect();
                        let y = forward(&images(&x, n), &theta, interpolation, &fill)?;
                        Ok(vec![y, backward(&images(&dy, n), &theta, interpolation)?])
                    })
                });
            }
        }
    }
    table.finish();
}

#[test]
fn special_maps() {
    let mut table = Table::new("affine_warp");
    let shape = [1, 2, 6, 7];
    let mut random = Random(2);
    let [x, dy] = [0; 2].map(|_| random.tensor(shape, -1.0, 1.0));
    let fill = [0.25, -0.5];
    let maps: [(&str, Theta); 6] = [
        ("identity", [1.0, 0.0, 0.0, 0.0, 1.0, 0.0]),
        ("whole pixels", [1.0, 0.0, -2.0, 0.0, 1.0, 3.0]),
        ("halves", [1.0, 0.0, 0.5, 0.0, 1.0, 0.5]),
        ("a quarter turn", [0.0, 1.0, 0.0, -1.0, 0.0, 5.0]),
        ("mirrored", [-1.0, 0.0, 6.0, 0.0, 1.0, 0.0]),
        ("far outside", [1.0, 0.0, 5000.0, 0.0, 1.0, -3e9]),
    ];
    for (map, theta) in maps {
        for interpolation in BOTH {
            let way = twin(interpolation);
            // Every weight is 0, ¼, ½ or 1 and no sum has more than four terms: exact but for the last rounding of each.
            table.case(format!("forward {interpolation} {map}"), || {
                let y = forward(&x, &[theta], interpolation, &fill)?;
                close("y", &y, &affine_warp::forward(&x, &[theta], way, &fill), &Tensor::filled(shape, 1.0), 4.0)
            });
            table.case(format!("backward {interpolation} {map}"), || {
                let dx = backward(&dy, &[theta], interpolation)?;
                close("dx", &dx, &affine_warp::backward(&dy, &[theta], way), &Tensor::filled(shape, 1.0), 4.0)
            });
        }
    }
    table.case("forward identity keeps every bit", || {
        exact("y", &forward(&x, &[maps[0].1], Interpolation::Bilinear, &fill)?, &x)
    });
    table.finish();
}

#[test]
fn normalize_in_the_same_kernel() {
    let mut table = Table::new("affine_warp");
    let shape = [2, 3, 13, 11];
    let mut random = Random(5);
    let [x, dy] = [0; 2].map(|_| random.tensor(shape, -1.0, 1.0));
    let fill = random.vec(3, -1.0, 1.0);
    let theta = drawn(shape, 11);
    let (scale, shift) = ([0.5, -2.0, 4.0], [1.0, 0.25, -3.0]);
    let each = |t: &Tensor, f: &dyn Fn(f64, usize) -> f64| {
        let plane = shape[2] * shape[3];
        Tensor::new(shape, t.data.iter().enumerate().map(|(i, &v)| f(v, i / plane % 3)).collect())
    };
    for interpolation in BOTH {
        let fill_values = fill.iter().map(|&v| v as f32).collect();
        let normalize = ChannelAffine { scale: scale.map(|v| v as f32).into(), shift: shift.map(|v| v as f32).into() };
        let op = AffineWarp { interpolation, fill: fill_values, normalize: Some(normalize) };
        let run = |input: &Tensor, forward: bool| -> Outcome<Tensor> {
            let mut rig = Rig::default();
            let (a, b) = (rig.input("in", input), rig.output("out", shape));
            let words = theta_words(&theta, sides(shape), sides(shape));
            let (theta, clock) = (rig.words("theta", &words), Clock { step: rig.words("clock", &[1]), steps: 2 });
            if forward {
                op.forward(&mut rig.rec, a, theta, clock, b)?;
            } else {
                op.backward(&mut rig.rec, a, theta, clock, b)?;
            }
            rig.run()?.read(b)
        };
        let size = Tensor::filled(shape, 4.0);
        table.case(format!("normalize forward {interpolation}"), || {
            let want = affine_warp::forward(&x, &theta, twin(interpolation), &fill);
            close("y", &run(&x, true)?, &each(&want, &|v, c| v * scale[c] + shift[c]), &size, k_forward(&theta, shape))
        });
        table.case(format!("normalize backward {interpolation}"), || {
            let want = affine_warp::backward(&each(&dy, &|v, c| v * scale[c]), &theta, twin(interpolation));
            close("dx", &run(&dy, false)?, &want, &size, k_backward(&theta, shape))
        });
    }
    table.finish();
}

/// An image that is smaller than its tensor, warped to another extent: nothing beyond it is read, and only zeros are written there.
struct Between {
    /// Extents of the tensors, and of the image within them.
    tensors: [[usize; 2]; 2],
    images: [[usize; 2]; 2],
    theta: Theta,
}

impl Between {
    fn x_shape(&self) -> [usize; 4] {
        [2, 3, self.tensors[0][0], self.tensors[0][1]]
    }

    fn y_shape(&self) -> [usize; 4] {
        [2, 3, self.tensors[1][0], self.tensors[1][1]]
    }

    /// The adapter's: `way` is 0 for forward and 1 for backward.
    fn run(&self, way: usize, input: &Tensor, fill: f32) -> Outcome<Tensor> {
        let mut rig = Rig::default();
        let op = AffineWarp { interpolation: Interpolation::Bilinear, fill: vec![fill; 3], normalize: None };
        let words = theta_words(&[self.theta; 2], self.images[0], self.images[1]);
        let (theta, clock) = (rig.words("theta", &words), Clock { step: rig.words("clock", &[1]), steps: 2 });
        let input = rig.input("input", input);
        let output = rig.output("output", if way == 0 { self.y_shape() } else { self.x_shape() });
        if way == 0 {
            op.forward(&mut rig.rec, input, theta, clock, output)?;
        } else {
            op.backward(&mut rig.rec, input, theta, clock, output)?;
        }
        rig.run()?.read(output)
    }

    /// Keeps the image in a tensor, and sets the rest to `beyond`.
    fn within(t: &Tensor, [h, w]: [usize; 2], beyond: f64) -> Tensor {
        let mut out = t.clone();
        for [n, c, y, x] in t.indices().filter(|[.., y, x]| *y >= h || *x >= w) {
            out[[n, c, y, x]] = beyond;
        }
        out
    }
}

#[test]
fn other_extents() {
    let mut table = Table::new("affine_warp");
    let cases = [
        // Enlarged by 3/2 as with align_corners, reduced and padded with zeros, padded, shifted, turned, and moved to a larger tensor.
        ("larger", [[7, 9], [12, 14]], [[7, 9], [10, 13]], [8.0 / 12.0, 0.0, 0.0, 0.0, 6.0 / 9.0, 0.0]),
        (
            "smaller",
            [[11, 12], [11, 12]],
            [[9, 10], [10, 10]],
            [9.0 / 7.0, 0.0, -9.0 / 7.0, 0.0, 8.0 / 7.0, -8.0 / 7.0],
        ),
        ("padded", [[5, 6], [9, 10]], [[5, 6], [9, 10]], [1.0, 0.0, -2.0, 0.0, 1.0, -2.0]),
        ("shifted", [[8, 9], [8, 9]], [[7, 7], [7, 7]], [1.0, 0.0, -3.0, 0.0, 1.0, -1.0]),
        ("turned", [[9, 9], [10, 9]], [[8, 8], [8, 8]], [0.875, -0.5, 2.1875, 0.5, 0.875, -1.3125]),
    ];
    for (name, tensors, images, theta) in cases {
        let case = Between { tensors, images, theta: rounded(theta) };
        let mut random = Random(3);
        let (x, dy) = (random.tensor(case.x_shape(), -1.0, 1.0), random.tensor(case.y_shape(), -1.0, 1.0));
        let (fill, [x_image, y_image]) = (0.5, images);
        // The twin knows tensors of one extent only: one that holds both images, in which x has the fill all around, as a constant channel
        // that is warped alike says how much of it shows.
        let large = std::array::from_fn::<_, 2, _>(|i| tensors[0][i].max(tensors[1][i]));
        let grown = |t: &Tensor, beyond: f64, image: [usize; 2]| {
            let mut out = Tensor::filled([2, 3, large[0], large[1]], beyond);
            for [n, c, y, x] in t.indices().filter(|[.., y, x]| *y < image[0] && *x < image[1]) {
                out[[n, c, y, x]] = t[[n, c, y, x]];
            }
            out
        };
        let cut = |t: &Tensor, shape: [usize; 4]| {
            let at = |[n, c, y, x]: [usize; 4]| t[[n, c, y, x]];
            Tensor::new(shape, indices(shape).map(at).collect())
        };
        let thetas = [case.theta; 2];
        let way = affine_warp::Interpolation::Bilinear;
        let want = affine_warp::forward(&grown(&x, fill, x_image), &thetas, way, &[fill; 3]);
        let want = Between::within(&cut(&want, case.y_shape()), y_image, 0.0);
        let want_dx = affine_warp::backward(&grown(&dy, 0.0, y_image), &thetas, way);
        let want_dx = Between::within(&cut(&want_dx, case.x_shape()), x_image, 0.0);
        let (k, k_back) = (k_forward(&thetas, case.x_shape()), k_backward(&thetas, case.x_shape()));
        // The kernel must not read NaN beyond the image.
        let (x, dy) = (Between::within(&x, x_image, f64::NAN), Between::within(&dy, y_image, f64::NAN));
        table.case(format!("forward {name}"), || {
            close("y", &case.run(0, &x, fill as f32)?, &want, &want.map(|_| 1.0), k)
        });
        table.case(format!("backward {name}"), || {
            close("dx", &case.run(1, &dy, fill as f32)?, &want_dx, &want_dx.map(|_| 1.0), k_back)
        });
        table.case(format!("adjoint {name}"), || {
            let (y, dx) = (case.run(0, &x, 0.0)?, case.run(1, &dy, 0.0)?);
            let (x, dy) = (Between::within(&x, x_image, 0.0), Between::within(&dy, y_image, 0.0));
            adjoint([&dy, &y], [&dx, &x], want_dx.map(f64::abs).dot(&x.map(f64::abs)) + 1.0, k_back)
        });
    }
    table.finish();
}
