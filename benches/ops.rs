//! Single ops in the shapes that networks give them, each looked at before it is timed. See README.md beside this file.
//!
//! `cargo bench --profile dev --bench ops -- [FILTER]`, say `conv2d/3x3` or `backward/workgroup`.

#[path = "../tests/harness/record.rs"]
mod record;

use std::time::{Duration, Instant};

use criterion::{Criterion, SamplingMode, Throughput};
use protogpu::gpu::{AdapterChoice, Capabilities, Context, Plan, Recording, TensorId, bytemuck, describe_adapter};
use protogpu::method::TvForm;
use protogpu::method::losses::{ClassLogit, Ledger, LossTerm, Read, TotalVariation};
use protogpu::ops::{
    Adam, AdamRow, Add, AffineWarp, ChannelAffine, Clock, Conv2d, ConvAlgorithm, ConvKey, Direction, Format,
    GlobalAvgPool2d, GradEpilogue, Interpolation, Linear, MaxPool2d, Op, Relu, ScaleShift, Schedule, Tensor, pack,
    unpack,
};
use protogpu::{Result, Shape};
use record::{backward, backward_by, forward, forward_by};

/// Name, shape of x, shape of w, stride and padding on all sides.
type Convolution = (&'static str, [usize; 4], [usize; 4], usize, usize);

/// The convolutions of ResNet-18, and two of GoogLeNet's kind.
const CONVOLUTIONS: [Convolution; 9] = [
    ("7x7 stem", [1, 3, 224, 224], [64, 3, 7, 7], 2, 3),
    ("3x3 64", [1, 64, 56, 56], [64, 64, 3, 3], 1, 1),
    ("3x3 128", [1, 128, 28, 28], [128, 128, 3, 3], 1, 1),
    ("3x3 256", [1, 256, 14, 14], [256, 256, 3, 3], 1, 1),
    ("3x3 512", [1, 512, 7, 7], [512, 512, 3, 3], 1, 1),
    ("3x3 stride 2", [1, 64, 56, 56], [128, 64, 3, 3], 2, 1),
    ("1x1 stride 2", [1, 64, 56, 56], [128, 64, 1, 1], 2, 0),
    ("1x1 192 to 64", [1, 192, 28, 28], [64, 192, 1, 1], 1, 0),
    ("5x5 16 to 32", [1, 16, 28, 28], [32, 16, 5, 5], 1, 2),
];

/// The pixels of one image.
const PIXELS: [usize; 4] = [1, 3, 224, 224];

/// The algorithms that this adapter may use for a convolution, and those that others would use and it can run.
fn algorithms(context: &Context, key: &ConvKey) -> Vec<ConvAlgorithm> {
    let own = context.capabilities();
    let others = [Capabilities { texels: false, ..own }, Capabilities { texels: false, subgroup_size: None }];
    let mut algorithms = ConvAlgorithm::candidates(own, key);
    for algorithm in others.map(|capabilities| ConvAlgorithm::choose(capabilities, key)) {
        if !algorithms.contains(&algorithm) {
            algorithms.push(algorithm);
        }
    }
    algorithms
}

fn main() {
    let context = Context::new(&AdapterChoice::Best).expect("an adapter");
    println!("{}", describe_adapter(context.info()));
    let mut bench = Bench { criterion: Criterion::default().configure_from_args(), context };
    convolutions(&mut bench);
    pools(&mut bench);
    element_by_element(&mut bench);
    the_rest_of_a_step(&mut bench);
    bench.criterion.final_summary();
}

/// An op with its inputs: the section `op` is timed, `before` and `after` are not.
struct Rig {
    rec: Recording,
    writes: Vec<(TensorId, Vec<u32>)>,
    outputs: Vec<TensorId>,
    /// Inputs and outputs of the op that are texels.
    texels: Vec<Tensor>,
}

impl Rig {
    fn new() -> Self {
        let mut rec = Recording::new();
        rec.section("before");
        Self { rec, writes: Vec::new(), outputs: Vec::new(), texels: Vec::new() }
    }

    /// A tensor of numbers in [-1,1).
    fn enter(&mut self, format: Format, shape: [usize; 4]) -> Result<Tensor> {
        let shape = Shape::from(shape);
        let id = self.words(bytemuck::cast_slice(&numbers(self.writes.len(), shape.len())));
        let x = Tensor::new(id, shape);
        if format == Format::Texels { pack(&mut self.rec, "input", x) } else { Ok(x) }
    }

    fn words(&mut self, words: &[u32]) -> TensorId {
        let id = self.rec.kept(format!("input {}", self.writes.len()), words.len());
        self.writes.push((id, words.to_vec()));
        id
    }

    /// A tensor that the op writes.
    fn room(&mut self, format: Format, shape: [usize; 4]) -> Tensor {
        if format == Format::Texels {
            return Tensor::transient_texels(&mut self.rec, "output", Shape::from(shape));
        }
        let y = Tensor::kept(&mut self.rec, "output", Shape::from(shape));
        self.outputs.push(y.id);
        y
    }

    /// Notes the inputs and the output of an op, for [`Rig::end`].
    fn leave(&mut self, inputs: &[Tensor], y: Tensor) -> Result<()> {
        self.texels.extend(inputs.iter().chain([&y]).filter(|x| x.format == Format::Texels));
        Ok(())
    }

    /// Appends the section `after`, which unpacks tensors in texels: the output to be checked, and the inputs so that no other
    /// tensor takes their memory while the op is repeated.
    fn end(&mut self) -> Result<()> {
        self.rec.section("after");
        for x in std::mem::take(&mut self.texels) {
            let seen = self.room(Format::Nchw, x.shape.nchw());
            unpack(&mut self.rec, "output", x, seen, GradEpilogue::default(), false)?;
        }
        Ok(())
    }

    /// A row of Adam's schedule, and the clock.
    fn schedule(&mut self) -> Schedule {
        let row = AdamRow { step_size: 0.05, decay: 0.0, inv_sqrt_bias2: 1.0, reset: 0.0 };
        Schedule { rows: self.words(bytemuck::cast_slice(&[row])), clock: self.clock() }
    }

    /// A clock of one step.
    fn clock(&mut self) -> Clock {
        Clock { step: self.words(&[0]), steps: 1 }
    }

    /// A term of the loss on one image's source.
    fn term(&mut self, term: &dyn LossTerm, shape: [usize; 4], accumulates: bool) -> Result<()> {
        let (x, dx) = (self.enter(Format::Nchw, shape)?, self.room(Format::Nchw, shape));
        let (clock, weights) = (self.clock(), self.words(&[1f32.to_bits()]));
        let ledger = Ledger::new(&mut self.rec, clock, weights, 1, &[term.columns(&[x.shape])])?;
        self.rec.section("op");
        term.record(&mut self.rec, &ledger.slot(0), 0..1, &[Read { x, dx, accumulates }])
    }
}

/// Numbers in [-1,1) without a pattern, others for each tensor: the upper bits of a congruential generator.
fn numbers(tensor: usize, len: usize) -> Vec<f32> {
    let mut state = tensor as u64;
    let mut draw = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..len).map(|_| draw()).collect()
}

