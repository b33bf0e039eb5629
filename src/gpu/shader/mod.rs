//! The texts of shaders, with `#import` resolved.

mod kernel;
mod reflect;

use std::sync::Arc;

pub use kernel::CustomKernel;
pub(crate) use kernel::Kernel;
pub(crate) use reflect::{Access, Reflected, Reflection, TextureFormat, TextureUse, reflect};

use crate::error::{Error, Result};

macro_rules! sources {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("../../../shaders/", $name, ".wgsl")))),*]
    };
}

/// Every shader and fragment of the crate: name and text. A test compares this list with the folder.
pub(crate) const SOURCES: &[(&str, &str)] = sources![
    "lib/index",
    "lib/avg_pool2d",
    "lib/axes",
    "lib/binary",
    "lib/nan",
    "lib/reduce",
    "lib/feature_row",
    "lib/epilogue",
    "lib/clock",
    "lib/softmax",
    "lib/special",
    "lib/term",
    "lib/conv2d",
    "lib/conv2d_phase",
    "lib/texel",
    "lib/texels",
    "lib/unary",
    "lib/winograd",
    "adam",
    "add",
    "affine_warp",
    "avg_pool2d",
    "avg_pool2d_texels",
    "bench",
    "binary",
    "cat",
    "class_logit",
    "class_terms",
    "colour",
    "concat",
    "conv2d/subgroup",
    "conv2d/sum",
    "conv2d/texels/product",
    "conv2d/texels/window",
    "conv2d/texels/winograd",
    "conv2d/window",
    "conv2d/winograd",
    "conv2d/workgroup",
    "diversity",
    "feature",
    "finish_texels",
    "global_avg_pool2d",
    "global_avg_pool2d_texels",
    "group_norm",
    "history",
    "image_texture",
    "irfft2",
    "l2",
    "linear",
    "local_response_norm",
    "local_response_norm_texels",
    "masked",
    "matmul",
    "max_pool2d",
    "max_pool2d_texels",
    "moves",
    "natural_statistics",
    "natural_statistics_texels",
    "noise",
    "phase",
    "probability_variance",
    "reduce",
    "relu",
    "relu_texels",
    "reveal",
    "roll",
    "scale_shift",
    "silu",
    "soft_top_k",
    "softmax",
    "texels",
    "total_variation",
    "unary",
    "unary_texels",
];

/// The text of a shader: of the crate, or from outside for a custom op.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Source {
    /// The name of a file in `shaders/`, without `.wgsl`.
    Builtin(&'static str),
    /// A name for messages, and the WGSL text, which may `#import` the fragments of the crate.
    Custom(&'static str, Arc<str>),
}

impl Source {
    /// The name of the shader.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Builtin(name) | Self::Custom(name, _) => name,
        }
    }

    /// The complete WGSL text with imports resolved: each fragment once, before the text that imports it.
    ///
    /// # Errors
    /// If an import names no fragment.
    pub(crate) fn resolve(&self) -> Result<String> {
        let text = match self {
            Self::Builtin(name) => builtin(name).ok_or_else(|| Error::Shader(format!("no shader `{name}`")))?,
            Self::Custom(_, text) => text,
        };
        let mut out = String::with_capacity(2 * text.len());
        import(self.name(), text, &mut Vec::new(), &mut out)?;
        Ok(out)
    }
}

fn builtin(name: &str) -> Option<&'static str> {
    SOURCES.iter().find(|(n, _)| *n == name).map(|(_, text)| *text)
}

fn import<'a>(name: &str, text: &'a str, done: &mut Vec<&'a str>, out: &mut String) -> Result<()> {
    for line in text.lines() {
        let Some(fragment) = line.strip_prefix("#import ").map(str::trim) else {
            continue;
        };
        if done.contains(&fragment) {
            continue;
        }
        done.push(fragment);
        let inner = builtin(fragment)
            .filter(|_| fragment.starts_with("lib/"))
            .ok_or_else(|| Error::Shader(format!("{name}: `#import {fragment}` names no fragment of shaders/lib")))?;
        import(fragment, inner, done, out)?;
    }
    for line in text.lines().filter(|line| !line.starts_with("#import ")) {
        out.push_str(line);
        out.push('\n');
    }
    Ok(())
}
