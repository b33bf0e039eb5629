//! Prototype Generation on the GPU: images of what an image classifier has learned about a class.
//!
//! A prototype starts as noise. Steps of Adam change its pixels until the network is sure of the class, without any photograph (Tagade
//! and Rumbelow, 2023). Forward pass, backward pass, warps, losses and Adam are handwritten WGSL kernels that run through wgpu.
//! Gradients go to pixels and activations, never to weights.
//!
//! | Module | Content |
//! |---|---|
//! | [`networks`] | [`Network`](networks::Network): an architecture with its weights. Two are [built in](networks::embedded) |
//! | [`method`] | [`Session`](method::Session) makes prototypes, as [`Settings`](method::Settings) say, towards a class or another [`Objective`](method::Objective) |
//! | [`analysis`] | what a network makes of an image: its classes, the activations of its modules, the gradient of a logit |
//! | [`gpu`] | [`Context`](gpu::Context) is a device. A [`Recording`](gpu::Recording) is work as plain data; a [`Plan`](gpu::Plan) is the same work as buffers, pipelines and bind groups |
//! | [`ops`], [`graph`] | the operations of networks, and networks as nodes |
//! | [`weights`], [`labels`], [`picture`], [`tensor_file`] | files: safetensors, PyTorch files, class names, images |
//!
//! A function waits for the device only if its documentation says so. All errors are [`Error`]; [`Error::is_input`] tells wrong
//! input from a failing device.
//!
//! Each example below is short. `docs/library.md` in the repository has more, and the folder `examples` has whole programs:
//! `minimal`, `embed`, `custom_op` and `custom_loss`.
//!
//! # Make a prototype
//!
//! ```
//! use protogpu::gpu::{AdapterChoice, Context};
//! use protogpu::method::{Job, Session, Settings};
//! use protogpu::networks::embedded;
//!
//! let context = Context::new(&AdapterChoice::Best)?;
//! let network = embedded::default()?;
//! let class = network.labels().find("lighthouse")?;
//!
//! // A prototype takes 512 steps, the default. Two suffice here.
//! let settings = Settings { steps: 2, ..Settings::default() };
//! let job = Job { class, seed: 0, init: None };
//! let mut session = Session::new(&context, &network, &settings, &[job])?;
//! session.advance(2)?;
//!
//! let image: &[f32] = &session.images()?[0]; // [3,224,224], in [0,1] or a little beyond
//! assert_eq!(image.len(), 3 * 224 * 224);
//! assert_eq!(session.histories()[0].column("logit").len(), 2);
//! # Ok::<(), protogpu::Error>(())
//! ```
//!
//! # Read activations
//!
//! ```
//! use protogpu::analysis::Activations;
//! use protogpu::gpu::{AdapterChoice, Context};
//! use protogpu::networks::{Semantics, embedded};
//!
//! let context = Context::new(&AdapterChoice::Best)?;
//! let network = embedded::default()?;
//! let grey = vec![0.5; network.image().len()]; // or `picture::preprocess("photo.jpg", network.image())?`
//!
//! let mut activations = Activations::new(&context, &network, 1)?;
//! activations.run(&grey)?;
//! let (shape, values) = activations.read(network.module("layer3.1")?, Semantics::Snapshot)?;
//! assert_eq!(values.len(), shape.len());
//! # Ok::<(), protogpu::Error>(())
//! ```
//!
//! # Bring an op
//!
//! An op implements [`ops::Op`] and stands in a [`graph::Graph`] like those of the crate. [`graph::Graph::map`] exchanges the ops of
//! a network.
//!
//! ```
//! use protogpu::gpu::{AdapterChoice, Context, CustomKernel, Grid, Plan, Recording};
//! use protogpu::graph::{Graph, Retain};
//! use protogpu::ops::{Backward, ConvAlgorithms, Forward, Op, Saved, Tensor, only};
//! use protogpu::{Result, Shape, params};
//!
//! /// y = 2 x, so dx = 2 dy: one kernel serves both.
//! #[derive(Debug)]
//! struct Double;
//!
//! const DOUBLE: &str = "
//! #import lib/index
//! struct Params { len: u32 }
//! @group(0) @binding(0) var<uniform> params: Params;
//! @group(0) @binding(1) var<storage, read> x: array<f32>;
//! @group(0) @binding(2) var<storage, read_write> y: array<f32>;
//!
//! @compute @workgroup_size(WORKGROUP)
//! fn double(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
//!     let i = flat_index(id, groups);
//!     if i < params.len { y[i] = 2.0 * x[i]; }
//! }";
//! params! { struct DoubleParams { len: u32 } }
//!
//! fn double(rec: &mut Recording, label: &str, x: Tensor, y: Tensor) -> Result<()> {
//!     let (len, kernel) = (x.shape.len(), CustomKernel::new("double", DOUBLE, "double"));
//!     let params = DoubleParams { len: len as u32 };
//!     rec.dispatch_custom(label, kernel, &[x.bind("x"), y.bind("y")], &params, Grid::Each(len), len as u64)
//! }
//!
//! impl Op for Double {
//!     fn name(&self) -> &str {
//!         "double"
//!     }
//!     fn output(&self, label: &str, xs: &[Shape]) -> Result<Shape> {
//!         only(self.name(), label, xs)
//!     }
//!     fn forward(&self, cx: &mut Forward<'_>, xs: &[Tensor], y: Tensor) -> Result<Saved> {
//!         double(cx.rec, cx.label, xs[0], y)?;
//!         Ok(Saved::new())
//!     }
//!     fn backward(&self, cx: &mut Backward<'_>) -> Result<()> {
//!         let dx = cx.xs[0].like(cx.rec, "dx");
//!         double(cx.rec, cx.label, cx.dy, dx)?;
//!         cx.deliver(0, dx)
//!     }
//! }
//!
//! let context = Context::new(&AdapterChoice::Best)?;
//! let mut graph = Graph::new(Shape::new(1, 1, 2, 2));
//! let output = graph.push("double", Double, &[graph.input()])?;
//!
//! let mut rec = Recording::new();
//! let x = Tensor::kept(&mut rec, "x", Shape::new(1, 1, 2, 2));
//! let algorithms = ConvAlgorithms::fixed(context.capabilities());
//! let outputs = graph.record_forward(&mut rec, &algorithms, x, Retain::All)?;
//! let plan = Plan::new(&context, rec)?;
//! plan.write(x.id, &[1.0_f32, 2.0, 3.0, 4.0])?;
//! plan.submit("step", 1);
//! assert_eq!(plan.read(outputs.of(output).id)?, [2.0, 4.0, 6.0, 8.0]);
//! # Ok::<(), protogpu::Error>(())
//! ```
//!
//! # Bring a loss
//!
//! A term implements [`method::LossTerm`]. It reads the image or the outputs of modules, and its values become columns of the
//! history.
//!
//! ```
//! use std::ops::Range;
//! use std::sync::Arc;
//!
//! use protogpu::gpu::{AdapterChoice, Context, CustomKernel, Grid, Recording};
//! use protogpu::method::losses::{Column, LossTerm, Moment, Read, Slot, Source, TermParams};
//! use protogpu::method::{Job, Overrides, Session, Settings};
//! use protogpu::networks::{Network, embedded};
//! use protogpu::{Result, Shape, params};
//!
//! /// L = the mean of the pixels, so a positive weight makes the image dark.
//! struct Brightness {
//!     weight: f64,
//! }
//!
//! // `lib/term` knows the step's weight, and where value and gradient go. One workgroup an image.
//! const BRIGHTNESS: &str = "
//! #import lib/reduce
//! #import lib/term
//! struct Params { term: Term, len: u32 }
//! @group(0) @binding(0) var<uniform> params: Params;
//! @group(0) @binding(1) var<storage, read> x: array<f32>;
//!
//! @compute @workgroup_size(LANES)
//! fn step(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
//!     var sum = 0.0;
//!     for (var i = lane; i < params.len; i += LANES) {
//!         sum += x[group.x * params.len + i];
//!         deliver(group.x * params.len + i, weight_now() / f32(params.len));
//!     }
//!     let total = reduce_sum(sum, lane);
//!     if lane == 0u { values[value_at(group.x, 0u)] = total / f32(params.len); }
//! }";
//! params! { struct BrightnessParams { term: TermParams, len: u32 } }
//!
//! impl LossTerm for Brightness {
//!     fn name(&self) -> &str {
//!         "brightness"
//!     }
//!     fn reads(&self, _: &Network) -> Result<Vec<Source>> {
//!         Ok(vec![Source::Image])
//!     }
//!     fn columns(&self, _: &[Shape]) -> Vec<Column> {
//!         vec![Column::named("brightness")]
//!     }
//!     fn weight(&self, at: Moment) -> f64 {
//!         at.in_prototype(self.weight)
//!     }
//!     fn record(&self, rec: &mut Recording, slot: &Slot, _: Range<usize>, sources: &[Read]) -> Result<()> {
//!         let read = sources[0];
//!         let [n, c, h, w] = read.nchw(self.name())?;
//!         let [weights, clock] = slot.weight();
//!         let bindings = [read.x.bind("x"), weights, clock, slot.values(n, 1)?, read.dx.bind("dx")];
//!         let params = BrightnessParams { term: slot.params(), len: (c * h * w) as u32 };
//!         let kernel = read.custom_kernel(CustomKernel::new("brightness", BRIGHTNESS, "step"));
//!         rec.dispatch_custom(self.name(), kernel, &bindings, &params, Grid::Workgroups([n, 1, 1]), 0)
//!     }
//! }
//!
//! let context = Context::new(&AdapterChoice::Best)?;
//! let network = embedded::default()?;
//! let overrides = Overrides { terms: vec![Arc::new(Brightness { weight: 10.0 })], ..Overrides::default() };
//! let settings = Settings { steps: 2, ..Settings::default() };
//! let job = Job { class: 0, seed: 0, init: None };
//! let mut session = Session::with_overrides(&context, &network, &settings, &[job], overrides)?;
//! session.advance(2)?;
//! assert_eq!(session.histories()[0].column("brightness").len(), 2);
//! # Ok::<(), protogpu::Error>(())
//! ```
//!
//! # Embed it without blocking
//!
//! protogpu takes the device and queue of its host and records into the host's command encoder. The host submits and polls; nothing
//! here waits.
//!
//! ```
//! use protogpu::gpu::Context;
//! use protogpu::method::{Job, Overrides, Session, Settings};
//! use protogpu::networks::embedded;
//!
//! async fn prototype(device: wgpu::Device, queue: wgpu::Queue) -> Result<(), Box<dyn std::error::Error>> {
//!     let context = Context::from_device(device.clone(), queue.clone());
//!     let network = embedded::default()?;
//!     let settings = Settings { steps: 4, ..Settings::default() };
//!     let job = Job { class: 0, seed: 0, init: None };
//!     let mut session = Session::prepare(&context, &network, &settings, &[job], Overrides::default()).await?;
//!     let image = session.image_texture(0)?; // `image.view()` is for the host to draw
//!
//!     for _frame in 0..4 {
//!         let mut encoder = device.create_command_encoder(&Default::default());
//!         session.record(&mut encoder, 1)?;
//!         image.record(&mut encoder);
//!         queue.submit([encoder.finish()]);
//!     }
//!
//!     // Results are asked for in one frame, and taken in a later one when they have arrived.
//!     let mut encoder = device.create_command_encoder(&Default::default());
//!     let mut losses = session.record_losses(&mut encoder);
//!     queue.submit([encoder.finish()]);
//!     while !session.take_losses(&mut losses)? {
//!         device.poll(wgpu::PollType::Poll)?;
//!     }
//!     assert_eq!(session.histories()[0].len(), 4);
//!     Ok(())
//! }
//! # let context = Context::new(&protogpu::gpu::AdapterChoice::Best)?;
//! # pollster::block_on(prototype(context.device().clone(), context.queue().clone()))?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![cfg_attr(not(feature = "cli"), allow(dead_code, reason = "the command line uses what embedders do not see"))]

