//! Runs single ops on the adapter, compares them with their twins, and keeps a table of cases that lists every failure.
//!
//! Every plan surrounds its tensors with sentinels and fills them with NaN first. This shows writes outside an output, and reads of
//! elements that nothing wrote. `PROTOGPU_CASE=<part of a name> cargo test --lib tests::ops` runs only the matching cases.

mod compare;
mod nd;
mod record;
mod table;

use std::cell::Cell;
use std::error::Error;
use std::sync::OnceLock;

use protogpu::Shape;
use protogpu::gpu::{AdapterChoice, Context, Plan, PlanOptions, Recording, TensorId};
use protogpu::gpu::{bytemuck, wgpu};
use protogpu::method::losses::{Column, Ledger, LossTerm, Read};
use protogpu::ops::{self, AdamRow, Clock, Format, GradEpilogue, Schedule};

pub(crate) use compare::{adjoint, batch_independent, close, exact, gradient, images, refused, root};
pub(crate) use nd::{Nds, backward_nd, forward_nd};
pub(crate) use record::{backward, backward_by, backward_into, forward, forward_by};
pub(crate) use table::Table;

use crate::tests::twin::Tensor;
use crate::tests::twin::nd::Nd;

/// The result of a case.
pub(crate) type Outcome<T = ()> = Result<T, Box<dyn Error>>;

thread_local! {
    /// The context that [`on`] sets in place of the shared one.
    static INSTEAD: Cell<Option<&'static Context>> = const { Cell::new(None) };
}

/// The adapter, opened once for all tests. Without one, these tests fail; they are not skipped.
pub(crate) fn gpu() -> &'static Context {
    static GPU: OnceLock<Context> = OnceLock::new();
    INSTEAD.get().unwrap_or_else(|| {
        GPU.get_or_init(|| {
            Context::new(&AdapterChoice::Best).unwrap_or_else(|e| panic!("the op tests need an adapter, and got: {e}"))
        })
    })
}

/// Runs cases on another context.
pub(crate) fn on(context: &'static Context, run: impl FnOnce()) {
    INSTEAD.set(Some(context));
    run();
    INSTEAD.set(None);
}

/// The same adapter, as opened by a host that asks for no features and WebGPU's default limits.
pub(crate) fn bare() -> &'static Context {
    static BARE: OnceLock<Context> = OnceLock::new();
    BARE.get_or_init(|| {
        pollster::block_on(async {
            let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle_from_env());
            let adapters = instance.enumerate_adapters(wgpu::Backends::all()).await;
            let adapter = adapters.into_iter().find(|a| a.get_info() == *gpu().info()).expect("the same adapter again");
            let descriptor = wgpu::DeviceDescriptor { required_limits: wgpu::Limits::default(), ..Default::default() };
            let (device, queue) = adapter.request_device(&descriptor).await.expect("a device");
            Context::from_device(device, queue)
        })
    })
}

/// The formats in which to test ops with kernels for texels; texels only if this adapter uses them.
pub(crate) fn formats() -> Vec<Format> {
    if gpu().capabilities().prefers_texels() {
        return vec![Format::Nchw, Format::Texels];
    }
    println!("this is no software adapter that reads textures, so that nothing over texels runs");
    vec![Format::Nchw]
}

/// Nothing, or ` texels`.
pub(crate) fn format_name(format: Format) -> &'static str {
    match format {
        Format::Nchw => "",
        Format::Texels => " texels",
    }
}

/// A recording, and the first contents of its tensors.
#[derive(Default)]
pub(crate) struct Rig {
    pub(crate) rec: Recording,
    writes: Vec<(TensorId, Vec<u32>)>,
    /// Outputs in texels, and the tensors into which they are unpacked.
    unpacked: Vec<[ops::Tensor; 2]>,
}

impl Rig {
    /// [`Rig::input`] in a format.
    pub(crate) fn input_as(&mut self, format: Format, label: &str, x: &Tensor) -> Outcome<ops::Tensor> {
        let tensor = self.input(label, x);
        Ok(if format == Format::Texels { ops::pack(&mut self.rec, label, tensor)? } else { tensor })
    }

    /// [`Rig::output`] in a format. [`Ready::read`] reads it like any other.
    pub(crate) fn output_as(&mut self, format: Format, label: &str, shape: [usize; 4]) -> ops::Tensor {
        let plain = self.output(label, shape);
        if format == Format::Nchw {
            return plain;
        }
        let texels = ops::Tensor::transient_texels(&mut self.rec, label, Shape::from(shape));
        self.unpacked.push([texels, plain]);
        texels
    }

