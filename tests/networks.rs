//! Whole networks against PyTorch: every module's output, the input's gradient, the first steps of the method.
//!
//! `tests/golden/README.md` says where the expected values come from. With the ImageNet weights in `PROTOGPU_SHARED` or
//! `../shared`, the same once more with them. `cargo test --lib tests::networks -- --nocapture` prints every error measured.

#[path = "networks/lucent.rs"]
mod lucent;

use std::sync::LazyLock;
use std::time::Duration;

use super::shared::shared;
use super::twin::generated::generated;
use super::twin::golden::{Golden, norm, sample_indices};
use protogpu::analysis::{Activations, Gradient, gradient};
use protogpu::gpu::{AdapterChoice, Context, Summary};
use protogpu::method::{Fill, Job, Overrides, Session, Settings, TvForm, Warps};
use protogpu::networks::{Architecture, Network, Semantics};
use protogpu::ops::Interpolation;
use protogpu::weights::Weights;

/// Activations, as the L2 norm of the error over that of the golden's sample. Sums of up to 4,608 products in f32 err by
/// about sqrt(4608)·6e-8 = 4e-6 a layer; 20 layers deep, this leaves room for every order of summing.
const ACTIVATIONS: f64 = 1e-4;
/// Logits, likewise.
const LOGITS: f64 = 1e-4;
/// The gradient jumps where rounding tips a ReLU or the choice of a maximum: one unit in two million is 1e-3.
const GRADIENT: f64 = 1e-3;
/// And in the generated InceptionV1 one of stage 4 is tipped, whose window is a third of the image: 4e-3. Graphics cards, which round
/// products and sums at once, tip others: an NVIDIA H200 one of the generated ResNet-18, 1.2e-3.
const TIPPED_GRADIENT: f64 = 1e-2;
/// The steps' own graph is fused, and a warp shows flat fill: several units are tipped. A pixel taken from the wrong place
/// shows as 0.1.
const FUSED_GRADIENT: f64 = 2e-2;
/// The same of the InceptionV1s, in which PyTorch's own f32 strays by up to 3.1e-2 from its f64 on this gradient: they have 13 max
/// pools, and where a warp shows flat fill many of their windows all but tie. Three times that is room for any order of sums.
/// A warp that is off by a pixel ResNet-18 still sees.
const FUSED_GRADIENT_INCEPTION: f64 = 1e-1;
/// Losses and logits of the first steps, each.
const LOSSES: f64 = 1e-3;

/// One device for all tests: each convolution is compiled once.
static CONTEXT: LazyLock<Context> = LazyLock::new(|| Context::new(&AdapterChoice::Best).expect("an adapter"));

static PIXELS: LazyLock<Vec<f32>> = LazyLock::new(|| generated("pixels", &[1, 3, 224, 224], 0));

/// A network and what PyTorch computes with it.
struct Case {
    network: Network,
    golden: Golden,
    class: usize,
    modules: usize,
    gradient: f64,
}

type Lazy = LazyLock<Option<Case>>;

/// Generated weights of the standard width and 1,000 classes.
fn generated_case(architecture: Architecture, golden: &str, modules: usize) -> Option<Case> {
    let network = Network::generated(architecture, 64, 1000, 0).expect("a network");
    let software = CONTEXT.info().device_type == wgpu::DeviceType::Cpu;
    let tipped = architecture == Architecture::InceptionV1 || !software;
    let gradient = if tipped { TIPPED_GRADIENT } else { GRADIENT };
    Some(Case { network, golden: Golden::open(golden), class: 1, modules, gradient })
}

/// Weights of `PROTOGPU_SHARED`, if they are there.
fn shared_case(file: &str, golden: &str, modules: usize) -> Option<Case> {
    let path = shared(file)?;
    let weights = Weights::open(path).expect("weights");
    let golden = Golden::open(golden);
    assert_eq!(golden.metadata("weights_sha256").as_deref(), Some(weights.sha256()), "other weights than the golden's");
    Some(Case {
        network: Network::from_weights(weights).expect("a network"),
        golden,
        class: 574,
        modules,
        gradient: GRADIENT,
    })
}

