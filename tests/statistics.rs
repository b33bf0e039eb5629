//! Natural statistics that are measured on images: their numbers, their file, and the loss that reads them.

use std::sync::LazyLock;

use protogpu::analysis::Activations;
use protogpu::analysis::moments::Moments;
use protogpu::error::Result;
use protogpu::gpu::{AdapterChoice, Context};
use protogpu::method::Preset;
use protogpu::method::losses::{LossTerm, NaturalForm, NaturalLayer, Source};
use protogpu::networks::{Architecture, LayerStatistics, Network, Picture, Semantics, Statistics};
use protogpu::tensor_file::{TensorFile, Tensors};
use protogpu::weights::Weights;

use super::twin::Tensor;
use super::twin::generated::generated;
use super::twin::natural_statistics::{self as twin, Form, Natural, Side};

static CONTEXT: LazyLock<Context> = LazyLock::new(|| Context::new(&AdapterChoice::Best).expect("an adapter"));

/// Of width and height.
const SIDE: usize = 64;
const IMAGES: usize = 5;

/// A narrow network for small images.
fn network(architecture: Architecture, seed: u64) -> Network {
    let manifest = architecture.manifest(8, 5);
    let weights = Weights::generated(&manifest, seed).expect("weights");
    let values: Vec<Vec<f32>> = manifest.iter().map(|(name, _)| weights.tensor_f32(name).expect("values")).collect();
    let mut file = TensorFile::default().metadata("image_size", format!("[{SIDE}, {SIDE}]"));
    for ((name, shape), values) in manifest.iter().zip(&values) {
        file = file.tensor(name, shape, values);
    }
    Network::from_weights(Weights::from_bytes("small", file.to_bytes()).expect("a file")).expect("a network")
}

/// Images of different contrast.
fn images() -> Vec<Vec<f32>> {
    let pixels = generated("photographs", &[IMAGES, 3, SIDE, SIDE], 0);
    let contrast = |(n, image): (usize, &[f32])| image.iter().map(|x| x * (n + 1) as f32 / IMAGES as f32).collect();
    pixels.chunks(3 * SIDE * SIDE).enumerate().map(contrast).collect()
}

/// Statistics measured in batches of this size.
fn measured(network: &Network, images: &[Vec<f32>], batch: usize) -> Vec<LayerStatistics> {
    let mut moments = Moments::new(&CONTEXT, network, batch).expect("a plan");
    images.chunks(batch).for_each(|images| moments.add(&images.concat()).expect("a measurement"));
    moments.layers()
}

fn statistics(network: &Network) -> Statistics {
    let picture = |n: usize| Picture { file: format!("{n}.png"), sha256: "ab".into() };
    Statistics::new(measured(network, &images(), 2), (0..IMAGES).map(picture).collect(), network)
}

/// The outputs of the measured modules, `[N,C,H,W]` each.
fn outputs(network: &Network, images: &[Vec<f32>]) -> Vec<Tensor> {
    let mut activations = Activations::new(&CONTEXT, network, images.len()).expect("a plan");
    activations.run(&images.concat()).expect("a run");
    let read = |module| activations.read(module, Semantics::Snapshot).expect("a readback");
    let tensor = |(shape, x): (protogpu::Shape, Vec<f32>)| {
        Tensor::new(shape.nchw(), x.into_iter().map(f64::from).collect::<Vec<f64>>())
    };
    network.measured_modules().into_iter().map(|module| tensor(read(module))).collect()
}

/// Mean and variance, the plain way.
fn over(values: &[f64]) -> [f64; 2] {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    [mean, values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / count]
}

