//! Misuses each public function that takes a tensor or a shape, and expects an error. So safe code cannot give a kernel of the crate
//! other parameters than its op does, nor bind, write or read elements that do not exist. The top of `src/gpu/device/compile.rs` has
//! the complete argument. Nothing here computes, so no adapter is needed.

#[path = "sound/ops.rs"]
mod ops;
#[path = "harness/record.rs"]
mod record;
#[path = "sound/session.rs"]
mod session;
#[path = "sound/terms.rs"]
mod terms;

use std::sync::Arc;

use protogpu::gpu::{Context, CustomKernel, Grid, Layout, NoParams, Plan, Recording, Sources, TensorId};
use protogpu::ops::{
    ACTIVATIONS, Add, Conv2d, ConvAlgorithm, Format, GlobalAvgPool2d, GradEpilogue, Linear, LocalResponseNorm,
    MaxPool2d, Op, Relu, Tensor, TexelsAlgorithm, Tile, finish_gradient, pack, unpack,
};
use protogpu::{Result, Shape};
use record::{backward, backward_by, forward, forward_by};

const COPY: &str = "
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@compute @workgroup_size(1)
fn main(@builtin(global_invocation_id) id: vec3u) { y[id.x] = x[id.x]; }
";

fn copy() -> CustomKernel {
    CustomKernel::new("copy", COPY, "main")
}

/// Appends `y = x` over this many elements of each.
fn record_copy(rec: &mut Recording, x: (TensorId, usize), y: (TensorId, usize), grid: Grid) -> Result<()> {
    rec.dispatch_custom("copy", copy(), &[("x", x.0, x.1), ("y", y.0, y.1)], &NoParams, grid, 0)
}

/// `y = x` of four elements, as a plan.
fn copying() -> (Plan, [TensorId; 2]) {
    let mut rec = Recording::new();
    let [x, y] = ["x", "y"].map(|label| rec.kept(label, 4));
    record_copy(&mut rec, (x, 4), (y, 4), Grid::Workgroups([4, 1, 1])).expect("it fits");
    (Plan::new(&Context::noop(), rec).expect("a plan"), [x, y])
}

/// Fails unless a call was refused with this text.
#[track_caller]
fn refused<T>(result: Result<T>, part: &str) {
    let said = result.err().expect("it should be refused").to_string();
    assert!(said.contains(part), "`{said}` does not say `{part}`");
}

/// Fails unless a plan refuses a recording with this text.
#[track_caller]
fn unplanned(rec: Recording, part: &str) {
    refused(Plan::new(&Context::noop(), rec), part);
}

#[test]
fn tensors_of_another_recording_are_refused() {
    let (plan, [x, _]) = copying();
    let mut rec = Recording::new();
    // As many tensors as the plan has, so that the indices alone would be valid.
    let [foreign, _] = ["a", "b"].map(|label| rec.kept(label, 4));
    let why = "belongs to another recording";
    refused(rec.view(x, 0, 4), why);
    refused(record_copy(&mut rec, (foreign, 4), (x, 4), Grid::Each(4)), why);
    assert_eq!(rec.commands().len(), 0);
    refused(plan.write(foreign, &[0.0f32]), why);
    refused(plan.read(foreign), why);
    refused(plan.read_later(&[x, foreign]), why);
    let mut encoder = plan.context().device().create_command_encoder(&Default::default());
    refused(plan.record_read(&mut encoder, &[foreign]), why);
    assert!(plan.buffer(foreign).is_none() && plan.buffer(x).is_some());
    let shape = Shape::new(1, 1, 2, 2);
    let ours = Tensor::new(foreign, shape);
    refused(forward(&mut rec, &Relu, &[Tensor::new(x, shape)], ours), why);
    refused(Tensor::new(x, Shape::new(2, 1, 1, 2)).images(&mut rec, 0..1), why);
    let epilogue = GradEpilogue { add: Some(x), mask: None };
    refused(backward(&mut rec, &Relu, ours, (&[ours], &[]), &[(ours, epilogue)]), why);
}

