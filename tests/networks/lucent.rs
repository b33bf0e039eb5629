//! Lucent's preset against its published arithmetic, computed by PyTorch from the formulas: same spectrum, same draws, ten steps.

use protogpu::method::{History, ImageState, Job, Overrides, Preset, Session, Settings, TransformDraws};
use protogpu::networks::{Architecture, Network};

use super::{CONTEXT, FUSED_GRADIENT, LOSSES, f64s, relative};
use crate::tests::twin::generated::generated;
use crate::tests::twin::golden::{Golden, sample_indices};

const STEPS: u32 = 10;
const SIDE: usize = 128;
/// The image before any step: some ten roundings of sums of 128 terms, behind a sigmoid.
const START: f64 = 1e-5;

/// The golden's draws, six numbers a step: jitter's two, the scale, the angle, jitter's two.
struct Given(Vec<f64>);

impl TransformDraws for Given {
    fn draw(&self, _image: usize, step: u64, transform: usize) -> [f64; 3] {
        let row = &self.0[6 * step as usize..][..6];
        // The first transform pads and draws nothing.
        [[0.0; 3], [row[0], row[1], 0.0], [row[2], 0.0, 0.0], [row[3], 0.0, 0.0], [row[4], row[5], 0.0]][transform]
    }
}

/// The golden's start, of about Lucent's standard deviation.
fn spectrum() -> Vec<f32> {
    let uniform = generated("spectrum", &[1, 3, SIDE, SIDE / 2 + 1, 2], 0);
    uniform.into_iter().map(|u| (u - 0.5) / 32.0).collect()
}

fn error(golden: &Golden, key: &str, got: &[f32]) -> f64 {
    let want = golden.vec(key);
    let got = f64s(got);
    relative(&sample_indices(got.len(), want.len()).into_iter().map(|i| got[i]).collect::<Vec<_>>(), &want)
}

/// `published` has Adam's eps of 1e-8: any two f32 programs part within steps, and PyTorch's own straying from its f64 is the scale after
/// the first. `smooth` has lr 0.005 and eps 0.1, and 1e-3 holds for every step.
fn steps(variant: &str, lr: f64, eps: f64, exact_steps: usize) {
    let golden = Golden::open("lucent");
    let key = |name: &str| format!("steps/{variant}/{name}");
    let network = Network::generated(Architecture::ResNet18, 64, 1000, 0).expect("a network");
    let settings = Settings { steps: STEPS, lr, eps, ..Preset::Lucent.settings().expect("a preset") };
    let draws = Given(golden.vec("steps/draws"));
    let parts = Overrides { transform_draws: Some(Box::new(draws)), ..Overrides::default() };
    let job = Job { class: 1, seed: 0, init: None };
    let mut session = Session::with_overrides(&CONTEXT, &network, &settings, &[job], parts).expect("a plan");
    let spectrum = spectrum();
    let zero = vec![0.0; spectrum.len()];
    let state = ImageState { image: Vec::new(), parameters: Some(spectrum), m: zero.clone(), v: zero };
    session.load(0, &[state], vec![History::default()]).expect("it fits");

    let off = error(&golden, &key("start"), &session.states().expect("a readback")[0].image);
    println!("{variant}: image of the start: {off:.1e}");
    assert!(off <= START, "{variant}: image of the start: {off:.1e}");

    session.advance(1).expect("a step");
    // Adam's first moment after one step is (1 − beta1) times the gradient.
    let ds: Vec<f32> = session.states().expect("a readback")[0].m.iter().map(|m| m / 0.1).collect();
    let off = error(&golden, &key("gradient"), &ds);
    println!("{variant}: gradient of the first step: {off:.1e}");
    assert!(off <= FUSED_GRADIENT, "{variant}: gradient of the first step: {off:.1e}");

    session.advance(STEPS as usize).expect("the other steps");
    let (want, single) = (golden.vec(&key("loss")), golden.vec(&key("float32_loss")));
    let strayed = single.iter().zip(&want).map(|(single, want)| (single - want).abs()).fold(0.0, f64::max);
    let mut wrong = Vec::new();
    for (step, (&got, want)) in session.histories()[0].loss().iter().zip(want).enumerate() {
        let off = (f64::from(got) - want).abs();
        let allowed = LOSSES * want.abs() + if step < exact_steps { 0.0 } else { 10.0 * strayed };
        let line = format!(
            "{variant} {step}: {got} for {want:.6}, {:.1e} off, allowed {:.1e}",
            off / want.abs(),
            allowed / want.abs()
        );
        println!("{line}");
        if off.is_nan() || off > allowed {
            wrong.push(line);
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    let strayed = relative(&golden.vec(&key("float32_image")), &golden.vec(&key("image")));
    let off = error(&golden, &key("image"), &session.states().expect("a readback")[0].image);
    println!("{variant}: image: {off:.1e}, PyTorch's f32: {strayed:.1e}");
    let allowed = LOSSES + if exact_steps < STEPS as usize { 10.0 * strayed } else { 0.0 };
    assert!(off <= allowed, "{variant}: image: {off:.1e}, PyTorch's f32: {strayed:.1e}");
}

#[test]
fn published_steps() {
    steps("published", 0.05, 1e-8, 1);
}

#[test]
fn smooth_steps() {
    steps("smooth", 0.005, 0.1, STEPS as usize);
}
