//! Every file of `shaders/`, as production resolves it, through naga; and every op's parameters and bindings, through plans
//! on a device that computes nothing. No adapter is needed.

use std::collections::BTreeSet;
use std::fs;
use std::mem::offset_of;
use std::path::Path;
use std::sync::Arc;

use protogpu::Shape;
use protogpu::gpu::{Access, Context, CustomKernel, Grid, Kernel, Plan, Recording, SOURCES, Source, reflect};
use protogpu::method::losses::{
    ClassLogit, ClassRow, ClassTerms, Column, Diversity, Feature, FeatureRow, L2, Ledger, LossTerm, NaturalChannel,
    NaturalForm, NaturalLayer, NaturalSide, NaturalStatistics, ProbabilityVariance, Read, Source as Of, TotalVariation,
    tick,
};
use protogpu::method::{BaselineForm, TvForm};
use protogpu::ops::{
    ACTIVATIONS, Adam, AdamRow, AdaptiveAvgPool2d, Add, AffineWarp, AvgPool2d, Binary, BinaryConstant, BinaryFunction,
    Cat, ChannelAffine, Clock, Colour, Concat, Condition, Conv2d, ConvAlgorithm, Fusable, GlobalAvgPool2d,
    GradEpilogue, GroupNorm, Interpolation, Irfft2, LayerNorm, Linear, LocalResponseNorm, MaskedFill, MatMulConstant,
    MaxPool2d, Move, Noise, Op, Phase, Reduce, Reduction, Reveal, Roll, ScaleShift, Schedule, SoftTopK, Softmax,
    Tensor, TexelsAlgorithm, Tile, Where, finish_gradient,
};

use crate::tests::harness::{backward, backward_by, forward, forward_by};

/// WebGPU's default limits, which every adapter has.
const MAX_INVOCATIONS: u32 = 256;
const MAX_WORKGROUP_BYTES: u32 = 16 << 10;
const MAX_STORAGE_BUFFERS: usize = 8;
/// Not a default limit: over texels only, see `Capabilities`.
const MAX_STORAGE_TEXTURES: usize = 5;

/// Entry points that no op of `src/ops` records: the prototype loop dispatches them, or the yardstick.
const BY_OTHERS: &[(&str, &str)] =
    &[("history", "write"), ("history", "tick"), ("image_texture", "paint"), ("bench", "copy"), ("bench", "peak")];

fn folder() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/shaders"))
}

/// `conv2d/subgroup` and the like: every `.wgsl` below `shaders/`.
fn files(folder: &Path, prefix: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for entry in fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display())) {
        let path = entry.expect("an entry").path();
        let stem = path.file_stem().expect("a name").to_string_lossy();
        if path.is_dir() {
            names.extend(files(&path, &format!("{prefix}{stem}/")));
        } else if path.extension().is_some_and(|e| e == "wgsl") {
            names.insert(format!("{prefix}{stem}"));
        }
    }
    names
}

/// The shaders that have entry points, not fragments.
fn shaders() -> impl Iterator<Item = &'static str> {
    SOURCES.iter().map(|(name, _)| *name).filter(|name| !name.starts_with("lib/"))
}

fn entry_points(name: &'static str) -> Result<Vec<String>, String> {
    let text = Source::Builtin(name).resolve().map_err(|e| e.to_string())?;
    let module = naga::front::wgsl::parse_str(&text).map_err(|e| e.emit_to_string_with_path(&text, name))?;
    Ok(module.entry_points.iter().map(|e| e.name.clone()).collect())
}

#[track_caller]
fn none(faults: &[String]) {
    assert!(faults.is_empty(), "{} faults:\n  {}", faults.len(), faults.join("\n  "));
}

#[test]
fn the_folder_is_what_the_crate_embeds() {
    let embedded: BTreeSet<String> = SOURCES.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert!(!embedded.is_empty());
    assert_eq!(embedded.len(), SOURCES.len(), "a name twice in gpu::SOURCES");
    assert_eq!(embedded, files(folder(), ""), "gpu::SOURCES and shaders/ differ");
}

