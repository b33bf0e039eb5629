//! Networks of other widths and classes than the published ones, and files that are nearly networks.

use std::path::Path;

use protogpu::networks::Architecture;
use protogpu::weights::Weights;
use serde_json::{Value, json};

use crate::binary::{json, refuses, succeeds};

const IMAGENET: &str = "RGB 0..1, mean 0.485 0.456 0.406, std 0.229 0.224 0.225";

/// A network's file in a folder.
fn write(folder: &Path, name: &str, manifest: &[(String, Vec<usize>)]) {
    Weights::generated(manifest, 1).unwrap().write(folder.join(name)).unwrap();
}

/// That `weights inspect` says what it is, and that a run of two steps works.
#[track_caller]
fn is_taken(architecture: Architecture, width: usize, classes: usize, input: &str) {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write(folder, "w", &architecture.manifest(width, classes));
    let text = succeeds(folder, &["weights", "inspect", "w"]);
    let network =
        format!("w\n  network     {architecture} of width {width}, {classes} classes\n  input       {input}\n");
    assert!(text.starts_with(&network) && !text.contains("problem") && !text.contains("note"), "{text}");
    let found = json(folder, &["weights", "inspect", "w", "--architecture", &architecture.to_string()]);
    assert_eq!((&found["width"], &found["classes"]), (&json!(width), &json!(classes)));
    assert_eq!((&found["usable"], &found["misfits"], &found["left_out"]), (&json!(true), &json!([]), &json!([])));

    let last = (classes - 1).to_string();
    succeeds(folder, &["run", "--weights", "w", "--class", &last, "--steps", "2", "--quiet"]);
    let record = std::fs::read(folder.join(format!("out/{last}_class_{last}_seed0/run.json"))).unwrap();
    let record: Value = serde_json::from_slice(&record).unwrap();
    assert_eq!(record["weights"]["architecture"], architecture.to_string());
    assert_eq!(record["weights"]["input"], found["input"]);
    assert!(record["loss"].as_array().unwrap().iter().all(Value::is_f64), "{record}");
}

#[test]
fn a_resnet18_of_ten_classes_is_taken() {
    is_taken(Architecture::ResNet18, 64, 10, IMAGENET);
}

#[test]
fn a_resnet18_of_width_32_is_taken() {
    is_taken(Architecture::ResNet18, 32, 7, IMAGENET);
    is_taken(Architecture::ResNet34, 8, 7, IMAGENET);
    is_taken(Architecture::ResNet50, 8, 7, IMAGENET);
}

#[test]
fn a_googlenet_of_three_classes_is_taken() {
    is_taken(Architecture::GoogLeNet, 8, 3, &format!("{IMAGENET}, then transform_input"));
}

#[test]
fn an_inception_v1_of_three_classes_is_taken() {
    is_taken(Architecture::InceptionV1, 8, 3, "RGB 0..255, mean 123 117 104");
}

/// One tensor too few, one of another shape, one too many.
fn nearly_googlenet() -> Vec<(String, Vec<usize>)> {
    let mut manifest = Architecture::GoogLeNet.manifest(8, 3);
    manifest.retain(|(name, _)| name != "inception4b.branch2.0.bn.running_var");
    let odd = manifest.iter_mut().find(|(name, _)| name == "inception5a.branch3.1.bn.bias").unwrap();
    odd.1 = vec![odd.1[0] + 1];
    manifest.push(("inception6a.branch1.conv.weight".into(), vec![8, 8, 1, 1]));
    manifest.push(("aux1.fc2.bias".into(), vec![3]));
    manifest
}

#[test]
fn everything_in_which_a_file_is_no_googlenet_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write(folder, "w", &nearly_googlenet());
    let misfits = [
        "missing `inception4b.branch2.0.bn.running_var` [14]",
        "`inception5a.branch3.1.bn.bias` is [17] but should be [16]",
        "unexpected `inception6a.branch1.conv.weight` [8, 8, 1, 1]",
    ];
    let lines = misfits.join("\n  ");
    for more in [&["modules"][..], &["run", "--class", "1"], &["run", "--architecture", "googlenet", "--class", "1"]] {
        let expected = format!("w is not a googlenet with torchvision's names:\n  {lines}\n");
        refuses(folder, &[more, &["--weights", "w"]].concat(), &expected);
    }
    let text = succeeds(folder, &["weights", "inspect", "w"]);
    let network = "googlenet of width 8, 3 classes, but unusable as it is\n";
    let left_out = "  left out    1 tensors of auxiliary heads (aux1), which only training needs\n";
    let nearest = "  note        googlenet is the closest of resnet18, ";
    for expected in [network, left_out, nearest] {
        assert!(text.contains(expected), "no `{expected}` in {text}");
    }
    let problems: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("  problem     ")).collect();
    assert_eq!(problems, misfits);
    let found = json(folder, &["weights", "inspect", "w"]);
    assert_eq!((&found["usable"], &found["left_out"]), (&json!(false), &json!(["aux1.fc2.bias"])));
    let kinds: Vec<&Value> = found["misfits"].as_array().unwrap().iter().map(|misfit| &misfit["kind"]).collect();
    assert_eq!(kinds, ["missing", "misshaped", "unexpected"]);
}

#[test]
fn a_file_is_compared_with_the_network_that_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write(folder, "w", &Architecture::GoogLeNet.manifest(8, 3));
    let text = succeeds(folder, &["weights", "inspect", "w", "--architecture", "inception_v1"]);
    assert!(text.contains("  network     inception_v1 of width 8, 3 classes, but unusable as it is\n"), "{text}");
    assert!(text.contains("  input       RGB 0..255, mean 123 117 104\n"), "{text}");
    // All that there are, and no word of what is nearer.
    let [norms, biases, windows] = [57 * 4, 57, 9];
    assert_eq!(text.matches("  problem     ").count(), norms + biases + windows, "{text}");
    assert!(text.contains("problem     missing `conv1.conv.bias` [8]\n") && !text.contains("note"), "{text}");
    let args = ["classify", "x.png", "--weights", "w", "--architecture", "inception_v1"];
    refuses(folder, &args, "w is not an inception_v1 with torchvision's names:\n");
    let args = ["bench", "--weights", "w", "--architecture", "resnet18"];
    refuses(folder, &args, "w: none of its tensors is called `conv1.weight`, as the first of a resnet18 is");
    for args in
        [&["run", "--architecture", "resnet18"][..], &["modules", "--model", "resnet18", "--architecture", "googlenet"]]
    {
        refuses(
            folder,
            args,
            "describes a file, but the embedded resnet18 is not a file: leave it out, or name a file",
        );
    }
    refuses(folder, &["bench", "--architecture", "resnet18"], "but a network with generated weights is not a file");
    let vgg = "invalid value 'vgg' for '--architecture <NAME>'\n  [possible values: resnet18, resnet34, resnet50, ";
    refuses(folder, &["run", "--architecture", "vgg"], vgg);
    refuses(folder, &["weights", "inspect", "w", "--architecture", "vgg"], vgg);
}