#[test]
fn a_binding_is_within_its_tensor_and_can_be_counted() {
    let mut rec = Recording::new();
    let (short, long) = (rec.kept("short", 3), rec.kept("long", usize::MAX));
    refused(record_copy(&mut rec, (short, 4), (long, 4), Grid::Each(4)), "`x` needs 4 elements but `short` has 3");
    refused(record_copy(&mut rec, (long, 1 << 32), (short, 3), Grid::Each(3)), "`x` has more than 2147483647 elements");
    refused(rec.view(short, 0, 4), "no view of 4 elements from 0 on");
    refused(rec.view(long, usize::MAX - 63, 128), "no view");
}

#[test]
fn a_plan_refuses_what_a_custom_kernel_cannot_have() {
    let record = |grid| {
        let mut rec = Recording::new();
        let [x, y] = ["x", "y"].map(|label| rec.kept(label, 4));
        record_copy(&mut rec, (x, 4), (y, 4), grid).expect("it fits");
        rec
    };
    unplanned(record(Grid::Workgroups([65_536, 1, 1])), "65536 workgroups along one dimension");
    unplanned(record(Grid::Planes { planes: usize::MAX, h: 1, w: 1 }), "workgroups along one dimension");
    unplanned(record(Grid::Each(usize::MAX)), "workgroups along one dimension");

    let mut rec = Recording::new();
    let x = rec.kept("x", 128);
    record_copy(&mut rec, (x, 4), (x, 4), Grid::Each(4)).expect("it fits");
    unplanned(rec, "`y` writes `x`, which is bound to `x` as well");

    let mut rec = Recording::new();
    let x = rec.kept("x", 128);
    let half = rec.view(x, 64, 64).expect("within");
    record_copy(&mut rec, (x, 64), (half, 64), Grid::Each(4)).expect("it fits");
    unplanned(rec, "`y` writes `x`, which is bound to `x` as well");

    let mut rec = Recording::new();
    let (x, y) = (rec.transient_of("x", 4, Layout::Texels), rec.kept("y", 4));
    record_copy(&mut rec, (x, 4), (y, 4), Grid::Each(4)).expect("it fits");
    unplanned(rec, "one is a texture, one is a buffer");

    // A type with a fixed length, longer than its tensor.
    let fixed = COPY.replace("array<f32>", "array<f32, 100>");
    let mut rec = Recording::new();
    let [x, y] = ["x", "y"].map(|label| rec.kept(label, 99));
    let kernel = CustomKernel::new("fixed", &fixed, "main");
    let bindings = [("x", x, 99), ("y", y, 99)];
    rec.dispatch_custom("fixed", kernel, &bindings, &NoParams, Grid::Each(1), 0).expect("it fits");
    unplanned(rec, "binding fixed.main");
}

#[test]
fn a_write_fits_its_tensor() {
    let (plan, [x, y]) = copying();
    refused(plan.write(x, &[0.0f32; 5]), "20 bytes do not fit `x` of 16 bytes");
    refused(plan.write(x, &[0u8; 3]), "words of 4 bytes");
    plan.write(y, &[1.0f32; 4]).expect("it fits");
}