static RESNET18: Lazy = LazyLock::new(|| generated_case(Architecture::ResNet18, "resnet18", 68));
static RESNET18_IMAGENET: Lazy =
    LazyLock::new(|| shared_case("weights/resnet18_imagenet.safetensors", "resnet18_imagenet", 68));
static RESNET34: Lazy = LazyLock::new(|| generated_case(Architecture::ResNet34, "resnet34", 116));
static RESNET50: Lazy = LazyLock::new(|| generated_case(Architecture::ResNet50, "resnet50", 151));
static GOOGLENET: Lazy = LazyLock::new(|| generated_case(Architecture::GoogLeNet, "googlenet", 224));
static INCEPTION_V1: Lazy = LazyLock::new(|| generated_case(Architecture::InceptionV1, "inception_v1", 169));
static INCEPTION_V1_BVLC: Lazy =
    LazyLock::new(|| shared_case("weights/inception_v1_bvlc.safetensors", "inception_v1_bvlc", 169));

/// |got − want| / |want|, L2.
fn relative(got: &[f64], want: &[f64]) -> f64 {
    assert_eq!(got.len(), want.len());
    let difference: Vec<f64> = got.iter().zip(want).map(|(g, w)| g - w).collect();
    norm(&difference) / norm(want)
}

fn f64s(values: &[f32]) -> Vec<f64> {
    values.iter().copied().map(f64::from).collect()
}

impl Case {
    /// The larger of the errors of a golden's sample and of its norm.
    fn error(&self, key: &str, norm_key: &str, got: &[f32]) -> f64 {
        let (got, want, want_norm) = (f64s(got), self.golden.vec(key), self.golden.number(norm_key));
        let sampled: Vec<f64> = sample_indices(got.len(), want.len()).into_iter().map(|i| got[i]).collect();
        relative(&sampled, &want).max((norm(&got) - want_norm).abs() / want_norm)
    }

    fn every_module(&self) {
        let mut activations = Activations::new(&CONTEXT, &self.network, 1).expect("a plan");
        activations.run(&PIXELS).expect("a run");
        let modules = activations.modules();
        assert_eq!(modules.len(), self.modules);
        assert_eq!(modules.len(), self.golden.children("snapshot/").len());
        let mut wrong = Vec::new();
        let mut worst = (0.0, String::new());
        for module in modules {
            let name = &module.name;
            for (semantics, kind) in [(Semantics::Snapshot, "snapshot"), (Semantics::TorchAlias, "alias")] {
                // The golden holds the alias only where it differs.
                let kind = if self.golden.has(&format!("{kind}/{name}")) { kind } else { "snapshot" };
                let (_, got) = activations.read(module, semantics).expect("a readback");
                let error = self.error(&format!("{kind}/{name}"), &format!("{kind}_norm/{name}"), &got);
                println!("{kind}/{name}: {error:.1e}");
                if error.is_nan() || error > ACTIVATIONS {
                    wrong.push(format!("{kind}/{name}: {error:.1e}"));
                }
                if error > worst.0 {
                    worst = (error, name.clone());
                }
            }
        }
        println!("worst of {} modules: {:.1e} ({})", self.modules, worst.0, worst.1);
        assert!(wrong.is_empty(), "more than {ACTIVATIONS:.0e} off: {wrong:#?}");
    }

    fn logits_and_gradient(&self) {
        let Gradient { gradient, logits } = gradient(&CONTEXT, &self.network, &PIXELS, self.class).expect("a gradient");
        let class = self.class;
        let off = relative(&f64s(&logits), &self.golden.vec("logits"));
        println!("logits: {off:.1e}");
        assert!(off <= LOGITS, "logits: {off:.1e}");
        let off = self.error(&format!("gradient/{class}"), &format!("gradient_norm/{class}"), &gradient);
        println!("gradient: {off:.1e}");
        assert!(off <= self.gradient, "gradient: {off:.1e}");
    }

