//! Every way in which people's files name a ResNet-18 gives the network that torchvision's names give.

use super::*;
use crate::networks::{Architecture, Network, Outputs};
use crate::tensor_file::TensorFile;

/// A narrow ResNet-18 of ten classes with these changes to the names; `None` leaves a tensor out. `extra` tensors come on top.
fn file(rename: impl Fn(&str) -> Option<String>, extra: &[(&str, &[usize])]) -> Weights {
    let manifest = Architecture::ResNet18.manifest(8, 10);
    let weights = Weights::generated(&manifest, 1).unwrap();
    let own =
        manifest.iter().filter_map(|(name, shape)| Some((rename(name)?, shape, weights.tensor_f32(name).unwrap())));
    let own: Vec<(String, &Vec<usize>, Vec<f32>)> = own.collect();
    let halves = vec![0.5; 1 << 16];
    let mut file = TensorFile::default();
    for (name, shape, values) in &own {
        file = file.tensor(name, shape, values);
    }
    for (name, shape) in extra {
        file = file.tensor(*name, shape, &halves[..shape.iter().product()]);
    }
    Weights::from_bytes("w", file.to_bytes()).unwrap()
}

/// That a file gives the network of torchvision's names, with these notes.
#[track_caller]
fn is_resnet18(weights: Weights, notes: &[&str]) {
    let plain = Network::from_weights(file(|name| Some(name.to_owned()), &[])).unwrap();
    let network = Network::from_weights(weights).unwrap();
    assert_eq!((network.architecture(), network.classes()), (Architecture::ResNet18, 10));
    let names = |network: &Network| network.modules().iter().map(|m| m.name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&network), names(&plain));
    for (name, ..) in plain.weights().tensors() {
        assert_eq!(network.weights().tensor_f32(name).unwrap(), plain.weights().tensor_f32(name).unwrap(), "{name}");
    }
    assert_eq!(network.weights().notes(), notes);
}

fn under(prefix: &'static str) -> impl Fn(&str) -> Option<String> {
    move |name| Some(format!("{prefix}{name}"))
}

fn with_head(prefix: &'static str, head: &'static str) -> impl Fn(&str) -> Option<String> {
    move |name| {
        let rest = name.strip_prefix("fc.");
        Some(rest.map_or_else(|| format!("{prefix}{name}"), |rest| format!("{head}.{rest}")))
    }
}

#[test]
fn prefixes_go_wherever_they_are() {
    is_resnet18(file(under(""), &[]), &[]);
    is_resnet18(file(under("net."), &[]), &["removed from the names: `net.`"]);
    is_resnet18(
        file(under("model.resnet."), &[]),
        &["removed from the names: `model.`", "removed from the names: `resnet.`"],
    );
    for prefix in ["_orig_mod.", "module._orig_mod.", "_orig_mod.module.", "model._orig_mod."] {
        let network = Network::from_weights(file(under(prefix), &[])).unwrap();
        assert_eq!(network.classes(), 10, "{prefix}");
    }
    let compiled = |name: &str| Some(name.replace("layer1.", "layer1._orig_mod."));
    is_resnet18(file(compiled, &[]), &["removed from the names: `_orig_mod.`"]);
}

#[test]
fn what_stands_beside_a_network_is_left_out_and_counted() {
    is_resnet18(
        file(under("model."), &[("criterion.weight", &[10]), ("val_acc.total", &[1])]),
        &["removed from the names: `model.`", "left out 2 tensors outside of the network: `criterion`, `val_acc`"],
    );
    is_resnet18(
        file(under(""), &[("loss_fn.weight", &[10])]),
        &["left out 1 tensor outside of the network: `loss_fn`"],
    );
    // Among the modules of the network, it may be a part of it.
    let error =
        Network::from_weights(file(under("net."), &[("net.attention.weight", &[8, 8])])).unwrap_err().to_string();
    assert!(error.contains("unexpected `attention.weight` [8, 8]"), "{error}");
}

