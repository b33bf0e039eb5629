//! Tests of the harness itself: it catches and names the errors for which it is made.

use protogpu::gpu::{CustomKernel, Grid};
use protogpu::ops::Relu;

use crate::tests::harness::{Outcome, Rig, adjoint, batch_independent, close, exact, forward, gradient};
use crate::tests::twin::random::Random;
use crate::tests::twin::{Tensor, relu};

protogpu::params! {
    /// `Params` of the kernels below.
    struct WriteParams { at: u32 }
}

/// Writes one element, at any index.
const WRITE: &str = "
struct Params { at: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@compute @workgroup_size(1)
fn write() {
    y[params.at] = x[0] + 1.0;
}
";

/// y of 10 elements, after a kernel wrote `y[at]`.
fn write_at(at: u32, x: &Tensor) -> Outcome<Tensor> {
    let mut rig = Rig::default();
    let (x, y) = (rig.input("x", x), rig.output("the output", [1, 2, 1, 5]));
    let kernel = CustomKernel::new("write", WRITE, "write");
    let bindings = [x.bind("x"), y.bind("y")];
    rig.rec.dispatch_custom("write", kernel, &bindings, &WriteParams { at }, Grid::Each(1), 0)?;
    rig.run()?.read(y)
}

fn message(outcome: Outcome<impl Sized>) -> String {
    outcome.err().expect("it should fail").to_string()
}

#[test]
fn a_write_past_the_end_is_named() {
    let x = Tensor::filled([1; 4], 0.5);
    write_at(9, &x).expect("the last element is inside");
    for at in [10, 11, 73] {
        let said = message(write_at(at, &x));
        assert!(said.contains(&format!("`the output` of 10 elements: element {at} was written")), "{said}");
    }
}

#[test]
fn what_is_not_written_is_nan() {
    let y = write_at(3, &Tensor::filled([1; 4], 0.5)).expect("inside");
    let want = Tensor::new(y.shape, (0..10).map(|i| if i == 3 { 1.5 } else { f64::NAN }).collect());
    exact("y", &y, &want).expect("one element written and nine NaN");
    let said = message(close("y", &y, &want.map(|_| 1.5), &want.map(|_| 1.0), 1e9));
    assert!(said.starts_with("y: 9 of 10 elements differ") && said.contains("NaN but should be 1.5"), "{said}");
}

/// relu on the adapter, with one element changed by a hundred times its tolerance.
fn spoilt() -> [Tensor; 2] {
    let x = Random(1).tensor([2, 3, 5, 7], 0.0, 1.0).map(|v| f64::from(v as f32 + 0.5));
    let mut rig = Rig::default();
    let (x_slot, y) = (rig.input("x", &x), rig.output("y", x.shape));
    forward(&mut rig.rec, &Relu, &[x_slot], y).expect("shapes fit");
    let mut y = rig.run().and_then(|ready| ready.read(y)).expect("relu runs");
    y[[1, 2, 3, 4]] *= 1.0 + 1e-5;
    [x, y]
}

#[test]
fn a_spoilt_element_is_named() {
    let [x, y] = spoilt();
    let want = relu::forward(&x);
    let said = message(close("y", &y, &want, &want, 1.0));
    assert!(said.starts_with("y: 1 of 210 elements differ; worst at [1, 2, 3, 4]: "), "{said}");
    let said = message(exact("y", &y, &want));
    assert!(said.starts_with("y at [1, 2, 3, 4]: "), "{said}");
}

#[test]
fn a_spoilt_gradient_is_named() {
    // x is positive, so that y = x and a gradient of ones is right.
    let [x, y] = spoilt();
    let dx = y.zip(&x, |y, x| y / x);
    let said = message(gradient(&dx, &x, &x, 1.0, |x| relu::forward(x).data.iter().sum()));
    assert!(said.contains("1 of 210 elements differ; worst at [1, 2, 3, 4]: "), "{said}");
}

#[test]
fn a_spoilt_adjoint_is_seen() {
    let [x, y] = spoilt();
    let said = message(adjoint([&x, &y], [&x, &x], x.dot(&x), 0.01));
    assert!(said.starts_with("⟨dy, Jx⟩ = "), "{said}");
}

#[test]
fn an_image_that_knows_its_batch_is_named() {
    let knows = |n: &[usize]| Ok(vec![Tensor::filled([n.len(), 1, 2, 2], n.len() as f64)]);
    let said = message(batch_independent(knows));
    assert!(said.starts_with("output 0: image 0 in a batch, against itself alone, at [0, 0, 0, 0]: 3"), "{said}");
}
