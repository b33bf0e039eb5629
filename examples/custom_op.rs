//! Ops from outside the crate, with WGSL of their own, forward and backward. `cargo run --example custom_op`
//!
//! The first replaces every ReLU of ResNet-18: the same outputs, but a gradient that also passes where a unit is off. Feature
//! visualisation uses this to start from images that hardly excite a unit. The second is a gate, which has two inputs and saves
//! a tensor for its backward. It is smooth, so the example compares its gradient with a difference quotient.

use std::sync::Arc;

use protogpu::gpu::{AdapterChoice, Context, CustomKernel, Grid, Plan, Recording, TensorId};
use protogpu::graph::{Graph, Retain};
use protogpu::networks::{Architecture, Network};
use protogpu::ops::{Backward, ChannelAffine, ConvAlgorithms, Forward, Op, Saved, ScaleShift, Tensor, inputs, only};
use protogpu::{Error, Result, Shape, params};

/// The op binds storage buffers by the names that they have here. `flat_index` and `WORKGROUP` come from the import.
const LEAKY_RELU: &str = "
#import lib/index
#import lib/epilogue

struct Params { len: u32, leak: f32, epilogue: u32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@group(0) @binding(3) var<storage, read> dy: array<f32>;
@group(0) @binding(4) var<storage, read_write> dx: array<f32>;

@compute @workgroup_size(WORKGROUP)
fn forward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let i = flat_index(id, groups);
    if i < params.len {
        y[i] = max(x[i], 0.0);
    }
}

// dx = dy where the unit is on, leak * dy where it is off.
@compute @workgroup_size(WORKGROUP)
fn backward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let i = flat_index(id, groups);
    if i < params.len {
        dx[i] = epilogue(dy[i] * select(params.leak, 1.0, x[i] > 0.0), i);
    }
}
";

params! {
    /// Mirrors `Params` above. The plan compares names and offsets.
    struct LeakyReluParams { len: u32, leak: f32, epilogue: u32 }
}

/// max(x, 0), with a gradient that leaks where x is negative.
#[derive(Debug)]
struct LeakyRelu {
    leak: f32,
}

impl Op for LeakyRelu {
    fn name(&self) -> &str {
        "leaky_relu"
    }

    fn output(&self, label: &str, xs: &[Shape]) -> Result<Shape> {
        only(self.name(), label, xs)
    }

    fn forward(&self, cx: &mut Forward<'_>, xs: &[Tensor], y: Tensor) -> Result<Saved> {
        let (x, len) = (xs[0], y.shape.len());
        let params = LeakyReluParams { len: len as u32, leak: self.leak, epilogue: 0 };
        let kernel = CustomKernel::new("leaky_relu", LEAKY_RELU, "forward");
        cx.rec.dispatch_custom(cx.label, kernel, &[x.bind("x"), y.bind("y")], &params, Grid::Each(len), len as u64)?;
        Ok(Saved::new())
    }

    /// The kernel writes the gradient through the epilogue, which adds the gradient from another reader of x.
    fn backward(&self, cx: &mut Backward<'_>) -> Result<()> {
        let (dx, epilogue) = cx.gradient(0);
        let (x, len) = (cx.xs[0], dx.shape.len());
        let params = LeakyReluParams { len: len as u32, leak: self.leak, epilogue: epilogue.flags() };
        let [add, mask] = epilogue.bind(x.id, len);
        let bindings = [cx.dy.bind("dy"), x.bind("x"), dx.bind("dx"), add, mask];
        let kernel = CustomKernel::new("leaky_relu", LEAKY_RELU, "backward");
        cx.rec.dispatch_custom(cx.label, kernel, &bindings, &params, Grid::Each(len), len as u64)
    }
}

const GATE: &str = "
#import lib/index

struct Params { len: u32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> z: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;
@group(0) @binding(4) var<storage, read_write> gate: array<f32>;
@group(0) @binding(5) var<storage, read> dy: array<f32>;
@group(0) @binding(6) var<storage, read> open: array<f32>;
@group(0) @binding(7) var<storage, read_write> dx: array<f32>;
@group(0) @binding(8) var<storage, read_write> dz: array<f32>;

// y = x * sigmoid(z); the sigmoid is kept in `gate`.
@compute @workgroup_size(WORKGROUP)
fn forward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let i = flat_index(id, groups);
    if i < params.len {
        let s = 1.0 / (1.0 + exp(-z[i]));
        gate[i] = s;
        y[i] = x[i] * s;
    }
}

@compute @workgroup_size(WORKGROUP)
fn backward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let i = flat_index(id, groups);
    if i < params.len {
        let s = open[i];
        dx[i] = dy[i] * s;
        dz[i] = dy[i] * x[i] * s * (1.0 - s);
    }
}
";

params! {
    struct GateParams { len: u32 }
}

/// y = x * sigmoid(z).
#[derive(Debug)]
struct Gate;

impl Op for Gate {
    fn name(&self) -> &str {
        "gate"
    }

    fn output(&self, label: &str, xs: &[Shape]) -> Result<Shape> {
        let [x, z] = inputs(self.name(), label, xs)?;
        if x == z { Ok(x) } else { Err(Error::input(format!("gate ({label}): x is {x} but z is {z}"))) }
    }

    fn forward(&self, cx: &mut Forward<'_>, xs: &[Tensor], y: Tensor) -> Result<Saved> {
        let len = y.shape.len();
        let gate = cx.rec.transient(format!("{} gate", cx.label), len);
        let bindings = [xs[0].bind("x"), xs[1].bind("z"), y.bind("y"), ("gate", gate, len)];
        dispatch_gate(cx.rec, cx.label, "forward", &bindings, len)?;
        Ok(vec![gate])
    }

