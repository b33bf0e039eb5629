//! Objectives in whole networks: against PyTorch; what is run and what not; what of a batch they may depend on.
//!
//! `tests/golden/README.md` says where the expected values come from.

use std::sync::LazyLock;

use super::harness::forward;
use super::twin::generated::generated;
use super::twin::golden::{Golden, norm, sample_indices};
use protogpu::Result;
use protogpu::analysis::Activations;
use protogpu::analysis::moments::Moments;
use protogpu::gpu::{AdapterChoice, Capabilities, Context, Plan, Recording};
use protogpu::graph::{Graph, NodeId, Retain};
use protogpu::method::{Interpolation, Job, Objective, Overrides, Session, Settings};
use protogpu::networks::{Architecture, LayerStatistics, Network, Picture, Semantics, Statistics};
use protogpu::ops::{Concat, ConvAlgorithms, Format, GradEpilogue, Tensor, unpack};

/// Values, relative: sums of up to 4,608 products a layer, fused, and means of thousands.
const VALUES: f64 = 1e-4;
/// The gradient jumps where rounding tips a ReLU or the choice of a maximum; as in `tests/networks.rs`.
const GRADIENT: f64 = 2e-2;
/// The same in small networks against themselves, where they have few pools. An InceptionV1 has 13 of them, whose windows all but tie, and
/// folding its batch norms rounds the weights once more: at inception4c one choice is tipped, 5e-3 of the gradient of few channels,
/// with outputs that agree to 6e-7. A branch that is taken from the wrong place shows as 0.1 and more.
const SAME: f64 = 1e-3;

/// One device for all tests: each convolution is compiled once.
static CONTEXT: LazyLock<Context> = LazyLock::new(|| Context::new(&AdapterChoice::Best).expect("an adapter"));

pub(super) fn relative(got: &[f64], want: &[f64]) -> f64 {
    assert_eq!(got.len(), want.len());
    let difference: Vec<f64> = got.iter().zip(want).map(|(g, w)| g - w).collect();
    norm(&difference) / norm(want)
}

pub(super) fn f64s(values: &[f32]) -> Vec<f64> {
    values.iter().copied().map(f64::from).collect()
}

/// Nothing but the objective: no warp, no penalty.
pub(super) fn still(objective: &str) -> Settings {
    Settings {
        steps: 2,
        rotation: 0.0,
        translate: 0.0,
        scale: [1.0, 1.0],
        interpolation: Interpolation::Nearest,
        tv_weight: 0.0,
        lr_decay_fraction: 0.0,
        warp_probability: 1.0,
        objective: objective.parse().expect("an objective"),
        ..Settings::default()
    }
}

/// The values of a column at the first step, and the gradient of the loss to the pixels of each image.
fn first_step(network: &Network, settings: &Settings, jobs: &[Job], column: &str) -> (Vec<f64>, Vec<f64>) {
    let mut session = Session::new(&CONTEXT, network, settings, jobs).expect("a plan");
    session.advance(1).expect("a step");
    let values = session.histories().iter().map(|h| f64::from(h.column(column)[0])).collect();
    // Adam's first moment after one step is (1 − beta1) times the gradient.
    let states = session.states().expect("a readback");
    (values, states.iter().flat_map(|state| &state.m).map(|m| f64::from(*m) / 0.1).collect())
}

fn jobs(class: usize, images: &[Vec<f32>]) -> Vec<Job> {
    images.iter().map(|image| Job { class, seed: 0, init: Some(image.as_slice().into()) }).collect()
}

/// What differs from PyTorch's values and gradients under this key.
fn faults(golden: &Golden, key: &str, about: &str, (values, gradient): (Vec<f64>, Vec<f64>)) -> Option<String> {
    let want = golden.vec(&format!("{key}/gradient"));
    let want_norm = golden.number(&format!("{key}/gradient_norm"));
    let sampled: Vec<f64> = sample_indices(gradient.len(), want.len()).into_iter().map(|i| gradient[i]).collect();
    let value = relative(&values, &golden.vec(&format!("{key}/value")));
    let off = relative(&sampled, &want).max((norm(&gradient) - want_norm).abs() / want_norm);
    println!("{key}: value {value:.1e}, gradient {off:.1e}: {about:.60}");
    let holds = value <= VALUES && off <= GRADIENT;
    (!holds).then(|| format!("{key} ({about:.60}): value {value:.1e}, gradient {off:.1e}"))
}