    /// Ten steps, made in a way, with the golden's pixels and warps.
    fn first_steps(&self, way: &FirstSteps) {
        let name = way.name;
        let golden = |key: &str| self.golden.vec(&format!("steps/{name}/{key}"));
        let job = Job { class: self.class, seed: 0, init: Some(PIXELS.as_slice().into()) };
        let warps = Given(self.golden.vec("steps/theta"));
        let parts = Overrides { warps: Some(Box::new(warps)), ..Overrides::default() };
        let mut session =
            Session::with_overrides(&CONTEXT, &self.network, &way.settings(), &[job], parts).expect("a plan");
        session.advance(1).expect("a step");
        // Adam's first moment after one step is (1 − beta1) times the gradient.
        let m = &session.states().expect("a readback")[0].m;
        let dx: Vec<f32> = m.iter().map(|m| m / 0.1).collect();
        let off = self.error(&format!("steps/{name}/gradient"), &format!("steps/{name}/gradient_norm"), &dx);
        println!("{name}: gradient of the first step: {off:.1e}");
        let most = match self.network.architecture() {
            Architecture::GoogLeNet | Architecture::InceptionV1 => FUSED_GRADIENT_INCEPTION,
            Architecture::Onnx => panic!("no golden is an ONNX model"),
            _ => FUSED_GRADIENT,
        };
        // Of a softmax that is all but certain, the variance's gradient is what rounding leaves.
        let nothing = self.golden.number(&format!("steps/{name}/gradient_norm")) < 1e-9;
        assert!(off <= most || nothing, "{name}: gradient of the first step: {off:.1e}");

        session.advance(way.settings().total_steps() as usize).expect("the other steps");
        let history = &session.histories()[0];
        let [loss, loss_hf, logit] = ["loss", "loss_hf", "logit"].map(|name| history.column(name));
        let mut wrong = Vec::new();
        for (what, got) in [("loss", loss), ("logit", logit), ("tv", loss_hf)] {
            let (want, single) = (golden(what), golden(&format!("float32_{what}")));
            assert_eq!(got.len(), want.len(), "{name}: steps");
            // How far PyTorch's own f32 strays from its f64.
            let strayed = single.iter().zip(&want).map(|(single, want)| (single - want).abs()).fold(0.0, f64::max);
            for (step, (&got, want)) in got.iter().zip(want).enumerate() {
                let off = (f64::from(got) - want).abs();
                let allowed = LOSSES * want.abs() + if step < way.exact_steps { 0.0 } else { 10.0 * strayed };
                let line = format!(
                    "{name} {what} {step}: {got} for {want:.6}, {:.1e} off, allowed {:.1e}",
                    off / want.abs(),
                    allowed / want.abs()
                );
                println!("{line}");
                if off.is_nan() || off > allowed {
                    wrong.push(line);
                }
            }
        }
        assert!(wrong.is_empty(), "{wrong:#?}");

        let image = &session.states().expect("a readback")[0].image;
        let off = self.error(&format!("steps/{name}/pixels"), &format!("steps/{name}/pixels_norm"), image);
        let strayed = relative(&golden("float32_pixels"), &golden("pixels"));
        println!("{name}: pixels: {off:.1e}, PyTorch's f32: {strayed:.1e}");
        assert!(off <= LOSSES + 10.0 * strayed, "{name}: pixels: {off:.1e}, PyTorch's f32: {strayed:.1e}");
    }
}

/// A way to run the first steps, as in `tests/golden/networks.py`.
struct FirstSteps {
    name: &'static str,
    hf: (TvForm, f64),
    warp: (Interpolation, Fill),
    adam: (f64, f64),
    baseline_steps: u32,
    /// Steps whose losses must be right to 1e-3 by themselves. With an eps of 1e-8, the sign of a gradient that is all but
    /// zero decides over a whole lr, and any two f32 programs part sooner or later; then PyTorch's own straying is the scale.
    exact_steps: usize,
}

impl FirstSteps {
    fn settings(&self) -> Settings {
        Settings {
            steps: 10,
            lr: self.adam.0,
            eps: self.adam.1,
            interpolation: self.warp.0,
            fill: self.warp.1.clone(),
            tv_form: self.hf.0,
            tv_weight: self.hf.1,
            baseline_steps: self.baseline_steps,
            logsumexp_weight: 0.0,
            lr_decay_fraction: 0.0,
            tv_start: 1.0,
            warp_probability: 1.0,
            ..Settings::default()
        }
    }
}

