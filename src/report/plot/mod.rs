//! Plots: curves with bands, dots with error bars, and heat maps.
//!
//! A plot is laid out once, as a [`Scene`] of paths, dots and text in an embedded font. The scene is then written as SVG or
//! drawn as PNG. So both look the same on every machine.
//!
//! ```
//! use protogpu::report::plot::{Axis, Curves, Line, Role};
//!
//! let line = Line::new("prototype", Role::Prototype, vec![(1.0, Some(0.2)), (2.0, None), (3.0, Some(0.4))]);
//! let curves = Curves {
//!     title: "Similarity by layer".into(),
//!     x: Axis { title: "layer".into(), ..Axis::default() },
//!     y: Axis { title: "similarity".into(), ..Axis::default() },
//!     lines: vec![line],
//!     ..Curves::default()
//! };
//! let scene = curves.scene();
//! assert!(scene.svg()?.starts_with("<svg"));
//! assert_eq!(scene.png()?[1..4], *b"PNG");
//! # Ok::<(), protogpu::Error>(())
//! ```

mod axis;
mod curves;
mod dots;
pub(super) mod font;
mod heat_map;
mod png;
mod role;
mod scene;

pub use axis::{Axis, stages};
pub use curves::{Curves, Level, Line};
pub use dots::{Bar, Dot, Dots};
pub use heat_map::HeatMap;
pub use role::Role;
pub use scene::Scene;