fn against_torch(golden: &Golden, key: &str, network: &Network, images: &[Vec<f32>]) -> Option<String> {
    let text = golden.metadata(key).expect("the objective");
    faults(golden, key, &text, first_step(network, &still(&text), &jobs(0, images), "objective"))
}

#[test]
fn values_and_gradients_are_pytorchs() {
    let golden = Golden::open("objectives");
    let pixels = generated("pixels", &[3, 3, 224, 224], 0);
    let images: Vec<Vec<f32>> = pixels.chunks(3 * 224 * 224).map(<[f32]>::to_vec).collect();
    let mut wrong = Vec::new();
    let mut count = 0;
    for architecture in [Architecture::ResNet18, Architecture::GoogLeNet, Architecture::InceptionV1] {
        let network = Network::generated(architecture, 64, 1000, 0).expect("a network");
        for i in golden.children(&format!("{architecture}/")) {
            wrong.extend(against_torch(&golden, &format!("{architecture}/{i}"), &network, &images[..1]));
            count += 1;
        }
        if architecture == Architecture::ResNet18 {
            wrong.extend(against_torch(&golden, "diverse/0", &network, &images));
        }
    }
    assert!(count >= 11 && wrong.is_empty(), "{count} objectives: {wrong:#?}");
}

/// The distance from the statistics that batch norms keep, and the gradient of all of the loss.
#[test]
fn natural_statistics_are_pytorchs() {
    let golden = Golden::open("natural_statistics");
    let number = |key: &str| golden.metadata(key).expect("a number").parse::<f64>().expect("a number");
    let pixels = generated("pixels", &[2, 3, 224, 224], 0);
    let images: Vec<Vec<f32>> = pixels.chunks(3 * 224 * 224).map(<[f32]>::to_vec).collect();
    let jobs = jobs(number("class") as usize, &images);
    let (mut wrong, mut count) = (Vec::new(), 0);
    for architecture in [Architecture::ResNet18, Architecture::GoogLeNet] {
        let network = Network::generated(architecture, 64, 1000, 0).expect("a network");
        for form in golden.children(&format!("{architecture}/")) {
            let key = format!("{architecture}/{form}");
            let settings = natural(number("weight"), &form);
            wrong.extend(faults(&golden, &key, &form, first_step(&network, &settings, &jobs, "loss_natural")));
            count += 1;
        }
    }
    assert!(count == 10 && wrong.is_empty(), "{count} forms: {wrong:#?}");
}

/// The class with natural statistics in a form, such as `norms below`.
fn natural(weight: f64, form: &str) -> Settings {
    let (name, side) = form.split_once(' ').unwrap_or((form, "both"));
    let mut settings = Settings { logsumexp_weight: 0.0, ..still("class") };
    for (option, value) in
        [("natural_weight", weight.into()), ("natural_form", name.into()), ("natural_side", side.into())]
    {
        settings.regularizers.set_json(option, &value).expect("an option");
    }
    settings
}

