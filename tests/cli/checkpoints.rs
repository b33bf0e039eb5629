//! Checkpoints as people have them, through the whole program.

use std::path::Path;

use protogpu::networks::Architecture;
use protogpu::weights::Weights;
use serde_json::{Value, json};

use crate::binary::{json, protogpu, refuses, succeeds};

type Manifest = Vec<(String, Vec<usize>)>;

fn resnet18(classes: usize) -> Manifest {
    Architecture::ResNet18.manifest(8, classes)
}

/// The same names after a prefix.
fn under(prefix: &str, manifest: Manifest) -> Manifest {
    manifest.into_iter().map(|(name, shape)| (format!("{prefix}{name}"), shape)).collect()
}

fn write(folder: &Path, name: &str, manifest: &Manifest) {
    Weights::generated(manifest, 1).unwrap().write(folder.join(name)).unwrap();
}

/// What a successful call prints on stderr.
fn told(folder: &Path, args: &[&str]) -> String {
    let output = protogpu(folder).args(args).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{args:?}: {stderr}");
    stderr
}

fn record(folder: &Path, path: &str) -> Value {
    serde_json::from_slice(&std::fs::read(folder.join(path).join("run.json")).unwrap()).unwrap()
}

#[test]
fn a_key_chooses_a_network_in_every_command_and_is_recorded() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write(folder, "w", &[under("student.", resnet18(5)), under("teacher.", resnet18(5))].concat());
    let several = "w: holds several networks, under `student`, `teacher`: choose one with --key";
    refuses(folder, &["run", "--weights", "w", "--class", "1"], several);
    refuses(folder, &["weights", "inspect", "w"], several);
    refuses(folder, &["modules", "--weights", "w", "--key", "none"], "w: has no tensors under `none`");
    refuses(
        folder,
        &["modules", "--key", "teacher"],
        "--key teacher describes a file, but the embedded resnet18 is not",
    );

    let with = ["--weights", "w", "--key", "teacher"];
    assert!(succeeds(folder, &[&["modules"][..], &with].concat()).contains("layer4.1"));
    assert_eq!(json(folder, &["weights", "inspect", "w", "--key", "teacher"])["classes"], 5);
    let run = ["--class", "1", "--steps", "2", "--quiet"];
    succeeds(folder, &[&["run"][..], &with, &run].concat());
    let made = record(folder, "out/1_class_1_seed0");
    assert_eq!(made["weights"]["key"], "teacher");
    // The other network in the same file cannot continue the run, and the record repeats it.
    let other = ["run", "--weights", "w", "--key", "student", "--class", "1", "--steps", "4", "--resume"];
    refuses(folder, &other, "the weights are not those of the checkpoint");
    let config = "out/1_class_1_seed0/run.json";
    succeeds(folder, &["run", "--config", config, "--out", "again", "--quiet"]);
    assert_eq!(record(folder, "again/1_class_1_seed0")["loss"], made["loss"]);
    succeeds(folder, &[&["classify", "out/1_class_1_seed0/prototype.png"][..], &with].concat());
}

#[test]
fn the_size_of_images_is_an_option_and_is_recorded() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write(folder, "w", &resnet18(5));
    let args = ["run", "--weights", "w", "--class", "1", "--steps", "2", "--input-size", "64,96", "--quiet"];
    succeeds(folder, &args);
    let made = record(folder, "out/1_class_1_seed0");
    assert_eq!(made["weights"]["image_size"], json!([64, 96]));
    succeeds(folder, &["run", "--config", "out/1_class_1_seed0/run.json", "--out", "again", "--quiet"]);
    assert_eq!(record(folder, "again/1_class_1_seed0")["loss"], made["loss"]);
    let other = ["run", "--weights", "w", "--class", "1", "--steps", "4", "--resume"];
    refuses(folder, &other, "its image is [3, 64, 96], but the network takes 3x224x224");
    refuses(folder, &["modules", "--weights", "w", "--input-size", "2000"], "give height and width, such as 64,64");
    // The built-in network takes other sizes, too.
    succeeds(folder, &["modules", "--input-size", "96"]);
}