#[test]
fn measured_modules_are_norms_or_convolutions() {
    let names = |architecture| {
        let network = network(architecture, 0);
        network.measured_modules().iter().map(|module| module.name.clone()).collect::<Vec<_>>()
    };
    let resnet = names(Architecture::ResNet18);
    assert_eq!((resnet.len(), resnet[0].as_str(), resnet[7].as_str()), (20, "bn1", "layer2.0.downsample.1"));
    let inception = names(Architecture::InceptionV1);
    assert_eq!((inception.len(), inception[0].as_str()), (57, "conv1.conv"));
    assert!(inception.iter().all(|name| name.ends_with(".conv")), "{inception:?}");
}

/// Means and variances of two passes over the outputs, in f64.
#[test]
fn numbers_are_those_of_the_twin_and_batches_change_no_bit() {
    for architecture in [Architecture::InceptionV1, Architecture::ResNet18] {
        let (network, images) = (network(architecture, 0), images());
        let layers = measured(&network, &images, 2);
        assert_eq!(layers, measured(&network, &images, 1));
        assert_eq!(layers, measured(&network, &images, IMAGES));
        for (layer, x) in layers.iter().zip(outputs(&network, &images)) {
            let [n, channels, h, w] = x.shape;
            for c in 0..channels {
                let plane = |image: usize| &x.data[(image * channels + c) * h * w..][..h * w];
                let own: Vec<[f64; 2]> = (0..n).map(|image| over(plane(image))).collect();
                let [means, variances] = [0, 1].map(|i| over(&own.iter().map(|own| own[i]).collect::<Vec<_>>()));
                let got = [layer.mean[c], layer.variance[c], layer.mean_spread[c], layer.variance_spread[c]];
                let want = [means[0], variances[0], means[1], variances[1]];
                for (got, want) in got.into_iter().zip(want) {
                    // They are rounded to f32.
                    let off = (f64::from(got) - want).abs();
                    assert!(off <= 1e-7 * want.abs() + 1e-12, "{} {c}: {got} is not {want}", layer.module);
                }
                assert!(got[2] > 0.0, "{} {c}", layer.module);
            }
        }
    }
}

#[test]
fn activations_that_are_not_finite_are_refused() {
    let network = network(Architecture::InceptionV1, 0);
    let mut moments = Moments::new(&CONTEXT, &network, 1).expect("a plan");
    let error = moments.add(&vec![f32::NAN; 3 * SIDE * SIDE]).unwrap_err();
    assert!(error.is_input() && error.to_string().contains("conv is not finite"), "{error}");
}

#[test]
fn a_file_is_read_back_and_gives_the_same_bytes() {
    for architecture in [Architecture::InceptionV1, Architecture::ResNet18] {
        let network = network(architecture, 0);
        let statistics = statistics(&network);
        let bytes = statistics.to_bytes(&network);
        assert!(bytes.len() as u64 <= Statistics::most_bytes(&network));
        let back = Statistics::from_bytes(&bytes, &network).expect("a file");
        assert_eq!((&back, back.to_bytes(&network) == bytes), (&statistics, true));
        let network = network.with_statistics(back).expect("statistics");
        assert_eq!(network.statistics(), Some(&statistics));
        let input = network.preprocessing().clone();
        assert_eq!(network.with_preprocessing(input).expect("a network").statistics(), None);
    }
}