const PAPER: (f64, f64) = (0.05, 1e-8);
const BILINEAR: (Interpolation, Fill) = (Interpolation::Bilinear, Fill::Mean);
const MAIN: FirstSteps = FirstSteps {
    name: "main",
    hf: (TvForm::L1Sum, 0.05),
    warp: BILINEAR,
    adam: PAPER,
    baseline_steps: 0,
    exact_steps: 1,
};
const NO_HF: FirstSteps = FirstSteps { name: "no_hf", hf: (TvForm::L1Sum, 0.0), ..MAIN };
const BASELINE: FirstSteps = FirstSteps {
    name: "baseline",
    hf: (TvForm::L1, 1.0),
    warp: (Interpolation::Nearest, Fill::Black),
    baseline_steps: 2,
    ..MAIN
};
const SMOOTH: FirstSteps =
    FirstSteps { name: "smooth", hf: (TvForm::L2, 1000.0), adam: (0.005, 0.1), exact_steps: usize::MAX, ..MAIN };

/// The golden's maps, six numbers a step.
struct Given(Vec<f64>);

impl Warps for Given {
    fn theta(&self, _image: usize, step: u64) -> [f32; 6] {
        std::array::from_fn(|i| self.0[6 * step as usize + i] as f32)
    }
}

fn with(case: &Lazy, run: impl FnOnce(&Case)) {
    case.as_ref().map_or_else(|| println!("skipped"), run);
}

macro_rules! inference_against_torch {
    ($($network:ident: $case:ident;)*) => {$(
        mod $network {
            use super::{Case, $case, with};

            #[test]
            fn every_module() {
                with(&$case, Case::every_module);
            }

            #[test]
            fn logits_and_gradient() {
                with(&$case, Case::logits_and_gradient);
            }
        }
    )*};
}

inference_against_torch! {
    resnet18: RESNET18;
    resnet18_imagenet: RESNET18_IMAGENET;
    resnet34: RESNET34;
    resnet50: RESNET50;
    googlenet: GOOGLENET;
    inception_v1: INCEPTION_V1;
    inception_v1_bvlc: INCEPTION_V1_BVLC;
}

macro_rules! first_steps_against_torch {
    ($($network:ident: $case:ident;)*) => {$(
        mod $network {
            use super::super::{BASELINE, MAIN, NO_HF, SMOOTH, $case, with};

            #[test]
            fn main() {
                with(&$case, |case| case.first_steps(&MAIN));
            }

            #[test]
            fn no_hf() {
                with(&$case, |case| case.first_steps(&NO_HF));
            }

            #[test]
            fn baseline() {
                with(&$case, |case| case.first_steps(&BASELINE));
            }

            #[test]
            fn smooth() {
                with(&$case, |case| case.first_steps(&SMOOTH));
            }
        }
    )*};
}

mod first_steps {
    first_steps_against_torch! {
        resnet18: RESNET18;
        resnet18_imagenet: RESNET18_IMAGENET;
        googlenet: GOOGLENET;
        inception_v1: INCEPTION_V1;
        inception_v1_bvlc: INCEPTION_V1_BVLC;
    }
}

/// A network of a quarter of the width, for what needs no golden.
fn small() -> Network {
    Network::generated(Architecture::ResNet18, 16, 15, 0).expect("a network")
}

#[test]
fn a_profiled_step_is_a_step() {
    let network = small();
    let settings = Settings { steps: 3, ..Settings::default() };
    let session = || Session::new(&CONTEXT, &network, &settings, &[Job { class: 3, seed: 0, init: None }]);
    let (mut plain, mut profiled) = (session().expect("a plan"), session().expect("a plan"));
    if !CONTEXT.has_timestamps() {
        assert!(profiled.profile().expect_err("no timestamps").is_input());
        return println!("skipped: only adapters with timestamps profile");
    }
    plain.advance(3).expect("three steps");
    profiled.advance(1).expect("a step");
    let times = profiled.profile().expect("a profile");
    profiled.advance(1).expect("a step");
    let step = &Summary::new(profiled.recording()).sections[0];
    assert_eq!((times.len(), times.iter().map(|t| t.flops).sum()), (step.dispatches, step.flops));
    assert!(times.iter().all(|t| t.time_ms >= 0.0) && times.iter().any(|t| t.time_ms > 0.0));
    assert_eq!((profiled.step(), profiled.histories()), (3, plain.histories()));
    assert!(profiled.states().expect("a readback") == plain.states().expect("a readback"), "pixels and Adam's state");
    assert!(profiled.profile().expect_err("three of three").to_string().contains("all 3 steps are done"));
}

