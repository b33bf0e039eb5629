//! Trials of kernels: they make algorithms known, a file keeps these, and an image in a batch depends on neither.

use std::fs;
use std::sync::LazyLock;

use protogpu::gpu::{AdapterChoice, Context};
use protogpu::method::{Job, Overrides, Session, Settings};
use protogpu::networks::{Architecture, Network};
use protogpu::ops::{ConvAlgorithm, ConvAlgorithms};
use protogpu::tuning::{TuningFile, tune};

static CONTEXT: LazyLock<Context> =
    LazyLock::new(|| Context::new(&AdapterChoice::Best).unwrap_or_else(|e| panic!("these tests need an adapter: {e}")));

fn network() -> Network {
    Network::generated(Architecture::ResNet18, 8, 5, 0).expect("a network")
}

fn fixed() -> ConvAlgorithms {
    ConvAlgorithms::fixed(CONTEXT.capabilities())
}

/// For every convolution the last of its candidates: not the fixed choice, which is the first.
fn others(network: &Network) -> ConvAlgorithms {
    let graph = network.graph().fused().expect("a graph");
    let mut algorithms = fixed();
    for key in graph.convolutions().flat_map(|convolution| convolution.keys) {
        let candidates = ConvAlgorithm::candidates(CONTEXT.capabilities(), &key);
        algorithms.set(key, *candidates.last().expect("at least one"));
    }
    algorithms
}

#[test]
fn trials_make_every_convolution_known() {
    let graph = network().graph().fused().expect("a graph");
    let (mut algorithms, mut trials) = (fixed(), Vec::new());
    tune(&CONTEXT, &graph, 1, &mut algorithms, |trial| trials.push(trial.clone())).expect("trials");
    let chosen = graph.chosen(&algorithms);
    assert_eq!(algorithms.all(), chosen, "what is known is what is used");
    assert!(!trials.is_empty());
    for trial in &trials {
        assert!(
            trial.candidates.len() > 1 && trial.candidates.iter().any(|c| c.algorithm == trial.chosen),
            "{trial:?}"
        );
        let sound = |c: &protogpu::tuning::Candidate| c.time_ms > 0.0 && c.time_ms.is_finite() && c.difference < 1e-3;
        assert!(trial.candidates.iter().all(sound), "{trial:?}");
    }
    tune(&CONTEXT, &graph, 1, &mut algorithms, |trial| panic!("{} was known", trial.key)).expect("nothing to do");
}

#[test]
fn a_file_keeps_them_and_others_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = TuningFile::new(&folder.path().join("new"), &CONTEXT, 1);
    assert_eq!(file.read(&CONTEXT).expect("no file is no error"), fixed());
    let algorithms = others(&network());
    file.write(&algorithms).expect("it is written, and its folder made");
    assert_eq!(file.read(&CONTEXT).expect("it reads"), algorithms);
    assert_ne!(TuningFile::new(folder.path(), &CONTEXT, 8).path().file_name(), file.path().file_name());

    let text = fs::read_to_string(file.path()).expect("text");
    let version = format!("\"version\": \"{}\"", env!("CARGO_PKG_VERSION"));
    assert!(text.contains(&version), "{text}");
    for (spoilt, expected) in [
        (text.replace(&version, "\"version\": \"0.0.1\""), "it is of another adapter, driver or version"),
        (text.replace("\"adapter\": \"", "\"adapter\": \"other "), "it is of another adapter, driver or version"),
        (text[..text.len() / 2].to_owned(), "EOF while parsing"),
        (
            text.replace("\": \"texels", "\": \"texel").replace("\": \"work", "\": \"werk"),
            "is not a convolution algorithm",
        ),
        ("x".repeat(5 << 20), "but a list of choices has at most 4194304"),
        (String::new(), "EOF while parsing"),
    ] {
        fs::write(file.path(), spoilt).expect("written");
        let error = file.read(&CONTEXT).expect_err(expected).to_string();
        assert!(error.contains(expected) && error.contains("tuning-"), "{error}");
    }
}

/// Pixels and the class's probability after a few steps.
fn prototype(network: &Network, algorithms: ConvAlgorithms, jobs: &[Job], steps: usize) -> Vec<(Vec<f32>, f32)> {
    let settings = Settings { steps: steps as u32, ..Settings::default() };
    let parts = Overrides { algorithms: Some(algorithms), ..Overrides::default() };
    let mut session = Session::with_overrides(&CONTEXT, network, &settings, jobs, parts).expect("a plan");
    session.advance(steps).expect("steps");
    let logits = session.logits().expect("logits");
    let states = session.states().expect("states");
    let probability = |logits: &[f32], class: usize| {
        let sum: f32 = logits.iter().map(|l| (l - logits[class]).exp()).sum();
        1.0 / sum
    };
    let made = states.into_iter().zip(&logits).zip(jobs);
    made.map(|((state, logits), job)| (state.image, probability(logits, job.class))).collect()
}

fn job(class: usize, seed: u64) -> Job {
    Job { class, seed, init: None }
}

#[test]
fn an_image_does_not_know_its_batch_whatever_was_chosen() {
    let network = network();
    let jobs = [job(1, 0), job(4, 3), job(1, 9)];
    for algorithms in [fixed(), others(&network)] {
        let together = prototype(&network, algorithms.clone(), &jobs, 3);
        for (job, in_batch) in jobs.iter().zip(&together) {
            let alone = prototype(&network, algorithms.clone(), std::slice::from_ref(job), 3);
            assert!(alone[0] == *in_batch, "class {}, seed {}", job.class, job.seed);
        }
    }
}

#[test]
fn choices_change_rounding_and_nothing_else() {
    let network = protogpu::networks::embedded::default().expect("the embedded network");
    let jobs = [job(14, 0)];
    let made = [fixed(), others(&network)].map(|algorithms| prototype(&network, algorithms, &jobs, 64));
    let [a, b] = [&made[0][0], &made[1][0]];
    println!("probability {} and {}", a.1, b.1);
    assert!((a.1 - b.1).abs() < 0.02, "{} and {}", a.1, b.1);
    assert!(a.0 != b.0 || fixed().all() == others(&network).all(), "other kernels round otherwise");
}