/// The statistics that are measured on images, the distance from them in every form, and the gradient of all of the loss.
#[cfg(feature = "cli")]
#[test]
fn measured_statistics_are_pytorchs() {
    let golden = Golden::open("natural_statistics");
    let number = |key: &str| golden.metadata(key).expect("a number").parse::<f64>().expect("a number");
    let images = |name: &str, count: usize| -> Vec<Vec<f32>> {
        generated(name, &[count, 3, 224, 224], 0).chunks(3 * 224 * 224).map(<[f32]>::to_vec).collect()
    };
    let mut photographs = images("photographs", 3);
    for (image, contrast) in photographs.iter_mut().zip([0.25, 0.625, 1.0]) {
        image.iter_mut().for_each(|x| *x *= contrast);
    }
    let jobs = jobs(number("class") as usize, &images("pixels", 2));
    let (mut wrong, mut count) = (Vec::new(), 0);
    for architecture in [Architecture::ResNet18, Architecture::InceptionV1] {
        let network = Network::generated(architecture, 64, 1000, 0).expect("a network");
        let mut moments = Moments::new(&CONTEXT, &network, 3).expect("a plan");
        moments.add(&photographs.concat()).expect("a measurement");
        let layers = moments.layers();
        for (name, part) in PARTS {
            let key = format!("measured/{architecture}/statistics/{name}");
            let got: Vec<f64> = layers.iter().flat_map(|layer| f64s(part(layer))).collect();
            let want = golden.vec(&key);
            let sampled: Vec<f64> = sample_indices(got.len(), want.len()).into_iter().map(|i| got[i]).collect();
            let want_norm = golden.number(&format!("{key}_norm"));
            let off = relative(&sampled, &want).max((norm(&got) - want_norm).abs() / want_norm);
            println!("{key}: {off:.1e}");
            wrong.extend((off > VALUES).then(|| format!("{key}: {off:.1e}")));
        }
        let picture = Picture { file: "generated".into(), sha256: String::new() };
        let statistics = Statistics::new(layers, vec![picture; 3], &network);
        let network = network.with_statistics(statistics).expect("statistics");
        for form in ["norms", "layer-ratios", "relative", "spread"] {
            let (key, settings) = (format!("measured/{architecture}/{form}"), natural(number("measured_weight"), form));
            wrong.extend(faults(&golden, &key, form, first_step(&network, &settings, &jobs, "loss_natural")));
            count += 1;
        }
    }
    assert!(count == 8 && wrong.is_empty(), "{count} forms: {wrong:#?}");
}

/// A part of a layer's statistics.
#[cfg(feature = "cli")]
type Part = fn(&LayerStatistics) -> &[f32];

#[cfg(feature = "cli")]
const PARTS: [(&str, Part); 4] = [
    ("mean", |layer| &layer.mean),
    ("variance", |layer| &layer.variance),
    ("mean_spread", |layer| &layer.mean_spread),
    ("variance_spread", |layer| &layer.variance_spread),
];

/// A network of a quarter of the width.
fn narrow(architecture: Architecture) -> Network {
    Network::generated(architecture, 16, 15, 0).expect("a network")
}

/// The outputs of a graph's ends one after the other, and the gradient of their sum under fixed weights.
fn looked_at(graph: &Graph, algorithms: &ConvAlgorithms, keep: Retain) -> Result<[Vec<f64>; 2]> {
    let mut rec = Recording::new();
    let x = Tensor::kept(&mut rec, "pixels", graph.node(graph.input()).shape);
    rec.section("forward");
    let acts = graph.record_forward(&mut rec, algorithms, x, keep)?;
    let (mut seeds, mut outputs) = (Vec::new(), Vec::new());
    for (i, &end) in graph.outputs().iter().enumerate() {
        let y = acts.of(end);
        let out = Tensor::kept(&mut rec, &format!("end {i}"), y.shape);
        match y.format {
            Format::Texels => unpack(&mut rec, "end", y, out, GradEpilogue::default(), false)?,
            Format::Nchw => drop(forward(&mut rec, &Concat, &[y], out)?),
        }
        outputs.push(out);
        seeds.push((end, Tensor::kept(&mut rec, &format!("seed {i}"), y.shape)));
    }
    let dx = graph.record_backward_of(&mut rec, algorithms, &acts, &seeds)?;
    let dpixels = Tensor::kept(&mut rec, "dpixels", dx.shape);
    forward(&mut rec, &Concat, &[dx], dpixels)?;
    let plan = Plan::new(&CONTEXT, rec)?;
    plan.write(x.id, &generated("pixels", x.shape.extents(), 0))?;
    for (i, (_, seed)) in seeds.iter().enumerate() {
        plan.write(seed.id, &generated(&format!("seed {i}"), &[seed.shape.len()], 0))?;
    }
    plan.submit("forward", 1);
    let mut y = Vec::new();
    for out in outputs {
        y.extend(f64s(&plan.read(out.id)?));
    }
    Ok([y, f64s(&plan.read(dpixels.id)?)])
}