/// Polls until something has arrived.
fn polled<T>(mut take: impl FnMut() -> protogpu::Result<Option<T>>) -> T {
    loop {
        CONTEXT.device().poll(wgpu::PollType::Poll).expect("a device");
        if let Some(taken) = take().expect("a readback") {
            return taken;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// What a frame loop or a browser does: it prepares, records, polls and takes.
#[test]
fn a_run_that_never_waits_gives_the_same_bits() {
    let network = small();
    // Without warps the network sees the image as it is, and a step tells the logit of what the last step left.
    let still = Settings { rotation: 0.0, translate: 0.0, scale: [1.0, 1.0], ..Settings::default() };
    let settings = Settings { steps: 3, interpolation: Interpolation::Nearest, ..still };
    let jobs = [3, 5].map(|class| Job { class, seed: 0, init: None });
    let mut waited = Session::new(&CONTEXT, &network, &settings, &jobs).expect("a plan");
    waited.advance(3).expect("three steps");

    let preparing = Session::prepare(&CONTEXT, &network, &settings, &jobs, Overrides::default());
    let mut session = pollster::block_on(preparing).expect("a plan");
    let frame = |session: &mut Session| {
        let mut encoder = CONTEXT.device().create_command_encoder(&Default::default());
        let steps = session.record(&mut encoder, 2).expect("commands");
        let mut losses = session.record_losses(&mut encoder);
        let mut images = session.record_images(&mut encoder).expect("a copy");
        let mut logits = session.record_logits(&mut encoder).expect("a copy");
        let mut states = session.record_states(&mut encoder).expect("a copy");
        assert!(images.try_take().expect("not failed").is_none(), "nothing arrives before it is submitted");
        CONTEXT.queue().submit([encoder.finish()]);
        polled(|| Ok(session.take_losses(&mut losses)?.then_some(())));
        let taken = [&mut images, &mut logits].map(|pending| polled(|| pending.try_take()));
        assert!(images.try_take().is_err(), "taken once");
        (steps, taken, polled(|| states.try_take()))
    };
    let (steps, before, _) = frame(&mut session);
    assert_eq!(steps, 2);
    let (steps, [images, logits], states) = frame(&mut session);
    assert!(before[0] != images && before[1] != logits, "each frame has its own");
    let told = session.histories().iter().map(|history| history.column("logit")[2]);
    for ((told, logits), job) in told.zip(&before[1]).zip(&jobs) {
        assert!((told - logits[job.class]).abs() < 1e-3, "class {}: {told} and {}", job.class, logits[job.class]);
    }
    assert_eq!((steps, session.histories()), (1, waited.histories()));
    assert!(images == waited.images().expect("a readback"), "pixels");
    assert!(states == waited.states().expect("a readback"), "pixels and Adam's state");
    assert_eq!(logits, waited.logits().expect("a readback"));
    assert_eq!(frame(&mut session).0, 0, "all steps are done");
}

/// Without an adapter and with WebGPU's default limits: what every adapter must be able to take.
#[test]
fn plans_fit_the_default_limits() {
    let network = &RESNET18.as_ref().expect("a network").network;
    for batch in [1, 8] {
        let jobs: Vec<Job> = (0..batch).map(|class| Job { class, seed: 0, init: None }).collect();
        let context = Context::noop();
        let mut session = Session::new(&context, network, &Settings::default(), &jobs).expect("a plan");
        let summary = Summary::new(session.recording());
        println!("batch of {batch}:\n{summary}");
        let step = &summary.sections[0];
        // A forward is 3.63 GFLOP an image; the backward to the input as much again.
        let gflop = step.flops as f64 / batch as f64 / 1e9;
        assert!((7.2..7.6).contains(&gflop), "{gflop} GFLOP a step");
        let mut encoder = context.device().create_command_encoder(&Default::default());
        assert_eq!(session.record(&mut encoder, 2).expect("commands"), 2);
        context.queue().submit([encoder.finish()]);
    }
}
