//! Shaders: where their text is, how `#import` is resolved, and what naga reads from them.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::error::{Error, Result};

macro_rules! sources {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("../../shaders/", $name, ".wgsl")))),*]
    };
}

/// Every shader and fragment of the crate: name and text. A test compares it with the folder.
pub const SOURCES: &[(&str, &str)] = sources![
    "lib/index",
    "lib/nan",
    "lib/reduce",
    "lib/feature_row",
    "lib/sink",
    "lib/clock",
    "lib/softmax",
    "lib/term",
    "lib/conv2d",
    "lib/conv2d_phase",
    "lib/texel",
    "lib/texels",
    "lib/winograd",
    "adam",
    "add",
    "affine_warp",
    "bench",
    "class_logit",
    "class_terms",
    "colour",
    "concat",
    "conv2d/subgroup",
    "conv2d/sum",
    "conv2d/texels/product",
    "conv2d/texels/winograd",
    "conv2d/winograd",
    "conv2d/workgroup",
    "diversity",
    "feature",
    "global_avg_pool2d",
    "global_avg_pool2d_texels",
    "history",
    "image_texture",
    "irfft2",
    "l2",
    "linear",
    "local_response_norm",
    "local_response_norm_texels",
    "max_pool2d",
    "max_pool2d_texels",
    "probability_variance",
    "relu",
    "scale_shift",
    "silu",
    "texels",
    "texels_sink",
    "total_variation",
];

/// A shader's text: one of the crate's, or one from outside for a custom op.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Source {
    /// Name of a file in `shaders/`, without `.wgsl`.
    Builtin(&'static str),
    /// A name for messages, and the WGSL text; it may `#import` the crate's fragments.
    Custom(&'static str, Arc<str>),
}

impl Source {
    /// The shader's name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Builtin(name) | Self::Custom(name, _) => name,
        }
    }

    /// The whole WGSL text, imports resolved: each fragment once, before the text that imports it.
    ///
    /// # Errors
    /// If an import names no fragment.
    pub fn resolve(&self) -> Result<String> {
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

/// A shader's entry point with its overrides: what a pipeline is made of, and the name in labels, profiles and errors.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Kernel {
    /// The shader.
    pub source: Source,
    /// The entry point.
    pub entry: &'static str,
    /// `override` constants by name; booleans as 0 and 1.
    pub overrides: Vec<(&'static str, u32)>,
}

impl Kernel {
    /// The crate's kernel `file.entry`.
    pub fn new(file: &'static str, entry: &'static str) -> Self {
        Self { source: Source::Builtin(file), entry, overrides: Vec::new() }
    }

    /// A kernel from WGSL text of one's own. Its storage buffers are bound by name; a uniform is called `params`.
    pub fn custom(name: &'static str, wgsl: &str, entry: &'static str) -> Self {
        Self { source: Source::Custom(name, wgsl.into()), entry, overrides: Vec::new() }
    }

    /// The same with an `override` set.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: u32) -> Self {
        self.overrides.push((name, value));
        self
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

/// A binding as naga sees it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Reflected {
    /// `@binding`; the group is always 0.
    pub binding: u32,
    /// What may be done with it.
    pub access: Access,
}

/// How a kernel uses a binding.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Access {
    /// `var<uniform>`.
    Uniform,
    /// `var<storage, read>`.
    Read,
    /// `var<storage, read_write>`.
    ReadWrite,
    /// `texture_storage_2d<FORMAT, read>` or `write`.
    Texture(TextureFormat, TextureUse),
}

/// The formats of storage textures in the crate's shaders.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TextureFormat {
    /// Pictures for a screen.
    Rgba8Unorm,
    /// Tensors of [`super::Layout::Texels`].
    Rgba32Float,
}

/// What a kernel does with a storage texture.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TextureUse {
    /// `textureLoad`.
    Read,
    /// `textureStore`.
    Write,
}

/// What one entry point needs: the source of truth for everything that Rust binds or dispatches.
#[derive(Clone, Debug)]
pub struct Reflection {
    /// Invocations of a workgroup in x, y, z.
    pub workgroup: [u32; 3],
    /// Bytes of workgroup memory.
    pub workgroup_bytes: u32,
    /// Bindings by variable name.
    pub bindings: BTreeMap<String, Reflected>,
    /// Fields and offsets of the uniform `params`, empty without one.
    pub fields: Vec<(String, usize)>,
    /// Size of `params` in bytes.
    pub params_size: usize,
}