#[test]
fn heads_are_found_wherever_they_are() {
    is_resnet18(file(with_head("", "fc.1"), &[]), &[]);
    is_resnet18(file(with_head("", "fc.0"), &[]), &[]);
    is_resnet18(
        file(with_head("backbone.", "head"), &[]),
        &["removed from the names: `backbone.`", "its head is `head`"],
    );
    is_resnet18(file(with_head("", "classifier"), &[]), &["its head is `classifier`"]);
    is_resnet18(file(with_head("", "last_linear"), &[]), &["its head is `last_linear`"]);
    let twice = file(with_head("m.", "one"), &[("two.weight", &[7, 64]), ("two.bias", &[7])]);
    let error = Network::from_weights(twice).unwrap_err().to_string();
    assert!(error.starts_with("w: several modules could be its head: `one`, `two`. Remove all but one"), "{error}");
}

#[test]
fn heads_of_several_layers_are_read_as_sequentials() {
    let several: &[(&str, &[usize])] =
        &[("fc.1.weight", &[32, 64]), ("fc.1.bias", &[32]), ("fc.3.weight", &[5, 32]), ("fc.3.bias", &[5])];
    let network = Network::from_weights(file(|n| (!n.starts_with("fc.")).then(|| n.to_owned()), several)).unwrap();
    assert_eq!(network.classes(), 5);
    let names: Vec<&str> = network.modules().iter().rev().take(4).rev().map(|m| m.name.as_str()).collect();
    assert_eq!(names, ["fc", "fc.1", "fc.2", "fc.3"]);
    assert_eq!(
        network.weights().notes(),
        ["`fc.2` has no tensors, and is taken for a ReLU; if it is another layer, export an ONNX model"]
    );
}

#[test]
fn fastais_head_is_read_with_both_pools() {
    let body = |name: &str| {
        let (module, rest) = name.split_once('.')?;
        let at = ["conv1", "bn1", "", "", "layer1", "layer2", "layer3", "layer4"].iter().position(|&m| m == module)?;
        Some(format!("0.{at}.{rest}"))
    };
    let norm = |at: &'static str, n: usize| {
        ["weight", "bias", "running_mean", "running_var"].map(|part| (format!("1.{at}.{part}"), vec![n]))
    };
    let mut extra: Vec<(String, Vec<usize>)> = [norm("2", 128), norm("6", 32)].concat();
    extra.extend([("1.4.weight".to_owned(), vec![32, 128]), ("1.8.weight".to_owned(), vec![6, 32])]);
    extra.extend([("1.8.bias".to_owned(), vec![6])]);
    let extra: Vec<(&str, &[usize])> = extra.iter().map(|(name, shape)| (&name[..], &shape[..])).collect();
    let network = Network::from_weights(file(body, &extra)).unwrap();
    assert_eq!((network.architecture(), network.classes()), (Architecture::ResNet18, 6));
    let taken = |name, kind| {
        format!("`{name}` has no tensors, and is taken for a {kind}; if it is another layer, export an ONNX model")
    };
    let notes = [
        "its head is `1`".to_owned(),
        taken("fc.3", "dropout"),
        "`fc.4` has no bias".to_owned(),
        taken("fc.5", "ReLU"),
        taken("fc.7", "dropout"),
        "its head takes the maximum over positions, then the mean, as fastai's AdaptiveConcatPool2d".to_owned(),
    ];
    assert_eq!(network.weights().notes()[2..], notes);
    let node = network.graph().nodes().iter().find(|node| node.name == "concat of pools").unwrap();
    assert_eq!(node.shape.c(), 128);
}

#[test]
fn a_module_that_may_follow_the_head_is_refused() {
    let after = file(under("net."), &[("classifier.weight", &[3, 10]), ("classifier.bias", &[3])]);
    let error = Network::from_weights(after).unwrap_err().to_string();
    assert!(error.starts_with("w: `classifier` may come after `net.fc`, whose 10 outputs it can take"), "{error}");
}

#[test]
fn other_libraries_names_are_translated() {
    let shortcut = |name: &str| Some(name.replace("downsample", "shortcut").replace("fc.", "linear."));
    is_resnet18(file(shortcut, &[]), &["its head is `linear`"]);
    let hugging_face = |name: &str| {
        let stem = name.replace("conv1.", "convolution.").replace("bn1.", "normalization.");
        if let Some(rest) = name.strip_prefix("fc.") {
            return Some(format!("classifier.1.{rest}"));
        }
        let Some(rest) = name.strip_prefix("layer") else { return Some(format!("resnet.embedder.embedder.{stem}")) };
        let (stage, rest) = rest.split_once('.')?;
        let (block, rest) = rest.split_once('.')?;
        let rest =
            rest.replace("downsample.0", "shortcut.convolution").replace("downsample.1", "shortcut.normalization");
        let rest = rest.replace("conv1", "layer.0.convolution").replace("bn1", "layer.0.normalization");
        let rest = rest.replace("conv2", "layer.1.convolution").replace("bn2", "layer.1.normalization");
        let stage: usize = stage.parse().ok()?;
        Some(format!("resnet.encoder.stages.{}.layers.{block}.{rest}", stage - 1))
    };
    is_resnet18(
        file(hugging_face, &[]),
        &[
            "removed from the names: `resnet.`",
            "translated the names of Hugging Face's ResNet",
            "its head is `classifier`",
        ],
    );
}

