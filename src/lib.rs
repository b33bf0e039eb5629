//! Prototype Generation on the GPU: what an image network has learned, drawn by handwritten WGSL kernels.
//!
//! ```
//! use protogpu::gpu::{AdapterChoice, Context};
//! use protogpu::networks::embedded;
//! use protogpu::method::{Job, Session, Settings};
//!
//! let context = Context::new(&AdapterChoice::Best)?;
//! let network = embedded::default()?;
//! let class = network.labels().find("lighthouse")?;
//!
//! // 512 steps make a prototype; two show how.
//! let settings = Settings { steps: 2, ..Settings::default() };
//! let job = Job { class, seed: 0, init: None };
//! let mut session = Session::new(&context, &network, &settings, &[job])?;
//! session.advance(2)?;
//!
//! let image = &session.images()?[0];
//! assert_eq!(image.len(), 3 * 224 * 224);
//! let history = &session.histories()[0];
//! assert_eq!(history.column("logit").len(), 2);
//! # Ok::<(), protogpu::Error>(())
//! ```
//!
//! [`networks::Network`] is a network with its weights, [`method::Session`] makes prototypes of its classes, [`analysis`] looks
//! into it. A program with a device of its own starts from [`gpu::Context::from_device`] and records steps with
//! [`method::Session::record`]; nothing then blocks. [`ops::Op`] is the trait of an op, also from outside.
//!
//! Below that, ops append commands to a [`gpu::Recording`], which is plain data, and a [`gpu::Plan`] makes buffers, pipelines and
//! bind groups of it once. Gradients go to pixels and activations; weights get none.

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