#[test]
fn every_file_opens_with_its_formula() {
    let mut faults = Vec::new();
    for (name, text) in SOURCES {
        // `conv2d/subgroup` opens with conv2d: a folder holds the variants of one op.
        let parts: Vec<&str> = name.split('/').filter(|part| *part != "lib").collect();
        let first = text.lines().next().unwrap_or_default();
        let opens = first.strip_prefix("// ").is_some_and(|rest| rest.starts_with(parts[0]));
        if !opens || !first.contains(':') {
            faults.push(format!("{name}: begins with `{first}`, not `// {}: …`", parts[0]));
        }
    }
    none(&faults);
}

/// What one specialisation asks of an adapter, if it is more than every adapter has.
fn limits(kernel: &Kernel) -> Vec<String> {
    let reflection = match reflect(kernel) {
        Ok(reflection) => reflection,
        Err(e) => return vec![e.to_string()],
    };
    let invocations: u32 = reflection.workgroup.iter().product();
    let storage = |a: &Access| matches!(a, Access::Read | Access::ReadWrite);
    let buffers = reflection.bindings.values().filter(|b| storage(&b.access)).count();
    let mut faults = Vec::new();
    if invocations > MAX_INVOCATIONS {
        faults.push(format!("{kernel}: {invocations} invocations, and {MAX_INVOCATIONS} is the most"));
    }
    if reflection.workgroup_bytes > MAX_WORKGROUP_BYTES {
        let bytes = reflection.workgroup_bytes;
        faults.push(format!("{kernel}: {bytes} bytes of workgroup memory, and {MAX_WORKGROUP_BYTES} is the most"));
    }
    let textures = reflection.bindings.values().filter(|b| matches!(b.access, Access::Texture(..))).count();
    if textures > MAX_STORAGE_TEXTURES {
        faults.push(format!("{kernel}: {textures} storage textures, and {MAX_STORAGE_TEXTURES} is the most"));
    }
    if buffers > MAX_STORAGE_BUFFERS {
        faults.push(format!("{kernel}: {buffers} storage buffers, and {MAX_STORAGE_BUFFERS} is the most"));
    }
    faults
}

#[test]
fn every_entry_point_is_valid_and_within_default_limits() {
    let recording = every_op(&all_algorithms());
    let mut kernels: Vec<Kernel> = recording.commands().iter().map(|c| c.kernel.clone()).collect();
    kernels.extend(BY_OTHERS.iter().map(|(file, entry)| Kernel::new(file, entry)));
    let mut faults: Vec<String> = kernels.iter().flat_map(limits).collect();
    for name in shaders() {
        match entry_points(name) {
            Err(e) => faults.push(e),
            Ok(entries) if entries.is_empty() => faults.push(format!("{name}: no entry point")),
            Ok(entries) => {
                let used = |entry: &&String| kernels.iter().any(|k| k.source.name() == name && k.entry == **entry);
                let unused = entries.iter().filter(|entry| !used(entry));
                faults.extend(unused.map(|entry| format!("{name}.{entry}: no op uses it")));
            }
        }
    }
    faults.sort();
    faults.dedup();
    none(&faults);
}

fn custom(wgsl: &str) -> Kernel {
    CustomKernel::new("custom", wgsl, "main").into()
}

#[test]
fn what_is_beyond_the_limits_is_named() {
    let wide = limits(&custom("@compute @workgroup_size(16, 17) fn main() {}"));
    assert_eq!(wide, ["custom.main: 272 invocations, and 256 is the most"]);
    let large =
        limits(&custom("var<workgroup> t: array<f32, 4097>; @compute @workgroup_size(1) fn main() { t[0] = 1.0; }"));
    assert_eq!(large, ["custom.main: 16388 bytes of workgroup memory, and 16384 is the most"]);
    let bind = |i: u32| format!("@group(0) @binding({i}) var<storage, read_write> b{i}: array<f32>;");
    let use_of = |i: u32| format!("b{i}[0] = 1.0;");
    let all = |f: &dyn Fn(u32) -> String| (0..9).map(f).collect::<String>();
    let many = format!("{} @compute @workgroup_size(1) fn main() {{ {} }}", all(&bind), all(&use_of));
    assert_eq!(limits(&custom(&many)), ["custom.main: 9 storage buffers, and 8 is the most"]);
    let unused = format!("{} @compute @workgroup_size(1) fn main() {{ b3[0] = 1.0; }}", all(&bind));
    assert_eq!(limits(&custom(&unused)), Vec::<String>::new());
    let typo = limits(&custom("@compute @workgroup_size(1) fn main() { let x: u32 = 1.0; }"));
    assert!(typo.len() == 1 && typo[0].starts_with("custom.main: ") && typo[0].contains("custom:1:"), "{typo:?}");
    let import = limits(&custom("#import lib/nothing\n@compute @workgroup_size(1) fn main() {}"));
    assert_eq!(import, ["custom: `#import lib/nothing` names no fragment of shaders/lib"]);
}

