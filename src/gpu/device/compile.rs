//! Compiles kernels into pipelines. The next section explains why this is safe.
//!
//! # Safety
//!
//! The shaders of the crate are compiled without bounds checks, which would cost up to a third of a step on software adapters. In
//! such a kernel, an index past the end of a tensor reads or writes memory that belongs to something else. Safe code must not be
//! able to cause such an index, whatever it calls, in whatever order. This is the complete argument:
//!
//! 1. **Only the crate dispatches unchecked kernels**: ops, terms of the loss, their ledger, the measurement of peak rates, and
//!    [`crate::gpu::ImageTexture`], which binds a whole image outside of a recording and checks the index of the image before.
//!    `Kernel` and `Recording::dispatch` are `pub(crate)`. A [`crate::gpu::CustomKernel`] always has [`Source::Custom`], which keeps
//!    every check: bounds, loops that must end, zeroed workgroup memory.
//! 2. **An op derives its parameters and its bindings from the same shapes.** With each binding, it states how many elements the
//!    kernel touches for these parameters. `Recording::dispatch` compares this number with the tensor. Shapes multiply without
//!    wrapping around, and no binding exceeds `MAX_ELEMENTS`, so each extent, and each index below it, is exact in u32 and i32. Ops
//!    and terms refuse shapes that disagree and shapes without elements. Whether elements are words or texels is a property of the
//!    stored tensor, which the handle carries, and not of the public field `format`.
//! 3. **A tensor does not change after it was bound.** It never shrinks, other recordings refuse its handle, and a view lies within
//!    its tensor. A plan refuses a kernel whose uniform differs from its Rust mirror, a buffer in place of a texture, a buffer that
//!    is shorter than the type in the shader, and more workgroups than the device allows.
//! 4. **No shader trusts the contents of a buffer as an index**, because a host, a custom kernel or [`crate::gpu::Plan::write`] may
//!    have written them: the clock, the class of an image, the channel and the position of a feature, the maps of a warp. Shaders
//!    clamp these. They only compare the positions of the maxima of a pool.
//! 5. **Index tables are the exception**: the phases and taps of convolutions are indices that their op computed. They are
//!    [`crate::gpu::Recording::table`]s, which are identified by their words, so each handle leads to the words that its op gave.
//!    And nothing writes to a constant: [`crate::gpu::Plan::write`] refuses to, a plan refuses kernels that would,
//!    [`crate::gpu::Plan::buffer`] does not hand constants out, and a constant has exactly the stated number of words.
//! 6. **Loops end**: each has a bound that its invocation does not change.
//!
//! The op tests check point 2 for each op and many shapes: they surround every buffer with sentinels. `tests/sound.rs` checks the
//! others: it misuses each public function.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use super::driver_cache::DriverCache;
use super::errors::Errors;
use super::work;
use crate::error::Result;
use crate::gpu::shader::{Access, Kernel, Reflected, Reflection, Source, TextureFormat, TextureUse, reflect};

/// A kernel on a device.
#[derive(Debug)]
pub(in crate::gpu) struct Pipeline {
    pub(in crate::gpu) pipeline: wgpu::ComputePipeline,
    pub(in crate::gpu) layout: wgpu::BindGroupLayout,
    pub(in crate::gpu) reflection: Reflection,
}

/// The pipeline of a kernel, once it is compiled. It is locked during compilation, so that a second thread that needs the same kernel
/// waits for the first; the table of slots is never locked meanwhile. The threads of [`work`] wait here, and a future does not: it asks
/// for a pipeline only after they have compiled it.
type Slot = Arc<Mutex<Option<Arc<Pipeline>>>>;

/// The pipelines compiled for a device, each kernel once.
#[derive(Debug)]
pub(in crate::gpu) struct Pipelines {
    device: wgpu::Device,
    /// The pipeline cache in which the driver collects compiled code, if it has one.
    pub(super) driver_cache: OnceLock<DriverCache>,
    slots: Mutex<HashMap<Kernel, Slot>>,
}