#[test]
fn nothing_writes_a_constant() {
    let words = || vec![1u32; 128];
    let constants: [fn(&mut Recording, Vec<u32>) -> TensorId; 3] = [
        |rec, words| rec.table("table", Layout::Words, words),
        |rec, words| {
            let len = words.len();
            rec.constant("constant", Sources::default(), "ones", len, Layout::Words, move || Ok(words.clone()))
        },
        |rec, words| {
            let all = rec.table("table", Layout::Words, words);
            rec.view(all, 64, 64).expect("within")
        },
    ];
    for constant in constants {
        let mut rec = Recording::new();
        let (x, y) = (constant(&mut rec, words()), rec.kept("y", 4));
        record_copy(&mut rec, (x, 4), (y, 4), Grid::Each(4)).expect("it fits");
        let plan = Plan::new(&Context::noop(), rec).expect("a plan");
        refused(plan.write(x, &[2u32]), "is a constant, which cannot be written");
        assert!(plan.buffer(x).is_none() && plan.buffer(y).is_some());

        let mut rec = Recording::new();
        let (x, y) = (rec.kept("x", 4), constant(&mut rec, words()));
        record_copy(&mut rec, (x, 4), (y, 4), Grid::Each(4)).expect("it fits");
        unplanned(rec, "`y` would write");
        // A kernel that could write it, even if it does not.
        let reads = COPY.replace("var<storage, read> x", "var<storage, read_write> x");
        let mut rec = Recording::new();
        let (x, y) = (constant(&mut rec, words()), rec.kept("y", 4));
        let bindings = [("x", x, 4), ("y", y, 4)];
        let kernel = CustomKernel::new("reads", &reads, "main");
        rec.dispatch_custom("reads", kernel, &bindings, &NoParams, Grid::Each(4), 0).expect("it fits");
        unplanned(rec, "`x` would write");
    }
    // An op whose output is one.
    let mut rec = Recording::new();
    let x = Tensor::kept(&mut rec, "x", Shape::new(1, 1, 2, 2));
    let y = Tensor::new(rec.table("table", Layout::Words, vec![1; 4]), x.shape);
    forward(&mut rec, &Relu, &[x], y).expect("it fits");
    unplanned(rec, "`y` would write `table`, which is a constant");
}

/// Ops refuse shapes whose products wrap around, and shapes without elements.
#[test]
fn ops_refuse_shapes_that_cannot_be() {
    let wrapping = [1 << 33, 1 << 31, 1, 1];
    for extents in [wrapping, [0, 4, 2, 2], [1, usize::MAX, 2, 2]] {
        let mut rec = Recording::new();
        let tensor = rec.kept("tensor", 64);
        let t = Tensor::new(tensor, Shape::from(extents));
        let mut texels = t;
        texels.format = Format::Texels;
        let epilogue = GradEpilogue::default();
        let norm = LocalResponseNorm { size: 5, alpha: 1e-4, beta: 0.75, k: 1.0 };
        let pool = MaxPool2d { kernel: [1, 1], stride: [1, 1], pad: [0; 4], ceil_mode: false };
        let one = Tensor::new(tensor, Shape::new(1, 1, 1, 1));
        let results = [
            ("relu", forward(&mut rec, &Relu, &[t], t).map(drop)),
            ("relu backward", backward(&mut rec, &Relu, t, (&[t], &[]), &[(t, epilogue)])),
            ("add", forward(&mut rec, &Add, &[t, t], t).map(drop)),
            ("lrn", forward(&mut rec, &norm, &[t], t).map(drop)),
            ("pool", forward(&mut rec, &pool, &[t], t).map(drop)),
            ("avg", backward(&mut rec, &GlobalAvgPool2d, one, (&[t], &[]), &[(t, epilogue)])),
            ("pack", pack(&mut rec, "", t).map(|_| ())),
            ("unpack", unpack(&mut rec, "", texels, t, epilogue, false)),
            ("finish", finish_gradient(&mut rec, "", texels, texels, epilogue)),
        ];
        for (op, result) in results {
            // With no image there is nothing to do; only packing allows that.
            let packs_nothing = op == "pack" && extents.contains(&0);
            assert!(result.is_err() || packs_nothing, "{op} took {extents:?}");
        }
    }
}