fn ends_are_what_they_are_unfused(architecture: Architecture, sets: &[&[&str]]) {
    let same = if architecture == Architecture::ResNet18 { SAME } else { GRADIENT };
    let network = narrow(architecture);
    let own = CONTEXT.capabilities();
    let plain = ConvAlgorithms::fixed(Capabilities { subgroup_size: None, texels: false });
    for (i, names) in sets.iter().enumerate() {
        let node = |name: &&str| network.module(name).expect("a module").node(Semantics::Snapshot);
        let ends: Vec<NodeId> = names.iter().map(node).collect();
        let graph = network.graph().truncated(&ends);
        let fused = graph.fused().expect("a graph");
        let want = looked_at(&graph, &plain, Retain::All).expect("a run");
        // Which end it is makes no difference to how kernels over buffers are chosen: one set of ends does for them.
        let buffers = Capabilities { texels: false, ..own };
        for capabilities in [buffers, own].into_iter().filter(|c| *c == own || i == 0) {
            let got = looked_at(&fused, &ConvAlgorithms::fixed(capabilities), Retain::Needed).expect("a run");
            let off = [0, 1].map(|i| relative(&got[i], &want[i]));
            println!("{architecture} {names:?}, {} of {} nodes: {off:?}", fused.nodes().len(), graph.nodes().len());
            assert!(off[0] <= VALUES && off[1] <= same, "{architecture} {names:?} {capabilities:?}: {off:?}");
        }
    }
}

#[test]
fn any_module_of_a_resnet_is_itself_when_fused() {
    let sets: [&[&str]; 11] = [
        &["layer2.1", "fc"],
        &["conv1"],
        &["bn1"],
        &["relu"],
        &["maxpool"],
        &["layer1.0.conv2"],
        &["layer1.0.bn2", "layer2.0.downsample"],
        &["layer2.0.downsample.0", "layer2.0.conv1", "layer2.0"],
        &["layer3.1"],
        &["layer3.0.relu", "layer1.1.bn1"],
        &["avgpool", "layer4.0.bn2"],
    ];
    ends_are_what_they_are_unfused(Architecture::ResNet18, &sets);
}

#[test]
fn any_module_of_an_inception_is_itself_when_fused() {
    let sets: [&[&str]; 6] = [
        &["inception3a.branch1"],
        &["inception3a.branch2.0.conv", "inception3b"],
        &["inception3b.branch4.0", "inception3b.branch3.1.bn"],
        &["inception4c"],
        &["inception4c.branch1", "inception4c.branch4", "inception4c"],
        &["maxpool1", "conv2.bn", "fc"],
    ];
    ends_are_what_they_are_unfused(Architecture::GoogLeNet, &sets);
    let sets: [&[&str]; 2] = [&["norm1", "inception3a.branch2.1.conv"], &["norm2"]];
    ends_are_what_they_are_unfused(Architecture::InceptionV1, &sets);
}

/// The labels of a step's commands.
fn step_labels(network: &Network, settings: &Settings) -> Vec<String> {
    let job = Job { class: 0, seed: 0, init: None };
    let session = Session::new(&Context::noop(), network, settings, &[job]).expect("a plan");
    let commands = session.recording().commands();
    let step = commands.iter().map(|command| command.label().to_owned());
    step.take_while(|label| label != "history").collect()
}

#[test]
fn layers_after_the_last_module_are_not_run() {
    let network = narrow(Architecture::ResNet18);
    let runs =
        |settings: &Settings, layer: &str| step_labels(&network, settings).iter().any(|label| label.starts_with(layer));
    let channel = still("channel:layer3.1:17 - 0.1*layer:layer2.0");
    assert!(runs(&channel, "layer3.1") && !runs(&channel, "layer4") && !runs(&channel, "fc"));
    // The baseline stage is about the logits.
    assert!(runs(&Settings { baseline_steps: 1, ..channel }, "fc"));
    assert!(runs(&still("channel:layer3.1:17 + logit:1"), "fc"));
    assert!(runs(&Settings::default(), "fc"));
}