/// Every specialisation that networks use.
fn all_algorithms() -> Vec<ConvAlgorithm> {
    let subgroup = [1, 2, 4, 8].map(|row_groups| ConvAlgorithm::Subgroup { row_groups });
    let tiles = [Tile::F2x3, Tile::F4x3].map(TexelsAlgorithm::Winograd);
    let texels = [TexelsAlgorithm::Direct, tiles[0], tiles[1]].map(ConvAlgorithm::Texels);
    let workgroup = [1, 4].map(|slices| ConvAlgorithm::Workgroup { slices });
    let winograd = [Tile::F2x3, Tile::F4x3].map(ConvAlgorithm::Winograd);
    workgroup.into_iter().chain(winograd).chain(subgroup).chain(texels).collect()
}

/// Those for groups and dilation.
const WINDOWS: [ConvAlgorithm; 2] = [ConvAlgorithm::Window, ConvAlgorithm::Texels(TexelsAlgorithm::Window)];

/// BVLC's.
const NORM: LocalResponseNorm = LocalResponseNorm { size: 5, alpha: 1e-4, beta: 0.75, k: 1.0 };

const POOL: MaxPool2d = MaxPool2d { kernel: [2, 2], stride: [2, 2], pad: [0; 4], ceil_mode: false };

const AVG_POOL: AvgPool2d =
    AvgPool2d { kernel: [2, 2], stride: [2, 2], pad: [0; 4], ceil_mode: false, count_include_pad: true };

struct Recorder {
    rec: Recording,
    next: usize,
}

impl Recorder {
    fn tensor(&mut self, shape: [usize; 4]) -> Tensor {
        self.next += 1;
        let label = format!("t{}", self.next);
        Tensor::kept(&mut self.rec, &label, Shape::from(shape))
    }
}

/// Every op, forward and backward, with every optional part.
fn every_op(algorithms: &[ConvAlgorithm]) -> Recording {
    let mut r = Recorder { rec: Recording::new(), next: 0 };
    images(&mut r, algorithms);
    if algorithms.iter().any(|v| matches!(v, ConvAlgorithm::Texels(_))) {
        texels(&mut r);
    }
    step(&mut r);
    parameterization(&mut r);
    isolation(&mut r);
    classifiers(&mut r);
    r.rec
}

fn images(r: &mut Recorder, algorithms: &[ConvAlgorithm]) {
    let shape = [2, 3, 6, 8];
    let [x, y, z, dy, dx] = [0; 5].map(|_| r.tensor(shape));
    let epilogue = GradEpilogue { add: Some(z.id), mask: Some(x.id) };
    let conv = Conv2d::new(vec![0.5; 81], [3, 3, 3, 3], Some(vec![0.5; 3].into()), [1, 1], [1; 4]);
    let fused = conv.absorb(&Fusable::Add).and_then(|op| op.absorb(&Fusable::Relu)).expect("a residual and a relu");
    for &algorithm in algorithms {
        forward_by(algorithm, &mut r.rec, &*fused, &[x, z], y).expect("conv2d");
        backward_by(algorithm, &mut r.rec, &conv, dy, (dx, epilogue)).expect("conv2d");
    }
    let over_texels = |v: &ConvAlgorithm| matches!(v, ConvAlgorithm::Texels(_));
    let windows = WINDOWS.iter().filter(|v| !over_texels(v) || algorithms.iter().any(over_texels));
    for &algorithm in windows {
        let depthwise = Conv2d { w: vec![0.5; 27].into(), w_shape: [3, 1, 3, 3], groups: 3, ..conv.clone() };
        forward_by(algorithm, &mut r.rec, &depthwise, &[x], y).expect("conv2d");
        backward_by(algorithm, &mut r.rec, &depthwise, dy, (dx, epilogue)).expect("conv2d");
    }
    for op in ACTIVATIONS {
        both_ways(r, *op, x, y, (dx, epilogue));
    }
    forward(&mut r.rec, &Add, &[x, z], y).expect("add");
    both_ways(r, &ScaleShift(ChannelAffine::new(vec![1.0; 3], vec![0.0; 3])), x, y, (dx, epilogue));
    both_ways(r, &NORM, x, y, (dx, epilogue));
    let part = r.tensor([2, 8, 6, 8]).channels(4, 3).expect("three of eight");
    both_ways(r, &Concat, x, part, (dx, epilogue));
    let (half, mean, logits) = (r.tensor([2, 3, 3, 4]), r.tensor([2, 3, 1, 1]), r.tensor([2, 10, 1, 1]));
    both_ways(r, &POOL, x, half, (dx, epilogue));
    both_ways(r, &GlobalAvgPool2d, x, mean, (dx, epilogue));
    let (fc, dmean) = (Linear { w: vec![0.5; 30].into(), b: vec![0.5; 10].into() }, r.tensor([2, 3, 1, 1]));
    both_ways(r, &fc, mean, logits, (dmean, GradEpilogue::default()));
}