    /// One kernel without an epilogue computes both gradients. It writes tensors of its own, and the graph does the rest.
    fn backward(&self, cx: &mut Backward<'_>) -> Result<()> {
        let (x, len) = (cx.xs[0], cx.dy.shape.len());
        let [dx, dz] = ["dx", "dz"].map(|what| x.like(cx.rec, &format!("{} {what}", cx.label)));
        let open = ("open", cx.saved[0], len);
        let bindings = [x.bind("x"), cx.dy.bind("dy"), open, dx.bind("dx"), dz.bind("dz")];
        dispatch_gate(cx.rec, cx.label, "backward", &bindings, len)?;
        cx.deliver(0, dx)?;
        cx.deliver(1, dz)
    }
}

/// One invocation per element, each with about five operations.
fn dispatch_gate(
    rec: &mut Recording,
    label: &str,
    entry: &'static str,
    bindings: &[(&'static str, TensorId, usize)],
    len: usize,
) -> Result<()> {
    let (kernel, params) = (CustomKernel::new("gate", GATE, entry), GateParams { len: len as u32 });
    rec.dispatch_custom(label, kernel, bindings, &params, Grid::Each(len), 5 * len as u64)
}

/// y for `x`, and dx for `dy`.
fn run(context: &Context, graph: &Graph, x: &[f32], dy: &[f32]) -> Result<(Vec<f32>, Vec<f32>)> {
    let mut rec = Recording::new();
    let input = Tensor::kept(&mut rec, "x", graph.node(graph.input()).shape);
    let seed = Tensor::kept(&mut rec, "dy", graph.node(graph.output()).shape);
    let algorithms = ConvAlgorithms::fixed(context.capabilities());
    let acts = graph.record_forward(&mut rec, &algorithms, input, Retain::All)?;
    let dinput = graph.record_backward(&mut rec, &algorithms, &acts, seed)?;
    let plan = Plan::new(context, rec)?;
    plan.write(input.id, x)?;
    plan.write(seed.id, dy)?;
    plan.submit("step", 1);
    Ok((plan.read(acts.of(graph.output()).id)?, plan.read(dinput.id)?))
}

fn main() -> Result<()> {
    let context = Context::new(&AdapterChoice::Best)?;

    // Replace every ReLU of a network by the custom op.
    let network = Network::generated(Architecture::ResNet18, 16, 15, 0)?;
    let leaky = |leak| -> Arc<dyn Op> { Arc::new(LeakyRelu { leak }) };
    let replaced = |op: Arc<dyn Op>| network.graph().map(|node| (node.op.name() == "relu").then(|| Arc::clone(&op)));
    let x = waves(network.image().len(), 0.7);
    let dy: Vec<f32> = (0..network.classes()).map(|class| if class == 3 { 1.0 } else { 0.0 }).collect();
    let (logits, dx) = run(&context, network.graph(), &x, &dy)?;
    let (same_logits, same_dx) = run(&context, &replaced(leaky(0.0))?, &x, &dy)?;
    let (leaky_logits, leaky_dx) = run(&context, &replaced(leaky(0.1))?, &x, &dy)?;
    println!("leak 0.0: logits differ by {:.1e}, gradient by {:.1e}", off(&same_logits, &logits), off(&same_dx, &dx));
    println!("leak 0.1: logits differ by {:.1e}, gradient by {:.1e}", off(&leaky_logits, &logits), off(&leaky_dx, &dx));
    assert_eq!(same_logits, logits);
    assert!(off(&same_dx, &dx) < 1e-6, "no leak: the gradient of the relu");
    assert_eq!(leaky_logits, logits, "a leak changes no output");
    assert!(off(&leaky_dx, &dx) > 0.1, "a leak changes the gradient");
    // Put the graph back into a network, to make prototypes with it or to read its activations.
    network.clone().with_graph(replaced(leaky(0.1))?)?;

    // Compare the gradient of a smooth op with the difference quotient along a direction v: (L(x + hv) - L(x - hv)) / 2h = <dx, v>.
    let mut graph = Graph::new(Shape::new(1, 3, 7, 11));
    let scaled = ScaleShift(ChannelAffine::new(vec![0.5, -1.0, 2.0], vec![0.25; 3]));
    let scaled = graph.push("scaled", scaled, &[graph.input()])?;
    graph.push("gate", Gate, &[scaled, graph.input()])?;
    let len = 3 * 7 * 11;
    let (x, weights, v) = (waves(len, 1.3), waves(len, 2.9), waves(len, 5.1));
    let h = 0.02;
    let loss_at = |h: f32| -> Result<f64> {
        let moved: Vec<f32> = x.iter().zip(&v).map(|(x, v)| x + h * v).collect();
        Ok(dot(&run(&context, &graph, &moved, &weights)?.0, &weights))
    };
    let quotient = (loss_at(h)? - loss_at(-h)?) / (2.0 * f64::from(h));
    let slope = dot(&run(&context, &graph, &x, &weights)?.1, &v);
    println!("gate: slope {slope:.6}, difference quotient {quotient:.6}");
    // h² of truncation and 1e-7 / h of rounding, each times the terms' size.
    assert!((slope - quotient).abs() < 1e-3 * dot(&v, &v).sqrt(), "gate: {slope} is not {quotient}");
    Ok(())
}

/// Numbers in [-1,1] that do not repeat.
fn waves(len: usize, speed: f32) -> Vec<f32> {
    (0..len).map(|i| (speed * i as f32).sin()).collect()
}

fn dot(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
}

/// |a - b| / |b|.
fn off(a: &[f32], b: &[f32]) -> f64 {
    let difference: Vec<f32> = a.iter().zip(b).map(|(a, b)| a - b).collect();
    (dot(&difference, &difference) / dot(b, b)).sqrt()
}