#[test]
fn ops_refuse_tensors_that_are_not_alike() {
    let mut rec = Recording::new();
    let (small, large) = (Shape::new(1, 4, 2, 2), Shape::new(1, 4, 4, 4));
    let (x, y) = (Tensor::transient_texels(&mut rec, "x", small), Tensor::kept(&mut rec, "y", large));
    let epilogue = GradEpilogue::default();
    refused(unpack(&mut rec, "", x, y, epilogue, false), "x is [1,4,2,2] but y is [1,4,4,4]");
    let z = Tensor::transient_texels(&mut rec, "z", large);
    refused(finish_gradient(&mut rec, "", x, z, epilogue), "x is [1,4,2,2] but y is [1,4,4,4]");
    for op in ACTIVATIONS {
        let (short, dx) = (Tensor::kept(&mut rec, "short", small), (y, epilogue));
        refused(forward(&mut rec, *op, &[short], y), "x is [1,4,2,2] but y is [1,4,4,4]");
        refused(backward(&mut rec, *op, y, (&[short], &[]), &[dx]), "is [1,4,4,4]");
        refused(forward(&mut rec, *op, &[], y), "takes 1 inputs, not 0");
    }
    // Some channels, with a changed shape: five channels from the fourth of eight on.
    let mut grown = Tensor::kept(&mut rec, "slice", Shape::new(1, 8, 1, 1)).channels(4, 4).expect("four of eight");
    grown.shape = Shape::new(1, 5, 1, 1);
    let conv = conv([5, 1, 1, 1], [1, 1], [0; 4]);
    let input = Tensor::kept(&mut rec, "input", Shape::new(1, 1, 1, 1));
    refused(forward(&mut rec, &conv, &[input], grown), "needs 9 elements but `slice` has 8");
    let linear = Linear { w: Arc::from([0.0; 3]), b: Arc::from([0.0; 1]) };
    refused(forward(&mut rec, &linear, &[x], input), "3 weights");
}

fn conv(w_shape: [usize; 4], stride: [usize; 2], pad: [usize; 4]) -> Conv2d {
    let len = w_shape.iter().try_fold(1usize, |len, &n| len.checked_mul(n)).unwrap_or(0);
    Conv2d { w: vec![0.0; len].into(), w_shape, b: None, stride, pad, dilation: [1, 1], groups: 1, norms: Vec::new() }
}

#[test]
fn convolutions_and_pools_refuse_windows_and_algorithms_that_cannot_be() {
    let mut rec = Recording::new();
    let x = Tensor::kept(&mut rec, "x", Shape::new(1, 1, 4, 4));
    let plain = conv([1, 1, 1, 1], [1, 1], [0; 4]);
    let algorithms = [
        ConvAlgorithm::Subgroup { row_groups: 3 },
        ConvAlgorithm::Subgroup { row_groups: 100 },
        ConvAlgorithm::Workgroup { slices: 0 },
        ConvAlgorithm::Workgroup { slices: u32::MAX },
        ConvAlgorithm::Winograd(Tile::F2x3),
        ConvAlgorithm::Texels(TexelsAlgorithm::Winograd(Tile::F4x3)),
    ];
    for algorithm in algorithms {
        let y = Tensor::kept(&mut rec, "y", x.shape);
        refused(forward_by(algorithm, &mut rec, &plain, &[x], y), "is not for windows");
        let into = (y, GradEpilogue::default());
        refused(backward_by(algorithm, &mut rec, &plain, x, into), "is not for windows");
    }
    let huge = 1usize << 40;
    for op in [
        conv([1, 1, 1, 1], [0, 1], [0; 4]),
        conv([1, 1, 1, 1], [huge, 1], [0; 4]),
        conv([1, 1, 1, 1], [1, 1], [huge; 4]),
    ] {
        refused(op.output("", &[x.shape]), "does not fit");
    }
    // The number of weights wraps around to 0.
    refused(conv([1 << 33, 1 << 31, 1, 1], [1, 1], [0; 4]).output("", &[x.shape]), "0 weights");
    for (kernel, pad) in [([huge, 1], [huge - 1, 0, huge - 1, 0]), ([0, 0], [0; 4])] {
        let pool = MaxPool2d { kernel, stride: [1, 1], pad, ceil_mode: true };
        assert!(pool.output("", &[x.shape]).is_err(), "{kernel:?}");
    }
    // A window that lies in the padding entirely.
    let pool = MaxPool2d { kernel: [2, 2], stride: [1, 1], pad: [1; 4], ceil_mode: false };
    refused(pool.output("", &[Shape::new(1, 1, 0, 4)]), "must have between 1 and");
}