/// Appends an op of one input and its backward, for which y stands for dy.
fn both_ways(r: &mut Recorder, op: &dyn Op, x: Tensor, y: Tensor, into: (Tensor, GradEpilogue)) {
    let saved = forward(&mut r.rec, op, &[x], y).unwrap_or_else(|e| panic!("{e}"));
    backward(&mut r.rec, op, y, (&[x], &saved), &[into]).unwrap_or_else(|e| panic!("{e}"));
}

/// What has kernels of its own where tensors are texels.
fn texels(r: &mut Recorder) {
    let [x, y] =
        [[2, 3, 6, 8], [2, 3, 3, 4]].map(|shape| Tensor::transient_texels(&mut r.rec, "texels", Shape::from(shape)));
    let epilogue = GradEpilogue { add: Some(x.id), mask: Some(x.id) };
    let dx = Tensor::transient_texels(&mut r.rec, "dx", x.shape);
    both_ways(r, &POOL, x, y, (dx, epilogue));
    both_ways(r, &AVG_POOL, x, y, (dx, epilogue));
    let y = Tensor::transient_texels(&mut r.rec, "y", x.shape);
    both_ways(r, &NORM, x, y, (dx, epilogue));
    let mean = r.tensor([2, 3, 1, 1]);
    both_ways(r, &GlobalAvgPool2d, x, mean, (dx, epilogue));
    for op in ACTIVATIONS.iter().filter(|op| op.formats(false).texels) {
        both_ways(r, *op, x, y, (dx, epilogue));
    }
    forward(&mut r.rec, &Add, &[x, y], dx).expect("add");
    let clock = Clock { step: r.rec.kept("clock", 1), steps: 3 };
    term(r, clock, &natural_statistics(3, NaturalForm::Norms, NaturalSide::Both), [x, dx], false);
    finish_gradient(&mut r.rec, "epilogue", x, dx, epilogue).expect("finish_texels");
}