    /// [`Rig::input_as`] for a tensor that an op changes in part.
    pub(crate) fn changed_as(&mut self, format: Format, label: &str, x: &Tensor) -> Outcome<ops::Tensor> {
        let plain = self.input(label, x);
        if format == Format::Nchw {
            return Ok(plain);
        }
        let texels = ops::pack(&mut self.rec, label, plain)?;
        let out = self.output(label, x.shape);
        self.unpacked.push([texels, out]);
        Ok(texels)
    }

    /// A tensor with these elements. All must be exact as f32, or the twin would compute with other inputs.
    pub(crate) fn input(&mut self, label: &str, x: &Tensor) -> ops::Tensor {
        let inexact = x.data.iter().find(|&&v| f64::from(v as f32) != v && !v.is_nan());
        assert_eq!(inexact, None, "{label}: not a value of f32");
        let words: Vec<u32> = x.to_f32().iter().map(|v| v.to_bits()).collect();
        ops::Tensor::new(self.words(label, &words), Shape::from(x.shape))
    }

    /// [`Rig::input`] of any rank.
    pub(crate) fn input_nd(&mut self, label: &str, x: &Nd) -> ops::Tensor {
        let shape = Shape::of(&x.shape).expect("at most six extents");
        ops::Tensor::new(self.input(label, &x.flat()).id, shape)
    }

    /// [`Rig::output`] of any rank.
    pub(crate) fn output_nd(&mut self, label: &str, shape: Shape) -> ops::Tensor {
        ops::Tensor::kept(&mut self.rec, label, shape)
    }

    /// A tensor of words.
    pub(crate) fn words(&mut self, label: &str, words: &[u32]) -> TensorId {
        let id = self.rec.kept(label, words.len());
        self.writes.push((id, words.to_vec()));
        id
    }

    /// Adam's rows and the clock at `step`.
    pub(crate) fn schedule(&mut self, rows: &[AdamRow], step: u32) -> Schedule {
        let clock = Clock { step: self.words("clock", &[step]), steps: rows.len() };
        Schedule { rows: self.words("schedule", bytemuck::cast_slice(rows)), clock }
    }

    /// Room for the values of terms with these columns, the weights of each term at every step, and the clock at `step`.
    pub(crate) fn ledger(
        &mut self,
        images: usize,
        terms: &[Vec<Column>],
        weights: &[Vec<f32>],
        step: u32,
    ) -> Outcome<(Ledger, Clock)> {
        let clock = Clock { step: self.words("clock", &[step]), steps: weights[0].len() };
        let weights = self.words("weights", bytemuck::cast_slice(&weights.concat()));
        Ok((Ledger::new(&mut self.rec, clock, weights, images, terms)?, clock))
    }

    /// A source of a term, with a gradient that holds an earlier delivery or nothing.
    pub(crate) fn source(&mut self, x: &Tensor, before: Option<&Tensor>) -> Read {
        let dx = before.map(|before| self.input("dx", before));
        let dx = dx.unwrap_or_else(|| self.output("dx", x.shape));
        Read { x: self.input("x", x), dx, accumulates: before.is_some() }
    }

    fn run_term(mut self, term: &dyn LossTerm, weight: f32, n: usize, read: Read) -> Outcome<[Tensor; 2]> {
        let columns = term.columns(&[read.x.shape]);
        let (ledger, _) = self.ledger(n, &[columns], &[vec![f32::NAN, weight]], 1)?;
        term.record(&mut self.rec, &ledger.slot(0), 0..n, &[read])?;
        ledger.write(&mut self.rec)?;
        let ready = self.run()?;
        Ok([ready.history(&ledger, n, 1)?, ready.read(read.dx)?])
    }

    /// A tensor that begins as NaN.
    pub(crate) fn output(&mut self, label: &str, shape: [usize; 4]) -> ops::Tensor {
        ops::Tensor::kept(&mut self.rec, label, Shape::from(shape))
    }

    /// The epilogue of a gradient, with its tensors in a format.
    pub(crate) fn epilogue(&mut self, format: Format, [add, mask]: [Option<&Tensor>; 2]) -> Outcome<GradEpilogue> {
        let mut part = |label, x: Option<&Tensor>| -> Outcome<Option<TensorId>> {
            x.map(|x| self.input_as(format, label, x).map(|t| t.id)).transpose()
        };
        Ok(GradEpilogue { add: part("add", add)?, mask: part("mask", mask)? })
    }