impl Pipelines {
    pub(super) fn new(device: &wgpu::Device) -> Arc<Self> {
        Arc::new(Self { device: device.clone(), driver_cache: OnceLock::new(), slots: Mutex::default() })
    }

    fn slots(&self) -> MutexGuard<'_, HashMap<Kernel, Slot>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether nothing is compiled yet.
    pub(super) fn is_empty(&self) -> bool {
        self.slots().is_empty()
    }

    /// The pipeline of a kernel. Compiles it the first time.
    ///
    /// # Errors
    /// If the kernel is not valid, or the device refuses it. On the web, `errors` reports a refusal later.
    pub(in crate::gpu) fn get(&self, kernel: &Kernel, errors: &mut Errors) -> Result<Arc<Pipeline>> {
        let slot = Arc::clone(self.slots().entry(kernel.clone()).or_default());
        let mut made = slot.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pipeline) = &*made {
            return Ok(Arc::clone(pipeline));
        }
        let pipeline = Arc::new(compile(&self.device, self.driver_cache.get(), kernel, errors)?);
        *made = Some(Arc::clone(&pipeline));
        Ok(pipeline)
    }

    /// Compiles kernels, several at a time if there are threads. The work begins at once; the returned future waits for its end.
    pub(in crate::gpu) fn begin(self: &Arc<Self>, kernels: Vec<Kernel>) -> impl Future<Output = Result<()>> + use<> {
        let own = Arc::clone(self);
        let work = work::begin(kernels, move |kernel, errors| own.get(kernel, errors).map(|_| ()));
        let own = Arc::clone(self);
        async move {
            let (kernels, result) = work.await;
            if result.is_err() {
                // On the web, an invalid pipeline may be in the table already.
                let mut slots = own.slots();
                kernels.iter().for_each(|kernel| drop(slots.remove(kernel)));
            }
            result
        }
    }
}

fn compile(
    device: &wgpu::Device,
    driver_cache: Option<&DriverCache>,
    kernel: &Kernel,
    errors: &mut Errors,
) -> Result<Pipeline> {
    let reflection = reflect(kernel)?;
    let label = kernel.to_string();
    let text = kernel.source.resolve()?;
    let outside = matches!(kernel.source, Source::Custom(..));
    let checked = wgpu::ShaderRuntimeChecks::checked();
    let checks = match outside {
        true => checked,
        false => wgpu::ShaderRuntimeChecks { bounds_checks: false, force_loop_bounding: false, ..checked },
    };
    let descriptor =
        wgpu::ShaderModuleDescriptor { label: Some(&label), source: wgpu::ShaderSource::Wgsl(text.into()) };
    errors.catch(device, &format!("compiling {label}"), || {
        // SAFETY: see the top of this file.
        let module = unsafe { device.create_shader_module_trusted(descriptor, checks) };
        let layout = device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
            label: Some(&label),
            entries: &reflection.bindings.values().map(layout_entry).collect::<Vec<_>>(),
        });
        let pipeline_layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label: Some(&label),
            bind_group_layouts: &[Some(&layout)],
            immediate_size: 0,
        });
        let constants: Vec<_> = kernel.overrides.iter().map(|&(n, v)| (n, f64::from(v))).collect();
        let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some(&label),
            layout: Some(&pipeline_layout),
            module: &module,
            entry_point: Some(kernel.entry),
            compilation_options: wgpu::PipelineCompilationOptions {
                constants: &constants,
                zero_initialize_workgroup_memory: outside,
            },
            cache: driver_cache.map(|kept| &kept.cache),
        });
        Pipeline { pipeline, layout, reflection }
    })
}