#[test]
fn a_backbone_without_a_head_gives_its_features() {
    let network = Network::from_weights(file(|n| (!n.starts_with("fc.")).then(|| n.to_owned()), &[])).unwrap();
    assert_eq!((network.outputs(), network.classes()), (Outputs::Features, 64));
    assert_eq!(network.labels().name(3), "feature 3");
    assert_eq!(network.notes(), ["it has no head: its 64 outputs are the features of its last layer, and no classes"]);
}

#[test]
fn several_networks_in_a_file_are_named() {
    let manifest = Architecture::ResNet18.manifest(8, 10);
    let twice = |prefix: &str| manifest.iter().map(|(n, s)| (format!("{prefix}{n}"), s.clone())).collect::<Vec<_>>();
    let weights = Weights::generated(&[twice("encoder_q."), twice("encoder_k.")].concat(), 1).unwrap();
    let error = Network::from_weights(weights).unwrap_err().to_string();
    assert_eq!(
        error,
        "generated weights (seed 1): holds several networks, under `encoder_k`, `encoder_q`: choose one with `key`"
    );
}

#[test]
fn one_output_has_two_sides() {
    let one: &[(&str, &[usize])] = &[("fc.weight", &[1, 64]), ("fc.bias", &[1])];
    let network = Network::from_weights(file(|n| (!n.starts_with("fc.")).then(|| n.to_owned()), one)).unwrap();
    assert_eq!((network.outputs(), network.classes()), (Outputs::YesOrNo, 2));
    assert_eq!((network.labels().name(0), network.labels().name(1)), ("no", "yes"));
    let labelled = |names: &[&str]| {
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        network.clone().with_labels(crate::labels::Labels::from_names(names).unwrap())
    };
    assert_eq!(labelled(&["cat"]).unwrap().labels().name(0), "not cat");
    assert_eq!(labelled(&["dog", "cat"]).unwrap().labels().name(0), "dog");
    assert!(labelled(&["dog", "cat", "cow"]).unwrap_err().to_string().contains("it has one output"));
}

#[test]
fn networks_of_other_kinds_are_named_with_the_cure() {
    for (name, network) in [
        ("Mixed_5b.branch1x1.conv.weight", "an Inception v3 of torchvision"),
        ("model.patch_embed.proj.weight", "a vision transformer"),
    ] {
        let weights = Weights::generated(&[(name.to_owned(), vec![2, 2, 1, 1])], 1).unwrap();
        let error = Network::from_weights(weights).unwrap_err().to_string();
        assert!(error.contains(&format!("it is {network}; export it, in Python")), "{error}");
    }
    let weights = Weights::generated(&[("stem.weight".to_owned(), vec![2, 2, 1, 1])], 1).unwrap();
    let error = Network::from_weights(weights).unwrap_err().to_string();
    assert!(error.contains("none of its tensors is called `conv1.weight`, as the first of a resnet18 is"), "{error}");
}

#[test]
fn tensors_have_torchvisions_names_and_shapes() {
    let golden: serde_json::Value = serde_json::from_str(include_str!("../../../tests/golden/families.json")).unwrap();
    let digests = golden["sha256"].as_object().unwrap();
    assert!(digests.len() > 10);
    for (name, digest) in digests {
        let architecture: Architecture = name.parse().unwrap();
        let manifest = architecture.manifest(64, 1000);
        let mut lines: Vec<String> = manifest.iter().map(|(name, shape)| format!("{name} {shape:?}\n")).collect();
        lines.sort();
        assert_eq!(crate::digest::sha256_hex(lines.concat().as_bytes()), digest.as_str().unwrap(), "{name}");
    }
}
