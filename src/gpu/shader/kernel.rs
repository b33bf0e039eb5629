//! Kernels, of the crate and from outside: entry points of shaders with their overrides.

use std::fmt;

use super::Source;

/// An entry point of a shader with its overrides. A pipeline is made from it; labels, profiles and errors have its name.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Kernel {
    /// The shader.
    pub(crate) source: Source,
    /// The entry point.
    pub(crate) entry: &'static str,
    /// `override` constants by name; booleans as 0 and 1.
    pub(crate) overrides: Vec<(&'static str, u32)>,
}

impl Kernel {
    /// The kernel `file.entry` of the crate.
    pub(crate) fn new(file: &'static str, entry: &'static str) -> Self {
        Self { source: Source::Builtin(file), entry, overrides: Vec::new() }
    }

    /// The same kernel with an `override` set.
    #[must_use]
    pub(crate) fn with(mut self, name: &'static str, value: u32) -> Self {
        self.overrides.push((name, value));
        self
    }
}

/// A kernel from outside the crate, for [`crate::gpu::Recording::dispatch_custom`]. It is compiled with every check that WebGPU
/// promises, so it can touch only the tensors bound to it.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct CustomKernel(Kernel);

impl CustomKernel {
    /// The entry point `entry` of a WGSL text, which may `#import` the fragments of `shaders/lib`. `name` is for messages. Storage
    /// buffers are bound by name, and a uniform must have the name `params`.
    pub fn new(name: &'static str, wgsl: &str, entry: &'static str) -> Self {
        Self(Kernel { source: Source::Custom(name, wgsl.into()), entry, overrides: Vec::new() })
    }

    /// The same kernel with an `override` set.
    #[must_use]
    pub fn with(self, name: &'static str, value: u32) -> Self {
        Self(self.0.with(name, value))
    }
}

impl From<CustomKernel> for Kernel {
    fn from(custom: CustomKernel) -> Self {
        custom.0
    }
}

impl fmt::Display for Kernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.source.name(), self.entry)?;
        for (name, value) in &self.overrides {
            write!(f, " {name}={value}")?;
        }
        Ok(())
    }
}