fn layout_entry(reflected: &Reflected) -> wgpu::BindGroupLayoutEntry {
    let min_binding_size = wgpu::BufferSize::new(reflected.min_bytes);
    let buffer = |ty| wgpu::BindingType::Buffer { ty, has_dynamic_offset: false, min_binding_size };
    let ty = match reflected.access {
        Access::Uniform => buffer(wgpu::BufferBindingType::Uniform),
        Access::Read => buffer(wgpu::BufferBindingType::Storage { read_only: true }),
        Access::ReadWrite => buffer(wgpu::BufferBindingType::Storage { read_only: false }),
        Access::Texture(format, usage) => wgpu::BindingType::StorageTexture {
            access: match usage {
                TextureUse::Read => wgpu::StorageTextureAccess::ReadOnly,
                TextureUse::Write => wgpu::StorageTextureAccess::WriteOnly,
            },
            format: match format {
                TextureFormat::Rgba8Unorm => wgpu::TextureFormat::Rgba8Unorm,
                TextureFormat::Rgba32Float => wgpu::TextureFormat::Rgba32Float,
            },
            view_dimension: wgpu::TextureViewDimension::D2,
        },
    };
    wgpu::BindGroupLayoutEntry { binding: reflected.binding, visibility: wgpu::ShaderStages::COMPUTE, ty, count: None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gpu::{Context, CustomKernel, Grid, NoParams, Plan, Recording};

    const WGSL: &str = "
        override SIZE: u32 = 1;
        @group(0) @binding(0) var<storage, read_write> y: array<f32>;
        @compute @workgroup_size(1) fn main() { y[0] = f32(SIZE); }
    ";

    fn recording(kernels: &[CustomKernel]) -> Recording {
        let mut rec = Recording::new();
        let y = rec.kept("y", 4);
        for kernel in kernels {
            let kernel = kernel.clone();
            rec.dispatch_custom("k", kernel, &[("y", y, 4)], &NoParams, Grid::Each(1), 0).expect("it fits");
        }
        rec
    }

    #[test]
    fn threads_share_a_kernels_pipeline() {
        let context = Context::noop();
        let kernels: Vec<Kernel> =
            (0..4).map(|i| CustomKernel::new("k", WGSL, "main").with("SIZE", i).into()).collect();
        let get = |kernel| context.compiled().get(kernel, &mut Errors::default()).expect("it is valid");
        let all = || kernels.iter().map(get).collect::<Vec<_>>();
        let [a, b] = std::thread::scope(|scope| [0, 1].map(|_| scope.spawn(all)).map(|t| t.join().expect("no panic")));
        assert!(a.iter().zip(&b).all(|(a, b)| Arc::ptr_eq(a, b)));
        assert!(!Arc::ptr_eq(&a[0], &a[1]));
    }

    #[test]
    fn of_several_errors_the_first_kernels_is_told() {
        let context = Context::noop();
        let good = CustomKernel::new("good", WGSL, "main");
        let bad = |name| CustomKernel::new(name, WGSL, "other");
        let many =
            [(0..20).map(|i| good.clone().with("SIZE", i)).collect(), vec![bad("first"), bad("second")]].concat();
        let said = Plan::new(&context, recording(&many)).err().expect("no such entry point").to_string();
        assert!(said.starts_with("first.other"), "{said}");
        // An invalid kernel fails again, and the others are not affected.
        assert!(Plan::new(&context, recording(&[bad("first")])).is_err());
        Plan::new(&context, recording(&[good])).expect("a plan");
    }

    #[test]
    fn a_plan_can_be_prepared_on_another_thread() {
        fn sent<T: Send>(future: T) -> T {
            future
        }
        let context = Context::noop();
        let plan = sent(Plan::prepare(&context, recording(&[CustomKernel::new("k", WGSL, "main")])));
        assert_eq!(pollster::block_on(plan).expect("a plan").summary().sections[0].dispatches, 1);
        // With nothing to compile, the future is ready at once.
        pollster::block_on(Plan::prepare(&context, Recording::new())).expect("a plan of nothing");
    }
}