#[test]
fn files_of_anything_else_are_refused() {
    let network = network(Architecture::InceptionV1, 0);
    let statistics = statistics(&network);
    let bytes = statistics.to_bytes(&network);
    let refused = |bytes: &[u8], expected: &str| {
        let error = Statistics::from_bytes(bytes, &network).unwrap_err();
        assert!(error.is_input() && error.to_string().starts_with(expected), "{expected}: {error}");
    };
    for len in [0, 7, 8, 1000, bytes.len() - 1] {
        refused(&bytes[..len], "not a readable safetensors file");
    }
    refused(&TensorFile::default().tensor("x", &[1], &[1.0]).to_bytes(), "it is not a file of natural statistics");
    // The same file with other metadata or tensors.
    let file = Tensors::from_bytes(&bytes).expect("a file");
    let keys = ["format", "weights_sha256", "architecture", "input", "count", "pictures"];
    let changed = |key: &str, to: &str| {
        let mut new = TensorFile::default();
        for of in keys {
            new = new.metadata(of, if of == key { to } else { file.metadata(of).expect("metadata") });
        }
        new.to_bytes()
    };
    for (key, to, expected) in [
        ("format", "protogpu natural statistics 9", "its format is `protogpu natural statistics 9`, but this program"),
        ("format", "protogpu mean activations 1", "it is not a file of natural statistics; `protogpu statistics`"),
        ("weights_sha256", "xx", "it was made with weights of sha256 xx, not "),
        ("architecture", "resnet18", "it was made with the architecture resnet18, not inception_v1"),
        ("input", "paper", "metadata `input`: "),
        ("count", "6", "metadata `count` is 6, but `pictures` lists 5"),
        ("pictures", "[1]", "metadata `pictures`: "),
        ("", "", "tensor `conv1.conv.mean` is missing"),
    ] {
        refused(&changed(key, to), expected);
    }
    type Change = fn(&mut Statistics);
    let cases: [(&str, Change); 7] = [
        ("it has no pictures", |s| s.pictures.clear()),
        ("tensor `inception5b.branch4.1.conv.mean` is missing", |s| drop(s.layers.pop())),
        ("tensor `conv1.conv.mean` has shape [7], expected [8]", |s| s.layers[0].mean = vec![0.0; 7].into()),
        ("`conv1.conv.variance` is -1 at 2, but must be", |s| s.layers[0].variance = with(-1.0)),
        ("`conv1.conv.mean_spread` is -1 at 2, but must be", |s| s.layers[0].mean_spread = with(-1.0)),
        ("tensor `conv1.conv.mean` has NaN at index 2", |s| s.layers[0].mean = with(f32::NAN)),
        ("tensor `more.mean` is of no module", |s| {
            s.layers.push(LayerStatistics { module: "more".into(), ..s.layers[0].clone() });
        }),
    ];
    for (expected, change) in cases {
        let mut statistics = statistics.clone();
        change(&mut statistics);
        refused(&statistics.to_bytes(&network), expected);
        // A host that makes statistics itself is refused too.
        assert!(network.clone().with_statistics(statistics).is_err(), "{expected}");
    }
    let other = self::network(Architecture::InceptionV1, 1);
    let error = Statistics::from_bytes(&bytes, &other).unwrap_err().to_string();
    assert!(error.starts_with("it was made with weights of sha256 "), "{error}");
}

fn with(value: f32) -> std::sync::Arc<[f32]> {
    (0..8).map(|i| if i == 2 { value } else { 0.0 }).collect()
}

/// The layers that the loss of a form compares.
fn layers(network: &Network, form: NaturalForm) -> Vec<NaturalLayer> {
    NaturalLayer::all(network, form)
}

/// What an error says about a form.
fn refusal(network: &Network, form: &str) -> String {
    let mut settings = Preset::Natural.settings().expect("a preset");
    settings.regularizers.set_json("natural_form", &form.into()).expect("a form");
    settings.regularizers.check(network).unwrap_err().to_string()
}