#[cfg(not(any(feature = "native", feature = "web")))]
compile_error!("enable the feature `native`, or `web` for a browser");

// `params!` names the crate from inside and from outside alike.
extern crate self as protogpu;

pub mod analysis;
#[cfg(feature = "native")]
pub mod atomic;
pub mod bounded;
#[cfg(feature = "cli")]
mod cli;
pub mod digest;
pub mod error;
pub mod gpu;
pub mod graph;
#[cfg(feature = "cli")]
mod lab;
pub mod labels;
pub mod method;
mod named;
pub mod networks;
pub mod ops;
pub mod picture;
#[cfg(feature = "cli")]
mod report;
pub mod shape;
mod suggest;
pub mod tensor_file;
#[cfg(feature = "native")]
pub mod tuning;
pub mod weights;
#[cfg(feature = "cli")]
mod world;

pub use error::{Error, Result, SettingsError};
pub use shape::{ImageSpec, Shape};

#[cfg(feature = "cli")]
#[doc(hidden)]
pub use cli::main;

/// The examples in README.md and docs/library.md compile.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
#[doc = include_str!("../docs/library.md")]
struct Readme;

/// Tests that see the crate from inside; they lie in `tests/`.
#[cfg(test)]
#[path = "../tests/inside.rs"]
mod tests;