/// Parses and validates `kernel` and reads what its entry point needs.
///
/// # Errors
/// With naga's own message, shader and line, if the text is not valid WGSL, if an override or the entry point is unknown,
/// or a binding is outside group 0.
pub fn reflect(kernel: &Kernel) -> Result<Reflection> {
    let text = kernel.source.resolve()?;
    let name = kernel.source.name();
    let module = naga::front::wgsl::parse_str(&text)
        .map_err(|e| Error::Shader(format!("{kernel}: {}", e.emit_to_string_with_path(&text, name))))?;
    let mut validator =
        naga::valid::Validator::new(naga::valid::ValidationFlags::all(), naga::valid::Capabilities::all());
    let info = validator
        .validate(&module)
        .map_err(|e| Error::Shader(format!("{kernel}: {}", e.emit_to_string_with_path(&text, name))))?;
    let known = |wanted: &str| module.overrides.iter().any(|(_, o)| o.name.as_deref() == Some(wanted));
    if let Some((missing, _)) = kernel.overrides.iter().find(|(o, _)| !known(o)) {
        return Err(Error::Shader(format!("{kernel}: no override `{missing}`")));
    }
    let constants = kernel.overrides.iter().map(|&(n, v)| (n.to_owned(), f64::from(v))).collect();
    let stage = naga::ShaderStage::Compute;
    let (module, info) =
        naga::back::pipeline_constants::process_overrides(&module, &info, Some((stage, kernel.entry)), &constants)
            .map_err(|e| Error::Shader(format!("{kernel}: {e}")))?;
    let index = module
        .entry_points
        .iter()
        .position(|e| e.name == kernel.entry && e.stage == stage)
        .ok_or_else(|| Error::Shader(format!("{kernel}: no compute entry point of this name")))?;
    let mut reflection = Reflection {
        workgroup: module.entry_points[index].workgroup_size,
        workgroup_bytes: 0,
        bindings: BTreeMap::new(),
        fields: Vec::new(),
        params_size: 0,
    };
    let uses = info.get_entry_point(index);
    for (handle, variable) in module.global_variables.iter().filter(|(handle, _)| !uses[*handle].is_empty()) {
        let size = module.types[variable.ty].inner.size(module.to_ctx());
        let access = match variable.space {
            naga::AddressSpace::WorkGroup => {
                reflection.workgroup_bytes += size;
                continue;
            }
            naga::AddressSpace::Uniform => Access::Uniform,
            naga::AddressSpace::Storage { access } if access.contains(naga::StorageAccess::STORE) => Access::ReadWrite,
            naga::AddressSpace::Storage { .. } => Access::Read,
            naga::AddressSpace::Handle => texture(&module.types[variable.ty].inner)
                .ok_or_else(|| Error::Shader(format!("{kernel}: `{}` is of no kind that is bound", label(variable))))?,
            _ => continue,
        };
        let (Some(name), Some(at)) = (&variable.name, &variable.binding) else {
            return Err(Error::Shader(format!("{kernel}: {handle:?} has no name or binding")));
        };
        if at.group != 0 {
            return Err(Error::Shader(format!("{kernel}: `{name}` is in group {}, not 0", at.group)));
        }
        if access == Access::Uniform {
            reflection.params_size = size as usize;
            if let naga::TypeInner::Struct { members, .. } = &module.types[variable.ty].inner {
                let field = |m: &naga::StructMember| (m.name.clone().unwrap_or_default(), m.offset as usize);
                reflection.fields = members.iter().map(field).collect();
            }
        }
        reflection.bindings.insert(name.clone(), Reflected { binding: at.binding, access });
    }
    Ok(reflection)
}

fn label(variable: &naga::GlobalVariable) -> &str {
    variable.name.as_deref().unwrap_or("a variable")
}

fn texture(ty: &naga::TypeInner) -> Option<Access> {
    let naga::TypeInner::Image { class: naga::ImageClass::Storage { format, access }, .. } = ty else { return None };
    let format = match format {
        naga::StorageFormat::Rgba8Unorm => TextureFormat::Rgba8Unorm,
        naga::StorageFormat::Rgba32Float => TextureFormat::Rgba32Float,
        _ => return None,
    };
    let written = access.contains(naga::StorageAccess::STORE);
    Some(Access::Texture(format, if written { TextureUse::Write } else { TextureUse::Read }))
}