fn step(r: &mut Recorder) {
    let [x, y, dx, m, v] = [0; 5].map(|_| r.tensor([2, 3, 6, 8]));
    let [logits, dlogits] = [0; 2].map(|_| r.tensor([2, 10, 1, 1]));
    let clock = Clock { step: r.rec.kept("clock", 1), steps: 3 };
    let schedule = Schedule { rows: r.rec.kept("schedule", 3 * AdamRow::LEN), clock };
    let theta = r.rec.kept("theta", 3 * 2 * AffineWarp::ROW);
    for interpolation in [Interpolation::Bilinear, Interpolation::Nearest] {
        let warp = AffineWarp { interpolation, fill: vec![0.5; 3], normalize: None };
        warp.forward(&mut r.rec, x, theta, clock, y).expect("affine_warp");
        warp.backward(&mut r.rec, y, theta, clock, dx).expect("affine_warp");
    }
    Roll.forward(&mut r.rec, x, theta, clock, y).expect("roll");
    Roll.backward(&mut r.rec, y, theta, clock, dx).expect("roll");
    Noise { deviation: 0.5 }.forward(&mut r.rec, x, theta, clock, y).expect("noise");
    for form in [TvForm::L1, TvForm::L2, TvForm::L1Sum, TvForm::Isotropic] {
        term(r, clock, &TotalVariation { form, weight: 1.0, start: 1.0 }, [x, dx], true);
    }
    for accumulates in [false, true] {
        term(r, clock, &L2 { colour: vec![0.5; 3], weight: 1.0 }, [x, dx], accumulates);
        for (form, side) in [
            (NaturalForm::Norms, NaturalSide::Both),
            (NaturalForm::LayerRatios, NaturalSide::Below),
            (NaturalForm::Relative, NaturalSide::Above),
        ] {
            term(r, clock, &natural_statistics(3, form, side), [x, dx], accumulates);
        }
        for form in [BaselineForm::Softmax, BaselineForm::Logits] {
            term(r, clock, &ProbabilityVariance { form, weight: 1.0 }, [logits, dlogits], accumulates);
        }
        term(r, clock, &ClassLogit { classes: vec![1, 2], logsumexp_weight: 0.5 }, [logits, dlogits], accumulates);
        objective(r, clock, [x, dx], [logits, dlogits], accumulates);
    }
    let adam = Adam { beta1: 0.9, beta2: 0.999, eps: 1e-8, clamp: true, towards: vec![0.0; 3] };
    adam.step(&mut r.rec, dx, [x, m, v], schedule).expect("adam");
}

fn ledger(r: &mut Recorder, clock: Clock, columns: Vec<Column>) -> Ledger {
    let weights = r.rec.kept("weights", 3);
    Ledger::new(&mut r.rec, clock, weights, 2, &[columns]).expect("a ledger")
}

fn natural_statistics(channels: usize, form: NaturalForm, side: NaturalSide) -> NaturalStatistics {
    let channel = NaturalChannel { mean: 0.0, variance: 1.0, mean_scale: 1.0, variance_scale: 1.0 };
    let layers = vec![NaturalLayer { source: Of::Image, channels: vec![channel; channels].into() }];
    NaturalStatistics { layers, form, side, weight: 1.0, mean_weight: 1.0, variance_weight: 1.0 }
}

fn term(r: &mut Recorder, clock: Clock, term: &dyn LossTerm, [x, dx]: [Tensor; 2], accumulates: bool) {
    let ledger = ledger(r, clock, term.columns(&[x.shape]));
    term.record(&mut r.rec, &ledger.slot(0), 0..2, &[Read { x, dx, accumulates }]).expect("a term");
    ledger.write(&mut r.rec).expect("history");
    tick(&mut r.rec, clock).expect("history");
}

fn objective(r: &mut Recorder, clock: Clock, [x, dx]: [Tensor; 2], [logits, dlogits]: [Tensor; 2], accumulates: bool) {
    let ledger = ledger(r, clock, vec![Column::hidden(), Column::named("objective")]);
    let (slot, read) = (ledger.slot(0), Read { x, dx, accumulates });
    let rows = vec![ClassRow { weight: 1.0, class: 3, form: 1 }; 4];
    let on_logits = Read { x: logits, dx: dlogits, accumulates };
    ClassTerms { rows }.step(&mut r.rec, "term", on_logits, &slot).expect("class_terms");
    let rows = [FeatureRow { weight: 1.0, channel: 2, place: 3 }; 2];
    for feature in [Feature::Channel, Feature::Neuron, Feature::Direction(vec![0.5; 6]), Feature::Layer] {
        feature.record(&mut r.rec, "term", read, &rows, &slot, true).expect("feature");
    }
    Diversity.record(&mut r.rec, "term", read, &[1.0; 2], &slot, false).expect("diversity");
}

