//! Kernels: entry points of shaders with their overrides, the crate's own and those from outside.

use std::fmt;

use super::Source;

/// A shader's entry point with its overrides: what a pipeline is made of, and the name in labels, profiles and errors.
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
    /// The crate's kernel `file.entry`.
    pub(crate) fn new(file: &'static str, entry: &'static str) -> Self {
        Self { source: Source::Builtin(file), entry, overrides: Vec::new() }
    }

    /// The same with an `override` set.
    #[must_use]
    pub(crate) fn with(mut self, name: &'static str, value: u32) -> Self {
        self.overrides.push((name, value));
        self
    }
}

/// A kernel from outside of the crate, for [`crate::gpu::Recording::dispatch_custom`]. It is compiled with every check that WebGPU
/// promises: whatever it does, it touches only what is bound to it.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct CustomKernel(Kernel);

impl CustomKernel {
    /// The entry point `entry` of WGSL text, which may `#import` the fragments of `shaders/lib`; `name` is for messages. Its storage
    /// buffers are bound by name; a uniform is called `params`.
    pub fn new(name: &'static str, wgsl: &str, entry: &'static str) -> Self {
        Self(Kernel { source: Source::Custom(name, wgsl.into()), entry, overrides: Vec::new() })
    }

    /// The same with an `override` set.
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