struct Bench {
    criterion: Criterion,
    context: Context,
}

impl Bench {
    /// Times what `record` records, when `check` has seen its outputs. FLOPs are the throughput, or bytes if `flops` is not set.
    fn op(
        &mut self,
        [group, name]: [&str; 2],
        flops: bool,
        record: impl Fn(&mut Rig) -> Result<()>,
        check: impl Fn(&[Vec<f32>]),
    ) {
        let rig = || {
            let mut rig = Rig::new();
            record(&mut rig).and_then(|()| rig.end()).unwrap_or_else(|e| panic!("{group}/{name}: {e}"));
            rig
        };
        let sections = protogpu::gpu::Summary::new(&rig().rec).sections;
        let op = sections.iter().find(|section| section.name == "op").expect("a section `op`");
        let mut group = self.criterion.benchmark_group(group);
        group.throughput(if flops { Throughput::Elements(op.flops) } else { Throughput::Bytes(op.bytes) });
        group.sampling_mode(SamplingMode::Flat).sample_size(10);
        group.warm_up_time(Duration::from_millis(100)).measurement_time(Duration::from_millis(500));
        let (context, mut ready) = (&self.context, None);
        group.bench_function(name, |bencher| {
            // Only where no filter passes it over.
            let plan = ready.get_or_insert_with(|| begin(context, rig(), &check).expect("a plan"));
            bencher.iter_custom(|times| time(plan, times).expect("the device"));
        });
    }

