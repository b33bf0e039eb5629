//! Plots: curves with bands, dots with error bars, points over two measures, and heat maps.
//!
//! A plot is laid out once, as a [`Scene`] of paths, dots and text in an embedded font. The scene is then written as SVG or
//! drawn as PNG. So both look the same on every machine.

mod axis;
mod curves;
mod dots;
pub(super) mod font;
mod heat_map;
mod png;
mod role;
mod scatter;
mod scene;

pub(crate) use axis::{Axis, stages};
pub(crate) use curves::{Curves, Level, Line};
pub(crate) use dots::{Bar, Dot, Dots};
pub(crate) use heat_map::HeatMap;
pub(crate) use role::Role;
pub(crate) use scatter::{Scatter, ScatterPoint};
pub(crate) use scene::Scene;
