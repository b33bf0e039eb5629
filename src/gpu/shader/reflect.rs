//! Reads bindings, workgroup size and parameters of a kernel with naga, so that Rust need not repeat them.

use std::collections::BTreeMap;

use super::Kernel;
use crate::error::{Error, Result};

/// A binding as naga sees it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Reflected {
    /// `@binding`; the group is always 0.
    pub(crate) binding: u32,
    /// How the kernel may use it.
    pub(crate) access: Access,
    /// The fewest bytes of a buffer that the type in the shader needs; an array without a length needs one element.
    pub(crate) min_bytes: u64,
}

/// How a kernel uses a binding.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Access {
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
pub(crate) enum TextureFormat {
    /// Images for a screen.
    Rgba8Unorm,
    /// Tensors of [`crate::gpu::Layout::Texels`].
    Rgba32Float,
}

/// How a kernel uses a storage texture.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum TextureUse {
    /// `textureLoad`.
    Read,
    /// `textureStore`.
    Write,
}

/// The needs of an entry point: the source of truth for everything that Rust binds or dispatches.
#[derive(Clone, Debug)]
pub(crate) struct Reflection {
    /// Invocations of a workgroup in x, y and z.
    pub(crate) workgroup: [u32; 3],
    /// Bytes of workgroup memory.
    pub(crate) workgroup_bytes: u32,
    /// Bindings by variable name.
    pub(crate) bindings: BTreeMap<String, Reflected>,
    /// Fields and offsets of the uniform `params`, empty without one.
    pub(crate) fields: Vec<(String, usize)>,
    /// Size of `params` in bytes.
    pub(crate) params_size: usize,
}

/// Parses and validates `kernel`, and reads the needs of its entry point.
///
/// # Errors
/// If the text is not valid WGSL (with naga's message, the shader and the line), an override or the entry point is unknown, or a
/// binding is outside group 0.
pub(crate) fn reflect(kernel: &Kernel) -> Result<Reflection> {
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
        reflection.bindings.insert(name.clone(), Reflected { binding: at.binding, access, min_bytes: size.into() });
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
