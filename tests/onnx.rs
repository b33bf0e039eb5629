//! ONNX models: what they compute and its gradient are what PyTorch computes; what is refused is refused by name; and no damage makes the
//! reader panic. `corpus/onnx/make.py` writes the models.

use std::path::{Path, PathBuf};

use proptest::prelude::*;
use protogpu::Result;
use protogpu::gpu::{Plan, Recording};
use protogpu::graph::{Graph, Retain};
use protogpu::networks::{Architecture, Network, Preprocessing};
use protogpu::ops::{ConvAlgorithms, Tensor};
use protogpu::weights::Weights;

use crate::tests::harness::gpu;

fn corpus(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/onnx").join(name)
}

/// The names of the models that have a golden beside them, or that have none.
fn names(readable: bool) -> Vec<String> {
    let entries = std::fs::read_dir(corpus("")).unwrap().map(|entry| entry.unwrap().path());
    let models = entries.filter(|path| path.extension().is_some_and(|e| e == "onnx"));
    let chosen = models.filter(|path| path.with_extension("safetensors").exists() == readable);
    let mut names: Vec<String> = chosen.map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned()).collect();
    names.sort();
    names
}

/// A model whose first node reads the pixels as they are.
fn open(name: &str) -> Network {
    let network = Network::from_weights(Weights::open(corpus(&format!("{name}.onnx"))).unwrap()).unwrap();
    let channels = network.image().channels;
    network.with_preprocessing(Preprocessing::identity(channels)).unwrap()
}

/// Logits, and the gradient of their sum weighted by `dy`.
fn evaluated(graph: &Graph, x: &[f32], dy: &[f32], batch: usize) -> Result<[Vec<f32>; 2]> {
    let (mut rec, algorithms) = (Recording::new(), ConvAlgorithms::fixed(gpu().capabilities()));
    let of = |shape: protogpu::Shape| shape.with_batch(batch);
    let [input, seed] = [("x", graph.input()), ("dy", graph.output())]
        .map(|(label, node)| Tensor::kept(&mut rec, label, of(graph.node(node).shape)));
    rec.section("forward");
    let acts = graph.record_forward(&mut rec, &algorithms, input, Retain::Needed)?;
    rec.section("backward");
    let (y, dx) = (acts.of(graph.output()), graph.record_backward(&mut rec, &algorithms, &acts, seed)?);
    let plan = Plan::new(gpu(), rec)?;
    plan.write(input.id, x)?;
    plan.write(seed.id, dy)?;
    plan.submit("forward", 1);
    let y = plan.read(y.id)?;
    plan.submit("backward", 1);
    Ok([y, plan.read(dx.id)?])
}

/// The norm of a difference, as a share of the norm of what is expected.
fn off(got: &[f32], want: &[f32]) -> f64 {
    assert_eq!(got.len(), want.len());
    let norm = |values: &mut dyn Iterator<Item = f64>| values.map(|v| v * v).sum::<f64>().sqrt();
    let difference = norm(&mut got.iter().zip(want).map(|(a, b)| f64::from(a - b)));
    difference / norm(&mut want.iter().map(|&v| f64::from(v)))
}

#[test]
fn models_compute_what_pytorch_computes() {
    let names = names(true);
    assert_eq!(
        names,
        ["batch_norm", "converted", "dynamo", "external", "grey", "same", "torchscript", "windows", "windows_dynamo"]
    );
    for name in names {
        let golden = Weights::open(corpus(&format!("{name}.safetensors"))).unwrap();
        let [x, dy, logits, dx] = ["x", "dy", "logits", "dx"].map(|tensor| golden.tensor_f32(tensor).unwrap());
        let network = open(&name);
        for (form, graph) in [("plain", network.graph().clone()), ("fused", network.graph().fused().unwrap())] {
            let found = evaluated(&graph, &x, &dy, 2).unwrap_or_else(|error| panic!("{name}: {error}"));
            let [logits, dx] = [off(&found[0], &logits), off(&found[1], &dx)];
            println!("{name} {form}: logits {logits:.1e}, gradient {dx:.1e}");
            assert!(logits < 1e-5 && dx < 1e-5, "{name} {form}: logits {logits:.1e}, gradient {dx:.1e}");
        }
    }
}

