//! Coarse steps, in which the network sees the image at half its size.

use std::sync::LazyLock;

use super::objectives::{self, f64s, relative};
use super::twin::generated::generated;
use protogpu::gpu::{AdapterChoice, Context};
use protogpu::method::{Job, Overrides, Session, Settings};
use protogpu::networks::{Architecture, Network};

static CONTEXT: LazyLock<Context> = LazyLock::new(|| Context::new(&AdapterChoice::Best).expect("an adapter"));

const SIDE: usize = 112;

/// A narrow ResNet-18 for images of 112 x 112 pixels.
fn network() -> Network {
    Network::generated(Architecture::ResNet18, 8, 10, 3).and_then(|network| network.halved()).expect("a network")
}

/// No transforms, no penalty, and a learning rate that does not depend on the number of steps.
fn still(steps: u32, side: usize) -> Settings {
    let mut settings = Settings { steps, image_side: side as u32, ..objectives::still("class") };
    settings.regularizers.set_json("natural_weight", &0.5.into()).expect("a setting");
    settings
}

fn session(network: &Network, settings: &Settings, jobs: &[Job], steps: usize) -> Session {
    let mut session = Session::new(&CONTEXT, network, settings, jobs).expect("a plan");
    session.advance(steps).expect("steps");
    session
}

/// The mean of each square of four pixels.
fn halved(image: &[f32], side: usize) -> Vec<f32> {
    let half = side / 2;
    let mean = |i: usize| {
        let (plane, y, x) = (i / (half * half), i / half % half, i % half);
        let at = plane * side * side + 2 * y * side + 2 * x;
        0.25 * (image[at] + image[at + 1] + image[at + side] + image[at + side + 1])
    };
    (0..image.len() / 4).map(mean).collect()
}

#[test]
fn a_coarse_step_is_that_of_the_halved_image_in_the_halved_network() {
    let network = network();
    let image = generated("pixels", &[3, SIDE, SIDE], 0);
    let job = |pixels: &[f32]| [Job { class: 2, seed: 0, init: Some(pixels.into()) }];
    let coarse = session(&network, &Settings { coarse_fraction: 1.0, ..still(2, SIDE) }, &job(&image), 1);
    let small = halved(&image, SIDE);
    let direct = session(&network.halved().expect("half"), &still(2, SIDE / 2), &job(&small), 1);
    for column in ["loss", "logit", "loss_natural"] {
        let [got, want] = [&coarse, &direct].map(|session| session.histories()[0].column(column)[0]);
        assert!((got - want).abs() <= 1e-4 * want.abs(), "{column}: {got} for {want}");
    }
    // Adam's first moment is a tenth of the gradient, and each of four pixels has a quarter of the gradient of their mean.
    let [got, want] = [&coarse, &direct].map(|session| session.states().expect("a readback").remove(0).m);
    let spread = |i: usize| {
        let (plane, y, x) = (i / (SIDE * SIDE), i / SIDE % SIDE, i % SIDE);
        0.25 * f64::from(want[(plane * (SIDE / 2) + y / 2) * (SIDE / 2) + x / 2])
    };
    let off = relative(&f64s(&got), &(0..got.len()).map(spread).collect::<Vec<_>>());
    assert!(off < 1e-3, "gradient {off:.1e}");
}

#[test]
fn coarse_steps_come_first() {
    let network = network();
    let jobs: Vec<Job> = (0..2).map(|i| Job { class: i, seed: 0, init: None }).collect();
    let run = |coarse_fraction| {
        let settings = Settings { coarse_fraction, views: 2, ..still(4, SIDE) };
        session(&network, &settings, &jobs, 4).histories()[1].loss().to_vec()
    };
    let [none, half, all] = [0.0, 0.5, 1.0].map(run);
    assert!(half[..2] == all[..2] && half[2] != all[2] && half[0] != none[0], "{none:?} {half:?} {all:?}");
}

#[test]
fn what_has_no_half_is_refused() {
    let network = network();
    let settings = Settings { coarse_fraction: 0.5, ..still(2, SIDE) };
    let objective = Some(vec!["neuron:layer1:1@2,2".parse().expect("an objective")]);
    let parts = Overrides { objectives: objective, ..Overrides::default() };
    let jobs = [Job { class: 0, seed: 0, init: None }];
    let error =
        Session::with_overrides(&CONTEXT, &network, &settings, &jobs, parts).err().expect("an error").to_string();
    assert!(error.contains("names a position"), "{error}");
}
