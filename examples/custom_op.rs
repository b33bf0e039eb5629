//! Ops from outside of the crate, with WGSL of their own, forward and backward. `cargo run --example custom_op`
//!
//! One replaces every relu of ResNet-18: the same outputs, but a gradient that also passes where the unit is
//! off. Feature visualisation uses this to start from images that hardly excite a unit. The other, softplus, is smooth,
//! so that its gradient can be held against a difference quotient.

use std::sync::Arc;

use protogpu::gpu::{AdapterChoice, Context, Grid, Kernel, Plan, Recording};
use protogpu::graph::{CustomOp, Graph, Op, Retain};
use protogpu::networks::{Architecture, Network};
use protogpu::ops::{ConvAlgorithms, Tensor};
use protogpu::{Result, Shape, params};

/// Storage buffers are bound by their names here; `flat_index` and `WORKGROUP` come from the import.
const WGSL: &str = "
#import lib/index

struct Params { len: u32, leak: f32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@group(0) @binding(3) var<storage, read> dy: array<f32>;
@group(0) @binding(4) var<storage, read_write> dx: array<f32>;

@compute @workgroup_size(WORKGROUP)
fn relu(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let i = flat_index(id, groups);
    if i < params.len {
        y[i] = max(x[i], 0.0);
    }
}

// dx = dy where the unit is on, leak * dy where it is off.
@compute @workgroup_size(WORKGROUP)
fn relu_backward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let i = flat_index(id, groups);
    if i < params.len {
        dx[i] = dy[i] * select(params.leak, 1.0, x[i] > 0.0);
    }
}

// y = log(1 + exp(x)), without overflow.
@compute @workgroup_size(WORKGROUP)
fn softplus(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let i = flat_index(id, groups);
    if i < params.len {
        y[i] = max(x[i], 0.0) + log(1.0 + exp(-abs(x[i])));
    }
}

// dx = dy / (1 + exp(-x)).
@compute @workgroup_size(WORKGROUP)
fn softplus_backward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let i = flat_index(id, groups);
    if i < params.len {
        dx[i] = dy[i] / (1.0 + exp(-x[i]));
    }
}
";

params! {
    /// Mirrors `Params` above; names and offsets are compared when the plan is built.
    struct PointwiseParams { len: u32, leak: f32 }
}

/// An op that treats every element alike.
#[derive(Debug)]
struct Pointwise {
    forward: &'static str,
    backward: &'static str,
    leak: f32,
}

impl Pointwise {
    fn params(&self, x: Tensor) -> (PointwiseParams, Grid) {
        let len = x.shape.len();
        (PointwiseParams { len: len as u32, leak: self.leak }, Grid::Each(len))
    }
}

impl CustomOp for Pointwise {
    fn name(&self) -> &str {
        self.forward
    }

    fn output(&self, _label: &str, x: Shape) -> Result<Shape> {
        Ok(x)
    }

    fn forward(&self, rec: &mut Recording, label: &str, x: Tensor, y: Tensor) -> Result<()> {
        let (params, grid) = self.params(x);
        let kernel = Kernel::custom("custom_op", WGSL, self.forward);
        rec.dispatch(label, kernel, &[x.bind("x"), y.bind("y")], &params, grid, x.shape.len() as u64)
    }

    fn backward(&self, rec: &mut Recording, label: &str, dy: Tensor, x: Tensor, _y: Tensor, dx: Tensor) -> Result<()> {
        let (params, grid) = self.params(x);
        let kernel = Kernel::custom("custom_op", WGSL, self.backward);
        let bindings = [dy.bind("dy"), x.bind("x"), dx.bind("dx")];
        rec.dispatch(label, kernel, &bindings, &params, grid, x.shape.len() as u64)
    }
}

/// y of x, and dx of dy = `dy`.
fn run(context: &Context, graph: &Graph, x: &[f32], dy: &[f32]) -> Result<(Vec<f32>, Vec<f32>)> {
    let mut rec = Recording::new();
    let input = Tensor::kept(&mut rec, "x", graph.node(graph.input()).shape);
    let seed = Tensor::kept(&mut rec, "dy", graph.node(graph.output()).shape);
    let choices = ConvAlgorithms::fixed(context.capabilities());
    let acts = graph.record_forward(&mut rec, &choices, input, Retain::All)?;
    let dinput = graph.record_backward(&mut rec, &choices, &acts, seed)?;
    let plan = Plan::new(context, rec)?;
    plan.write(input.id, x)?;
    plan.write(seed.id, dy)?;
    plan.submit("step", 1);
    Ok((plan.read(acts.of(graph.output()).id)?, plan.read(dinput.id)?))
}

fn main() -> Result<()> {
    let context = Context::new(&AdapterChoice::Best)?;

    // Every relu of a network exchanged for the custom one.
    let network = Network::generated(Architecture::ResNet18, 16, 15, 0)?;
    let leaky =
        |leak| -> Arc<dyn CustomOp> { Arc::new(Pointwise { forward: "relu", backward: "relu_backward", leak }) };
    let replaced = |op: Arc<dyn CustomOp>| {
        network.graph().map(|node| matches!(node.op, Op::Relu).then(|| Op::Custom(Arc::clone(&op))))
    };
    let x = waves(network.input().len(), 0.7);
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
    // The graph goes back into a network, to optimise with or to look into.
    network.clone().with_graph(replaced(leaky(0.1))?)?;

    // A smooth op against the difference quotient along a direction v: (L(x + hv) - L(x - hv)) / 2h = <dx, v>.
    let mut graph = Graph::new(Shape::new(1, 3, 7, 11));
    let softplus = Pointwise { forward: "softplus", backward: "softplus_backward", leak: 0.0 };
    graph.push("softplus", Op::Custom(Arc::new(softplus)), &[graph.input()])?;
    let len = 3 * 7 * 11;
    let (x, weights, v) = (waves(len, 1.3), waves(len, 2.9), waves(len, 5.1));
    let h = 0.02;
    let loss_at = |h: f32| -> Result<f64> {
        let moved: Vec<f32> = x.iter().zip(&v).map(|(x, v)| x + h * v).collect();
        Ok(dot(&run(&context, &graph, &moved, &weights)?.0, &weights))
    };
    let quotient = (loss_at(h)? - loss_at(-h)?) / (2.0 * f64::from(h));
    let slope = dot(&run(&context, &graph, &x, &weights)?.1, &v);
    println!("softplus: slope {slope:.6}, difference quotient {quotient:.6}");
    // h² of truncation and 1e-7 / h of rounding, each times the terms' size.
    assert!((slope - quotient).abs() < 1e-3 * dot(&v, &v).sqrt(), "softplus: {slope} is not {quotient}");
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