    /// [`Bench::op`] bound by memory, whose outputs are to be finite and not all the same.
    fn simple(&mut self, names: [&str; 2], record: impl Fn(&mut Rig) -> Result<()>) {
        self.op(names, false, record, |outputs| {
            for output in outputs {
                assert!(output.iter().all(|v| v.is_finite()), "{names:?}: not finite");
                assert!(output.iter().any(|v| *v != output[0]), "{names:?}: {} everywhere", output[0]);
            }
        });
    }
}

/// A plan that has run once, and whose outputs are right.
fn begin(context: &Context, rig: Rig, check: impl Fn(&[Vec<f32>])) -> Result<Plan> {
    let plan = Plan::new(context, rig.rec)?;
    rig.writes.iter().try_for_each(|(tensor, words)| plan.write(*tensor, words))?;
    for section in ["before", "op", "after"] {
        plan.submit(section, 1);
    }
    let outputs: Vec<Vec<f32>> = rig.outputs.iter().map(|&output| plan.read(output)).collect::<Result<_>>()?;
    check(&outputs);
    Ok(plan)
}

/// One submission of `times` times the op, encoded beforehand and waited for.
fn time(plan: &Plan, times: u64) -> Result<Duration> {
    let context = plan.context();
    let mut encoder = context.device().create_command_encoder(&Default::default());
    let mut pass = encoder.begin_compute_pass(&Default::default());
    (0..times).for_each(|_| plan.encode(&mut pass, "op"));
    drop(pass);
    let commands = encoder.finish();
    let started = Instant::now();
    context.queue().submit([commands]);
    context.wait()?;
    Ok(started.elapsed())
}

fn convolutions(bench: &mut Bench) {
    for (name, x, w_shape, stride, pad) in CONVOLUTIONS {
        let w = numbers(99, w_shape.iter().product());
        let conv = Conv2d::new(w, w_shape, None, [stride; 2], [pad; 4]);
        let y = conv.output(name, &[Shape::from(x)]).expect("a window that fits").nchw();
        for direction in [Direction::Forward, Direction::Backward] {
            let backward = direction == Direction::Backward;
            let [from, to] = if backward { [y, x] } else { [x, y] };
            for algorithm in algorithms(&bench.context, &conv.key(Shape::from(x), direction)) {
                let name = format!("{name}/{}/{algorithm}", if backward { "backward" } else { "forward" });
                let record = |rig: &mut Rig| record_convolution(rig, &conv, [from, to], backward, algorithm);
                let input = || numbers(0, from.iter().product());
                let check = |outputs: &[Vec<f32>]| {
                    spot_check(&name, &conv, [from, to], backward, &input(), outputs.last().expect("y"))
                };
                bench.op(["conv2d", &name], true, record, check);
            }
        }
    }
}

fn record_convolution(
    rig: &mut Rig,
    conv: &Conv2d,
    [from, to]: [[usize; 4]; 2],
    backward: bool,
    algorithm: ConvAlgorithm,
) -> Result<()> {
    // As within a network: where convolutions go over texels, x is texels already, and y stays so.
    let format = if matches!(algorithm, ConvAlgorithm::Texels(_)) { Format::Texels } else { Format::Nchw };
    let (a, b) = (rig.enter(format, from)?, rig.room(format, to));
    rig.rec.section("op");
    match backward {
        false => drop(forward_by(algorithm, &mut rig.rec, conv, &[a], b)?),
        true => backward_by(algorithm, &mut rig.rec, conv, a, (b, GradEpilogue::default()))?,
    }
    rig.leave(&[a], b)
}

/// A few elements against plain loops in f64. Winograd's tiles of 4x4 err most, by 1e-5 of what is added up.
fn spot_check(name: &str, conv: &Conv2d, [from, to]: [[usize; 4]; 2], backward: bool, input: &[f32], output: &[f32]) {
    let len = output.len();
    for i in (0..len).step_by(len / 61).chain([len - 1]) {
        let (value, magnitude) = element(conv, [from, to], backward, input, i);
        let got = f64::from(output[i]);
        assert!((got - value).abs() <= 1e-4 * magnitude, "{name}: element {i} is {got} but should be {value}");
    }
}