/// What image classifiers of other formats need.
fn classifiers(r: &mut Recorder) {
    let shape = [2, 3, 6, 8];
    let [x, y, dx] = [0; 3].map(|_| r.tensor(shape));
    let epilogue = GradEpilogue { add: Some(x.id), mask: Some(x.id) };
    let half = r.tensor([2, 3, 3, 4]);
    both_ways(r, &AVG_POOL, x, half, (dx, epilogue));
    both_ways(r, &AdaptiveAvgPool2d { output: [3, 4] }, x, half, (dx, epilogue));
    both_ways(r, &BinaryConstant::number(BinaryFunction::Mul, 2.0), x, y, (dx, epilogue));
    // A sum over a plane is long enough for a workgroup.
    let (wide, gate, mean) = (r.tensor([2, 3, 9, 8]), r.tensor([2, 3, 1, 1]), r.tensor([2, 3, 1, 1]));
    let [gated, dwide] = [0; 2].map(|_| r.tensor([2, 3, 9, 8]));
    let mul = Binary(BinaryFunction::Mul);
    forward(&mut r.rec, &mul, &[wide, gate], gated).expect("mul");
    let into = [dwide, mean].map(|dx| (dx, GradEpilogue { add: Some(gated.id), mask: Some(gated.id) }));
    backward(&mut r.rec, &mul, gated, (&[wide, gate], &[]), &into).expect("mul");
    let channels = r.tensor([2, 1, 6, 8]);
    for reduction in [Reduction::Mean, Reduction::Max] {
        both_ways(r, &Reduce { reduction, axes: vec![1], keepdim: true }, x, channels, (dx, epilogue));
        both_ways(r, &Reduce { reduction, axes: vec![2, 3], keepdim: true }, wide, mean, (dwide, into[0].1));
    }
    let last = r.tensor([2, 6, 8, 3]);
    both_ways(r, &Move::Permute(vec![0, 2, 3, 1]), x, last, (dx, epilogue));
    both_ways(r, &Cat { axis: 2 }, x, y, (dx, epilogue));
    for log in [false, true] {
        both_ways(r, &Softmax { axis: 1, log }, x, y, (dx, epilogue));
    }
    both_ways(r, &GroupNorm { groups: 3, weight: None, bias: None, eps: 1e-5 }, x, y, (dx, epilogue));
    let (weight, bias) = (Some(Arc::from([1.0; 8])), Some(Arc::from([0.0; 8])));
    both_ways(r, &LayerNorm { axes: 1, weight, bias, eps: 1e-5 }, x, y, (dx, epilogue));
    let square =
        MatMulConstant { constant: Arc::from([0.5; 64]), shape: Shape::of(&[8, 8]).expect("two"), first: false };
    both_ways(r, &square, x, y, (dx, epilogue));
    let keep = || Condition { holds: Arc::from([true; 8]), shape: Shape::of(&[8]).expect("one") };
    both_ways(r, &MaskedFill { keep: keep(), value: 0.0 }, x, y, (dx, epilogue));
    forward(&mut r.rec, &Where(keep()), &[x, x], y).expect("where");
}

/// From the values of cells to a mask, to the images that it reveals, and back.
fn isolation(r: &mut Recorder) {
    let [x, y, mask, dmask] = [[2, 3, 6, 8], [4, 3, 6, 8], [2, 1, 3, 4], [2, 1, 3, 4]].map(|shape| r.tensor(shape));
    let (areas, clock) = (r.rec.kept("areas", 6), Clock { step: r.rec.kept("clock", 1), steps: 3 });
    SoftTopK.forward(&mut r.rec, mask, areas, clock, dmask).expect("soft_top_k");
    SoftTopK.backward(&mut r.rec, mask, mask, dmask).expect("soft_top_k");
    Reveal.forward(&mut r.rec, x, x, mask, y).expect("reveal");
    Reveal.backward(&mut r.rec, y, x, x, dmask).expect("reveal");
}

/// From a spectrum to an image and back, of sides whose factors are of every kind.
fn parameterization(r: &mut Recorder) {
    for (h, w) in [(8, 14), (22, 12), (10, 26)] {
        let (s, x) = (r.tensor([2, 3, h, w + 2]), r.tensor([2, 3, h, w]));
        let irfft2 = Irfft2::new(h, w, |_, _| 1.0).expect("even sides");
        irfft2.forward(&mut r.rec, s, x).expect("irfft2");
        irfft2.backward(&mut r.rec, x, s).expect("irfft2");
        let [phi, dphi] = [0; 2].map(|_| r.tensor([2, 3, h, w / 2 + 1]));
        Phase.forward(&mut r.rec, phi, s).expect("phase");
        Phase.backward(&mut r.rec, s, phi, dphi).expect("phase");
    }
    let [x, y] = [0; 2].map(|_| r.tensor([2, 3, 6, 8]));
    for sigmoid in [false, true] {
        let colour = Colour { matrix: Some([[0.5; 3]; 3]), sigmoid };
        for colour in [colour, Colour { matrix: None, ..colour }] {
            colour.forward(&mut r.rec, x, y).expect("colour");
            colour.backward(&mut r.rec, y, y, x).expect("colour");
        }
    }
}