#[test]
fn a_stem_for_cifar_is_recognised_and_said() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let mut manifest = resnet18(5);
    manifest.iter_mut().find(|(name, _)| name == "conv1.weight").unwrap().1 = vec![8, 3, 3, 3];
    for (name, _) in &mut manifest {
        *name = name.replace("downsample", "shortcut").replace("fc.", "linear.");
    }
    write(folder, "w", &under("module.", manifest));
    let stderr = told(folder, &["run", "--weights", "w", "--class", "1", "--steps", "2", "--quiet"]);
    for expected in [
        "w: removed from the names: `module.`",
        "w: its head is `linear`",
        "w: its first convolution is 3x3, as in networks for CIFAR",
        "w: nothing says what input it was trained for: RGB 0..1, mean 0.485 0.456 0.406",
    ] {
        assert!(stderr.contains(expected), "{expected}: {stderr}");
    }
    let notes = &record(folder, "out/1_class_1_seed0")["weights"]["notes"];
    assert_eq!(notes.as_array().unwrap().len(), 4, "{notes}");
    let pixels = image::open(folder.join("out/1_class_1_seed0/prototype.png")).unwrap();
    assert_eq!((pixels.width(), pixels.height()), (32, 32));
}

#[test]
fn one_output_has_a_prototype_for_either_side() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write(folder, "w", &resnet18(1));
    std::fs::write(folder.join("labels"), "cat\n").unwrap();
    let network = ["--weights", "w", "--labels", "labels", "--input-size", "64"];
    let run = ["run", "--steps", "3", "--class", "cat,not cat", "--preset", "paper"];
    let stderr = told(folder, &[&run[..], &network].concat());
    assert!(stderr.contains("w: it has one output: its sigmoid is the probability of class 1"), "{stderr}");
    let (no, yes) = (record(folder, "out/0_not_cat_seed0"), record(folder, "out/1_cat_seed0"));
    let last = |record: &Value| record["logit"].as_array().unwrap().last().unwrap().as_f64().unwrap();
    assert!(last(&no).is_finite() && last(&yes).is_finite());
    // Probabilities are those of the sigmoid of the one output: they add up to one, and differ from it.
    let seen = json(folder, &[&["classify", "out/1_cat_seed0/prototype.png"][..], &network].concat());
    let top = seen.to_string();
    assert!(top.contains("not cat") && !top.contains("1.000"), "{top}");
}

#[test]
fn an_objective_without_gradient_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let weights = Weights::generated(&resnet18(5), 1).unwrap();
    let tensor = |(name, _, shape): (&str, _, &[usize])| {
        let mut values = weights.tensor_f32(name).unwrap();
        if name == "layer4.1.bn2.running_mean" {
            // Far above anything that the layer gives.
            values[7] = 1e9;
        }
        let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        (name.to_owned(), shape.to_vec(), bytes)
    };
    let tensors: Vec<(String, Vec<usize>, Vec<u8>)> = weights.tensors().map(tensor).collect();
    let views = tensors.iter().map(|(name, shape, bytes)| {
        (name, safetensors::tensor::TensorView::new(safetensors::Dtype::F32, shape.clone(), bytes).unwrap())
    });
    std::fs::write(folder.join("w"), safetensors::serialize(views, None).unwrap()).unwrap();
    let run = ["run", "--weights", "w", "--input-size", "64", "--steps", "3", "--preset", "paper"];
    let text = succeeds(folder, &[&run[..], &["--objective", "neuron:layer4.1:7", "--out", "dead"]].concat());
    assert!(text.contains("  warning    the objective was 0 at every step, so it has no gradient"), "{text}");
    let made = record(folder, "dead/neuron_layer4.1_7_seed0");
    assert!(made["warning"].as_str().unwrap().starts_with("the objective was 0"), "{made}");
    let text = succeeds(folder, &[&run[..], &["--class", "1", "--out", "alive"]].concat());
    assert!(!text.contains("warning"), "{text}");
}

#[test]
fn a_backend_that_no_adapter_has_is_named() {
    let folder = tempfile::tempdir().unwrap();
    for backend in ["foo", "metal"] {
        let mut command = protogpu(folder.path());
        command.args(["run", "--class", "key"]).env("WGPU_BACKEND", backend);
        let expected = format!("error: WGPU_BACKEND is `{backend}`, and no adapter has such a backend: set vulkan,");
        crate::binary::is_refusal(folder.path(), &mut command, &expected);
    }
}