/// Element i of the output, and the sum of the magnitudes.
fn element(conv: &Conv2d, [from, to]: [[usize; 4]; 2], backward: bool, input: &[f32], i: usize) -> (f64, f64) {
    let [_, c_len, kh, kw] = conv.w_shape;
    let [_, channels, h, w] = from;
    let [channel, row, col] = [i / (to[2] * to[3]) % to[1], i / to[3] % to[2], i % to[3]];
    // Where along an axis a tap reads, if it does.
    let place = |axis: usize, at: usize, k: usize, size: usize| {
        let (stride, pad) = (conv.stride[axis], conv.pad[axis]);
        let moved = if backward { (at + pad).checked_sub(k)? } else { (at * stride + k).checked_sub(pad)? };
        let exact = !backward || moved % stride == 0;
        Some(if backward { moved / stride } else { moved }).filter(|&p| exact && p < size)
    };
    let (mut sum, mut magnitude) = (0.0, 0.0);
    for (other, k) in (0..channels).flat_map(|other| (0..kh * kw).map(move |k| (other, k))) {
        let (Some(p), Some(q)) = (place(0, row, k / kw, h), place(1, col, k % kw, w)) else { continue };
        let [o, c] = if backward { [other, channel] } else { [channel, other] };
        let term = f64::from(conv.w[(o * c_len + c) * kh * kw + k]) * f64::from(input[(other * h + p) * w + q]);
        sum += term;
        magnitude += term.abs();
    }
    (sum, magnitude)
}

/// The formats of tensors between layers.
fn formats(context: &Context) -> &'static [Format] {
    if context.capabilities().prefers_texels() { &[Format::Nchw, Format::Texels] } else { &[Format::Nchw] }
}

fn pools(bench: &mut Bench) {
    let pool = MaxPool2d { kernel: [3, 3], stride: [2, 2], pad: [1; 4], ceil_mode: false };
    let (x, y) = ([1, 64, 112, 112], [1, 64, 56, 56]);
    for &format in formats(&bench.context) {
        let name = |direction: &str| format!("{direction}/{format:?}").to_lowercase();
        bench.simple(["max_pool2d", &name("forward")], |rig| {
            let (x, y) = (rig.enter(format, x)?, rig.room(format, y));
            rig.rec.section("op");
            forward(&mut rig.rec, &pool, &[x], y)?;
            rig.leave(&[x], y)
        });
        bench.simple(["max_pool2d", &name("backward")], |rig| {
            let (x, y) = (rig.enter(format, x)?, rig.room(format, y));
            let (dy, dx) = (rig.enter(format, y.shape.nchw())?, rig.room(format, x.shape.nchw()));
            let saved = forward(&mut rig.rec, &pool, &[x], y)?;
            rig.rec.section("op");
            backward(&mut rig.rec, &pool, dy, (&[x], &saved), &[(dx, GradEpilogue::default())])?;
            rig.leave(&[dy, y], dx)
        });
        let (x, y) = ([1, 512, 7, 7], [1, 512, 1, 1]);
        bench.simple(["global_avg_pool2d", &name("forward")], |rig| {
            let (x, y) = (rig.enter(format, x)?, rig.room(Format::Nchw, y));
            rig.rec.section("op");
            forward(&mut rig.rec, &GlobalAvgPool2d, &[x], y)?;
            rig.leave(&[x], y)
        });
        bench.simple(["global_avg_pool2d", &name("backward")], |rig| {
            let (dy, dx) = (rig.enter(Format::Nchw, y)?, rig.room(format, x));
            rig.rec.section("op");
            backward(&mut rig.rec, &GlobalAvgPool2d, dy, (&[dx], &[]), &[(dx, GradEpilogue::default())])?;
            rig.leave(&[dy], dx)
        });
    }
}

