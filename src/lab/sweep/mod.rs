//! Sweeps: the grid of settings, and a sweep's folder.

pub(crate) mod files;
pub(crate) mod grid;