/// The mirrored structs and the names of all bindings, for every kernel, without a device.
#[test]
fn rust_and_wgsl_agree_on_parameters_and_bindings() {
    let mut faults = Vec::new();
    for command in every_op(&all_algorithms()).commands() {
        let reflection = reflect(&command.kernel).unwrap_or_else(|e| panic!("{e}"));
        let shader: Vec<(&str, usize)> = reflection.fields.iter().map(|(name, at)| (name.as_str(), *at)).collect();
        if shader != command.fields || reflection.params_size != command.params.len() {
            faults.push(format!("{}: params is {shader:?} in WGSL, {:?} in Rust", command.kernel, command.fields));
        }
        let bound: BTreeSet<&str> = command.bindings.iter().map(|b| b.name).collect();
        let declared = reflection.bindings.iter().filter(|(_, b)| b.access != Access::Uniform);
        let declared: BTreeSet<&str> = declared.map(|(name, _)| name.as_str()).collect();
        if bound != declared {
            faults.push(format!("{}: the shader has {declared:?}, the op binds {bound:?}", command.kernel));
        }
    }
    none(&faults);
}

/// The storage struct that Adam reads a row of at each step.
#[test]
fn the_schedules_row_is_mirrored() {
    let text = Source::Builtin("adam").resolve().expect("its fragments are there");
    let module = naga::front::wgsl::parse_str(&text).expect("valid");
    let found = module.types.iter().find(|(_, t)| t.name.as_deref() == Some("AdamRow")).expect("the struct").1;
    let naga::TypeInner::Struct { members, span } = &found.inner else { panic!("{found:?}") };
    let shader: Vec<_> = members.iter().map(|m| (m.name.as_deref().unwrap_or(""), m.offset as usize)).collect();
    let rust = [
        ("step_size", offset_of!(AdamRow, step_size)),
        ("decay", offset_of!(AdamRow, decay)),
        ("inv_sqrt_bias2", offset_of!(AdamRow, inv_sqrt_bias2)),
        ("reset", offset_of!(AdamRow, reset)),
    ];
    assert_eq!(shader, rust);
    assert_eq!((*span as usize, 4 * AdamRow::LEN), (size_of::<AdamRow>(), size_of::<AdamRow>()));
}

/// What wgpu itself says to every pipeline and bind group at default limits. Its noop device has no subgroups.
#[test]
fn every_op_plans_on_a_device_with_default_limits() {
    let recording = every_op(&[1, 4].map(|slices| ConvAlgorithm::Workgroup { slices }));
    let count = recording.commands().len();
    let plan = Plan::new(&Context::noop(), recording).expect("a plan");
    assert_eq!(plan.summary().sections[0].dispatches, count);
    assert!(count > 20, "{count} commands are not every op");
}

protogpu::params! {
    /// The same fields as shaders/add.wgsl has, but one.
    struct OtherParams { length: u32, relu: u32 }
}

#[test]
fn a_struct_that_is_not_mirrored_is_named() {
    let mut r = Recorder { rec: Recording::new(), next: 0 };
    let [x, z, y] = [0; 3].map(|_| r.tensor([1, 2, 3, 4]));
    let bindings = [x.bind("x"), z.bind("z"), y.bind("y")];
    let kernel = Kernel::new("add", "forward");
    r.rec
        .dispatch("add", kernel, &bindings, &OtherParams { length: 24, relu: 0 }, Grid::Each(24), 24)
        .expect("the lengths fit");
    let said = Plan::new(&Context::noop(), r.rec).err().expect("`len` is not `length`").to_string();
    assert!(
        said.contains(
            r#"`params` is [("len", 0), ("relu", 4)] in the shader but [("length", 0), ("relu", 4)] in Rust"#
        ),
        "{said}"
    );
}