fn element_by_element(bench: &mut Bench) {
    let plain = |rig: &mut Rig, count: usize, shape: [usize; 4]| -> Result<Vec<Tensor>> {
        let mut tensors = (0..count).map(|_| rig.enter(Format::Nchw, shape)).collect::<Result<Vec<_>>>()?;
        tensors.push(rig.room(Format::Nchw, shape));
        rig.rec.section("op");
        Ok(tensors)
    };
    let wide = [1, 64, 112, 112];
    bench.simple(["relu", "forward"], |rig| {
        let tensors = plain(rig, 1, wide)?;
        forward(&mut rig.rec, &Relu, &tensors[..1], tensors[1]).map(drop)
    });
    bench.simple(["relu", "backward"], |rig| {
        let tensors = plain(rig, 2, wide)?;
        let into = [(tensors[2], GradEpilogue::default())];
        backward(&mut rig.rec, &Relu, tensors[0], (&tensors[1..2], &[]), &into)
    });
    bench.simple(["add", "forward"], |rig| {
        let tensors = plain(rig, 2, wide)?;
        forward(&mut rig.rec, &Add, &tensors[..2], tensors[2]).map(drop)
    });
    let normalize = ScaleShift(ChannelAffine::normalize(&[0.5; 3], &[0.25; 3]));
    bench.simple(["scale_shift", "forward"], |rig| {
        let tensors = plain(rig, 1, PIXELS)?;
        forward(&mut rig.rec, &normalize, &tensors[..1], tensors[1]).map(drop)
    });
    bench.simple(["scale_shift", "backward"], |rig| {
        let tensors = plain(rig, 1, PIXELS)?;
        let into = [(tensors[1], GradEpilogue::default())];
        backward(&mut rig.rec, &normalize, tensors[0], (&tensors[1..], &[]), &into)
    });
    bench.simple(["adam", "step"], |rig| {
        let (dx, schedule) = (rig.enter(Format::Nchw, PIXELS)?, rig.schedule());
        let state = [0; 3].map(|_| rig.room(Format::Nchw, PIXELS));
        rig.rec.section("op");
        let adam = Adam { beta1: 0.9, beta2: 0.999, eps: 1e-8, clamp: false, towards: vec![0.0; 3] };
        adam.step(&mut rig.rec, dx, state, schedule)
    });
}

fn the_rest_of_a_step(bench: &mut Bench) {
    for name in Interpolation::NAMES {
        let normalize = Some(ChannelAffine::normalize(&[0.5; 3], &[0.25; 3]));
        let warp = AffineWarp { interpolation: name.parse().expect("its own name"), fill: vec![0.5; 3], normalize };
        // A rotation by 30 degrees about the centre, a little smaller and shifted.
        let theta =
            AffineWarp::row([0.95, 0.55, -50.0, -0.55, 0.95, 70.0], [PIXELS[2], PIXELS[3]], [PIXELS[2], PIXELS[3]]);
        let warped = |rig: &mut Rig| -> Result<(Tensor, Tensor, (TensorId, Clock))> {
            let step = (rig.words(bytemuck::cast_slice(&theta)), Clock { step: rig.words(&[0]), steps: 1 });
            let tensors = (rig.enter(Format::Nchw, PIXELS)?, rig.room(Format::Nchw, PIXELS));
            rig.rec.section("op");
            Ok((tensors.0, tensors.1, step))
        };
        bench.simple(["affine_warp", &format!("forward/{name}")], |rig| {
            let (x, y, (theta, clock)) = warped(rig)?;
            warp.forward(&mut rig.rec, x, theta, clock, y)
        });
        bench.simple(["affine_warp", &format!("backward/{name}")], |rig| {
            let (dy, dx, (theta, clock)) = warped(rig)?;
            warp.backward(&mut rig.rec, dy, theta, clock, dx)
        });
    }
    let variation = TotalVariation { form: TvForm::L1Sum, weight: 0.05, start: 1.0 };
    bench.simple(["total_variation", "step"], |rig| rig.term(&variation, PIXELS, true));
    let (features, logits) = ([1, 512, 1, 1], [1, 1000, 1, 1]);
    let fc = Linear { w: numbers(99, 512_000).into(), b: numbers(98, 1000).into() };
    bench.simple(["linear", "forward"], |rig| {
        let (x, y) = (rig.enter(Format::Nchw, features)?, rig.room(Format::Nchw, logits));
        rig.rec.section("op");
        forward(&mut rig.rec, &fc, &[x], y).map(drop)
    });
    bench.simple(["linear", "backward"], |rig| {
        let (dy, dx) = (rig.enter(Format::Nchw, logits)?, rig.room(Format::Nchw, features));
        rig.rec.section("op");
        backward(&mut rig.rec, &fc, dy, (&[dx], &[]), &[(dx, GradEpilogue::default())])
    });
    let class = ClassLogit { classes: vec![7], logsumexp_weight: 0.0 };
    bench.simple(["class_logit", "step"], |rig| rig.term(&class, logits, false));
}