/// In the form `spread`, the mean over the photographs themselves of the square of each part is 1.
#[test]
fn photographs_have_a_spread_of_about_two_a_layer() {
    for architecture in [Architecture::InceptionV1, Architecture::ResNet18] {
        let network = network(architecture, 0);
        let network = network.clone().with_statistics(statistics(&network)).expect("statistics");
        let (layers, mut constant) = (layers(&network, NaturalForm::Spread), 0);
        for (layer, x) in layers.iter().zip(outputs(&network, &images())) {
            let natural: Vec<Natural> = layer
                .channels
                .iter()
                .map(|of| [of.mean, of.variance, of.mean_scale, of.variance_scale].map(f64::from))
                .collect();
            let squares = |weights| {
                let form = Form { squares: false, weights, side: Side::Both };
                twin::forward(&x, &natural, form).iter().map(|part| part * part).sum::<f64>() / IMAGES as f64
            };
            assert!((squares([1.0, 0.0]) - 1.0).abs() < 1e-3, "{:?}: means {}", layer.source, squares([1.0, 0.0]));
            // After a pool over all positions, no photograph has a variance, so none counts.
            let want = if layer.channels.iter().any(|of| of.variance_scale > 0.0) { 1.0 } else { 0.0 };
            constant += usize::from(want == 0.0);
            assert!((squares([0.0, 1.0]) - want).abs() < 1e-3, "{:?}: {}", layer.source, squares([0.0, 1.0]));
        }
        assert_eq!(constant, if architecture == Architecture::InceptionV1 { 2 } else { 0 });
    }
}

/// Measured statistics that are equal to those of the norms give the same loss.
#[test]
fn what_norms_keep_and_what_was_measured_have_the_same_units() {
    let network = network(Architecture::ResNet18, 0);
    let layer = |norm: &protogpu::networks::Norm| {
        let squared = |c: usize| norm.scale[c] * norm.scale[c];
        let variance = (0..norm.scale.len()).map(|c| norm.variance[c] * squared(c)).collect();
        let (mean, zero): (_, std::sync::Arc<[f32]>) = (norm.shift.clone(), vec![0.0; norm.scale.len()].into());
        LayerStatistics { module: norm.name.clone(), mean, variance, mean_spread: zero.clone(), variance_spread: zero }
    };
    // In the order of modules.
    let modules = network.measured_modules().into_iter();
    let of = modules.map(|module| network.norms().iter().find(|norm| norm.name == module.name).expect("a norm"));
    let pictures = vec![Picture { file: "a".into(), sha256: String::new() }];
    let same = Statistics::new(of.map(layer).collect(), pictures, &network);
    let given = network.clone().with_statistics(same).expect("statistics");
    for form in [NaturalForm::Norms, NaturalForm::LayerRatios, NaturalForm::Relative] {
        for given in layers(&given, form) {
            let own = layers(&network, form).into_iter().find(|own| own.source == given.source).expect("a layer");
            for (own, given) in own.channels.iter().zip(given.channels.iter()) {
                let parts = [(own.mean_scale, given.mean_scale), (own.variance_scale, given.variance_scale)];
                for (own, given) in parts.into_iter().chain([(own.variance, given.variance), (own.mean, given.mean)]) {
                    assert!((own - given).abs() <= 1e-5 * own.abs(), "{form}: {own} and {given}");
                }
            }
        }
    }
    let why = refusal(&given, "spread");
    assert!(why.starts_with("`natural_form` is spread, but the measured statistics are of one photograph"), "{why}");
    let why = refusal(&network, "spread");
    assert!(
        why.starts_with("`natural_form` is spread, but batch norms do not keep how photographs differ: measure"),
        "{why}"
    );
    // Without norms, the convolutions' outputs are read.
    let inception = self::network(Architecture::InceptionV1, 0);
    assert!(layers(&inception, NaturalForm::Norms).is_empty());
    let why = refusal(&inception, "norms");
    assert!(why.contains("no layer has a batch norm; measure them with `protogpu statistics"), "{why}");
    let inception = inception.clone().with_statistics(statistics(&inception)).expect("statistics");
    let conv = Source::module(&inception, "conv1.conv").expect("a module");
    assert_eq!(layers(&inception, NaturalForm::Norms)[0].source, conv);
    let read: Result<Vec<Source>> = term(&inception).reads(&inception);
    assert_eq!(read.expect("sources").len(), 57);
}

fn term(network: &Network) -> Box<dyn LossTerm> {
    let settings = Preset::Natural.settings().expect("a preset");
    settings.regularizers.terms(network, &[]).last().expect("a term")
}