/// Runs three steps of the method and gives pixels and values.
fn run(network: &Network, settings: &Settings, jobs: &[(u64, &str)]) -> Vec<(Vec<f32>, Vec<f32>)> {
    let objectives: Vec<Objective> = jobs.iter().map(|(_, text)| text.parse().expect("an objective")).collect();
    let jobs: Vec<Job> = jobs.iter().map(|&(seed, _)| Job { class: 0, seed, init: None }).collect();
    let parts = Overrides { objectives: Some(objectives), ..Overrides::default() };
    let mut session = Session::with_overrides(&CONTEXT, network, settings, &jobs, parts).expect("a plan");
    session.advance(3).expect("three steps");
    let images = session.states().expect("a readback").into_iter().map(|state| state.image);
    images.zip(session.histories()).map(|(image, history)| (image, history.column("objective").to_vec())).collect()
}

#[test]
fn a_batch_changes_no_bit_unless_it_is_to_be_diverse() {
    let (network, settings) = (narrow(Architecture::GoogLeNet), Settings { steps: 3, ..Settings::default() });
    let text = |c: usize| format!("channel:inception4a:{c} + {c}*logit:{c} - neuron:inception3a.branch1.bn:{c}@1,{c}");
    let texts = [text(1), text(2), text(3)];
    let jobs: Vec<(u64, &str)> = texts.iter().enumerate().map(|(i, text)| (i as u64, text.as_str())).collect();
    let together = run(&network, &settings, &jobs);
    for (i, job) in jobs.iter().enumerate() {
        assert!(run(&network, &settings, &[*job])[0] == together[i], "image {i}");
    }
    let diverse = "channel:inception4a:1 + diversity:inception3a";
    let [two, three] = [2, 3].map(|count| {
        let jobs: Vec<(u64, &str)> = (0..count).map(|seed| (seed, diverse)).collect();
        run(&network, &settings, &jobs)
    });
    assert!(two[0] != three[0], "one more image to be unlike");
    assert!(run(&network, &settings, &[(0, diverse), (1, diverse)]) == two, "the same batch, the same bits");
}

#[test]
fn the_value_is_what_the_module_shows() {
    let network = narrow(Architecture::ResNet18);
    let image = generated("pixels", &[1, 3, 224, 224], 0);
    let mut activations = Activations::new(&CONTEXT, &network, 1).expect("a plan");
    activations.run(&image).expect("a run");
    let module = network.module("layer2.0.bn1").expect("a module");
    let (shape, shown) = activations.read(module, Semantics::Snapshot).expect("a readback");
    let [_, _, h, w] = shape.nchw();
    let settings = still("2*neuron:layer2.0.bn1:3 - channel:layer2.0.bn1:4");
    let (values, _) = first_step(&network, &settings, &jobs(0, &[image]), "objective");
    let channel = |c: usize| &shown[c * h * w..(c + 1) * h * w];
    let mean = channel(4).iter().copied().map(f64::from).sum::<f64>() / (h * w) as f64;
    let want = 2.0 * f64::from(channel(3)[h / 2 * w + w / 2]) - mean;
    assert!((values[0] - want).abs() <= VALUES * want.abs(), "{values:?} for {want}");
}

#[test]
fn what_cannot_be_made_at_once_is_refused() {
    let (network, settings) = (narrow(Architecture::ResNet18), Settings::default());
    let refused = |settings: &Settings, texts: &[&str]| {
        let objectives = Some(texts.iter().map(|text| text.parse().expect("an objective")).collect());
        let jobs = vec![Job { class: 0, seed: 0, init: None }; texts.len()];
        let parts = Overrides { objectives, ..Overrides::default() };
        let made = Session::with_overrides(&CONTEXT, &network, settings, &jobs, parts);
        made.err().expect("an error").to_string()
    };
    let forms = refused(&settings, &["channel:layer1:1", "layer:layer1"]);
    assert!(forms.starts_with("`layer:layer1` and `channel:layer1:1` cannot share a batch"), "{forms}");
    assert!(refused(&settings, &["diversity:layer1"]).contains("it needs at least two images"));
}