#[test]
fn modules_have_the_names_of_nodes() {
    let network = open("torchscript");
    assert_eq!((network.architecture(), network.classes()), (Architecture::Onnx, 5));
    let names: Vec<&str> = network.modules().iter().map(|module| module.name.as_str()).collect();
    assert_eq!(names[..3], ["root", "stem.0.Conv", "stem.2.Relu"]);
    assert!(names.contains(&"block.depthwise.Conv") && names.contains(&"head.Gemm"), "{names:?}");
    assert!(network.norms().is_empty() && network.notes().is_empty());
    // A model that kept its batch norms brings natural statistics.
    let norms: Vec<usize> = open("batch_norm").norms().iter().map(|norm| norm.mean.len()).collect();
    assert_eq!(norms, [8, 8]);
    let converted = open("converted");
    assert_eq!(converted.notes(), ["the Softmax at the end was left out: its input are the logits"]);
    assert_eq!(open("grey").image().to_string(), "1x17x19");
}

#[test]
fn what_is_not_read_is_refused_by_name() {
    let cases = [
        ("refused_batch", "GlobalAveragePool (g): input 0 is [3, 1, 8, 8], which is several images for each image"),
        ("refused_cycle", "Add (b): no node before it has the output `a`, which it reads"),
        ("refused_input_shape", "its input `x` is [?,8,8,3], and must be images [N,C,H,W] of 1, 3 or 4 channels"),
        ("refused_inputs", "it has 2 inputs (`x`, `z`), and a classifier has one, the image"),
        ("refused_missing", "its weights are in another file, nowhere.data, which cannot be read"),
        ("refused_operator", "1 of its 2 nodes are supported, but not Det; the first is `det`, opset 17"),
        (
            "refused_opset",
            "it has the operators of opset 6, and 7 is the oldest that is read: export it again with a newer one",
        ),
        ("refused_output", "its output `y` is [1, 3, 8, 8], and a classifier has a logit for each class, [N,K]"),
        (
            "refused_outside",
            "names the file `../../../../etc/passwd` for its weights, which is not in the folder of the model",
        ),
        (
            "refused_size",
            "ConstantOfShape (huge): a constant of [1048576, 1048576, 1048576] is more than any network has",
        ),
    ];
    assert_eq!(cases.map(|case| case.0.to_owned()).to_vec(), names(false));
    for (name, expected) in cases {
        let path = corpus(&format!("{name}.onnx"));
        let error = Weights::open(&path).and_then(Network::from_weights).map(drop).unwrap_err();
        let message = error.to_string();
        let named = message.starts_with(&format!("{}: ", path.display()));
        assert!(named && message.contains(expected) && error.is_input(), "{name}: {message}");
    }
    let weights = Weights::open(corpus("torchscript.onnx")).unwrap();
    let message = Network::from_weights_as(weights, Architecture::ResNet18).map(drop).unwrap_err().to_string();
    assert!(message.contains("it is an ONNX model, which brings its own layers, and not a resnet18"), "{message}");
}

/// Reads a damaged model. Whatever happens, it is a result.
fn read(file: Vec<u8>) {
    if let Err(error) = Weights::from_bytes("m", file).and_then(Network::from_weights).map(drop) {
        let message = error.to_string();
        assert!(message.len() < 2000, "{message}");
    }
}

#[test]
fn a_model_cut_short_anywhere_is_a_result() {
    for name in ["converted", "same"] {
        let whole = std::fs::read(corpus(&format!("{name}.onnx"))).unwrap();
        (0..whole.len()).for_each(|len| read(whole[..len].to_vec()));
    }
}

proptest! {
    #[test]
    fn damage_never_makes_a_reader_panic(
        which in 0usize..4,
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let name = ["converted", "same", "torchscript", "refused_size"][which];
        let mut file = std::fs::read(corpus(&format!("{name}.onnx"))).unwrap();
        for (at, byte) in damage {
            let at = at.index(file.len());
            file[at] = byte;
        }
        read(file);
    }
}