    /// Buffers, pipelines and bind groups, with the inputs written.
    pub(crate) fn ready(mut self) -> Outcome<Ready> {
        for [texels, plain] in &self.unpacked {
            ops::unpack(&mut self.rec, "read", *texels, *plain, GradEpilogue::default(), false)?;
        }
        let options = PlanOptions { sentinels: true, poison: true };
        let plan = Plan::with_options(gpu(), self.rec, options)?;
        for (tensor, words) in &self.writes {
            plan.write(*tensor, words)?;
        }
        Ok(Ready { plan, unpacked: self.unpacked })
    }

    /// [`Rig::ready`] and one step.
    pub(crate) fn run(self) -> Outcome<Ready> {
        let ready = self.ready()?;
        ready.step()?;
        Ok(ready)
    }
}

/// A plan on the adapter.
pub(crate) struct Ready {
    pub(crate) plan: Plan,
    unpacked: Vec<[ops::Tensor; 2]>,
}

impl Ready {
    /// Runs every command once, then checks all sentinels.
    pub(crate) fn step(&self) -> Outcome {
        self.plan.submit("step", 1);
        Ok(self.plan.check_sentinels()?)
    }

    pub(crate) fn read(&self, tensor: ops::Tensor) -> Outcome<Tensor> {
        let plain = self.unpacked.iter().find(|[texels, _]| texels.id == tensor.id).map_or(tensor, |[_, plain]| *plain);
        Ok(Tensor::from_f32(tensor.shape.nchw(), &self.plan.read(plain.id)?))
    }

    /// [`Ready::read`] of any rank.
    pub(crate) fn read_nd(&self, tensor: ops::Tensor) -> Outcome<Nd> {
        let data = self.plan.read(tensor.id)?.into_iter().map(f64::from).collect();
        Ok(Nd::new(tensor.shape.extents(), data))
    }

    /// The rows that a step wrote to the history: `[N,R,1,1]`.
    pub(crate) fn history(&self, ledger: &Ledger, images: usize, step: usize) -> Outcome<Tensor> {
        let len = images * ledger.row();
        let all = self.plan.read(ledger.history)?;
        Ok(Tensor::from_f32([images, ledger.row(), 1, 1], &all[step * len..(step + 1) * len]))
    }

    /// A tensor's words, for integers.
    pub(crate) fn words(&self, tensor: TensorId) -> Outcome<Vec<u32>> {
        Ok(self.plan.read(tensor)?.into_iter().map(f32::to_bits).collect())
    }
}

/// The columns of an objective: the loss, and its value.
pub(crate) fn objective_columns() -> Vec<Column> {
    vec![Column::hidden(), Column::named("objective")]
}

/// `[history, dx]` of a term that reads one source, at the second of two steps; a kernel that ignores the clock would use the
/// first. The history has the weighted loss and the columns of the term.
pub(crate) fn run_term(term: &dyn LossTerm, weight: f32, x: &Tensor, before: Option<&Tensor>) -> Outcome<[Tensor; 2]> {
    let mut rig = Rig::default();
    let read = rig.source(x, before);
    rig.run_term(term, weight, x.shape[0], read)
}

/// The same in texels, for a term that takes them.
pub(crate) fn run_term_over_texels(term: &dyn LossTerm, weight: f32, x: &Tensor) -> Outcome<[Tensor; 2]> {
    let mut rig = Rig::default();
    let dx = rig.output_as(Format::Texels, "dx", x.shape);
    let read = Read { x: rig.input_as(Format::Texels, "x", x)?, dx, accumulates: false };
    rig.run_term(term, weight, x.shape[0], read)
}

/// The combinations of a [`protogpu::ops::GradEpilogue`]: whether something is added, whether it is masked.
pub(crate) const EPILOGUES: [[bool; 2]; 4] = [[false, false], [true, false], [false, true], [true, true]];

/// `dx = (v + add)·[mask > 0]`, each part if it is there, as in shaders/lib/epilogue.wgsl.
pub(crate) fn finished(v: &Tensor, add: Option<&Tensor>, mask: Option<&Tensor>) -> Tensor {
    let added = add.map_or_else(|| v.clone(), |add| v.zip(add, |v, add| v + add));
    mask.map_or_else(|| added.clone(), |mask| added.zip(mask, |v, mask| if mask > 0.0 { v } else { 0.0 }))
}

/// `2x3x17x9`.
pub(crate) fn by(extents: &[usize]) -> String {
    extents.iter().map(ToString::to_string).collect::<Vec<_>>().join("x")
}

/// `+add+mask`, or nothing.
pub(crate) fn epilogue_name([add, mask]: [bool; 2]) -> String {
    format!("{}{}", if add { " +add" } else { "" }, if mask { " +mask" } else { "" })
}
