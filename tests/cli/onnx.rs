//! ONNX models on the command line.

use std::path::Path;

use serde_json::json;

use crate::binary::{json, protogpu, refuses, succeeds};
use crate::shared::shared;

/// Copies a model of the corpus to a folder.
fn copied(name: &str, folder: &Path) {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/onnx");
    std::fs::copy(corpus.join(name), folder.join(name)).unwrap();
}

#[test]
fn a_model_is_described_with_what_was_assumed() {
    let folder = tempfile::tempdir().unwrap();
    copied("torchscript.onnx", folder.path());
    let found = json(folder.path(), &["weights", "inspect", "torchscript.onnx"]);
    let fields = ["architecture", "opset", "classes", "image", "usable", "problem"].map(|field| found[field].clone());
    assert_eq!(json!(fields), json!(["onnx", 17, 5, "3x20x26", true, null]));
    let text = succeeds(folder.path(), &["weights", "inspect", "torchscript.onnx"]);
    let assumed = "note        nothing says what input it was trained for: RGB 0..1, mean 0.485 0.456 0.406";
    assert!(text.contains(assumed) && text.contains("a file with this name and .json after it"), "{text}");
    // The cure that it prints.
    let beside =
        r#"{"range": 255, "mean": [127, 127, 127], "std": [128, 128, 128], "labels": ["a", "b", "c", "d", "e"]}"#;
    std::fs::write(folder.path().join("torchscript.onnx.json"), beside).unwrap();
    let found = json(folder.path(), &["weights", "inspect", "torchscript.onnx"]);
    assert_eq!(found["input"]["mean"], json!([127.0, 127.0, 127.0]));
    assert_eq!(found["labels"], json!(["a", "b", "c", "d", "e"]));
    assert_eq!(found["notes"], json!(["torchscript.onnx.json says what its input and classes are"]));
    std::fs::write(folder.path().join("torchscript.onnx.json"), r#"{"means": [0.5]}"#).unwrap();
    let expected = "torchscript.onnx.json: the key `means` has no meaning; there are range, mean, std, transform_input";
    refuses(folder.path(), &["weights", "inspect", "torchscript.onnx"], expected);
    copied("refused_operator.onnx", folder.path());
    let found = json(folder.path(), &["weights", "inspect", "refused_operator.onnx"]);
    let problem = "refused_operator.onnx: 1 of its 2 nodes are supported, but not Det; the first is `det`, opset 17";
    assert_eq!((found["usable"].clone(), found["problem"].clone()), (json!(false), json!(problem)));
}

#[test]
fn prototypes_of_a_model_are_made_and_made_again() {
    let folder = tempfile::tempdir().unwrap();
    copied("torchscript.onnx", folder.path());
    let run = ["run", "--weights", "torchscript.onnx", "--class", "3", "--steps", "6", "--no-tune"];
    let output = protogpu(folder.path()).args(run).args(["--out", "a"]).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{stderr}");
    assert!(stderr.contains("torchscript.onnx: nothing says what input it was trained for"), "{stderr}");
    let record = "a/3_class_3_seed0/run.json";
    let text = std::fs::read_to_string(folder.path().join(record)).unwrap();
    let found: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(found["weights"]["architecture"], "onnx");
    succeeds(folder.path(), &["run", "--config", record, "--out", "b"]);
    let image =
        |run: &str| std::fs::read(folder.path().join(run).join("3_class_3_seed0/prototype.safetensors")).unwrap();
    assert!(image("a") == image("b"), "the record makes another image");
    refuses(
        folder.path(),
        &["run", "--weights", "torchscript.onnx", "--architecture", "resnet18"],
        "it is an ONNX model, which brings its own layers, and not a resnet18: leave the architecture out",
    );
}

#[test]
fn modules_and_gradients_of_a_model() {
    let folder = tempfile::tempdir().unwrap();
    copied("grey.onnx", folder.path());
    let modules = json(folder.path(), &["modules", "--weights", "grey.onnx"]);
    let names: Vec<&str> = modules["modules"].as_array().unwrap().iter().map(|m| m["name"].as_str().unwrap()).collect();
    assert!(names.contains(&"block.depthwise.Conv"), "{names:?}");
    let objective = ["--objective", "channel:block.depthwise.Conv:2", "--steps", "3", "--no-tune", "--out", "c"];
    succeeds(folder.path(), &[&["run", "--weights", "grey.onnx"][..], &objective].concat());
}

/// EfficientNet-Lite0: depthwise convolutions, ReLU6, paddings that are computed from shapes.
#[test]
fn a_real_network_recognises_photographs() {
    let Some(model) = shared("weights/efficientnet_lite0.onnx") else { return };
    let Some(photographs) = shared("images/imagenette_val") else { return };
    let folder = tempfile::tempdir().unwrap();
    std::fs::copy(model, folder.path().join("lite0.onnx")).unwrap();
    std::fs::write(
        folder.path().join("lite0.onnx.json"),
        r#"{"range": 255, "mean": [127, 127, 127], "std": [128, 128, 128]}"#,
    )
    .unwrap();
    let tench = std::fs::read_dir(photographs.join("000_tench")).unwrap().map(|entry| entry.unwrap().path());
    let mut tench: Vec<String> = tench.map(|path| path.display().to_string()).collect();
    tench.sort();
    tench.truncate(4);
    let paths: Vec<&str> = tench.iter().map(String::as_str).collect();
    let found = json(folder.path(), &[&["classify", "--weights", "lite0.onnx", "--top", "1"][..], &paths].concat());
    let text = found.to_string();
    // ONNX Runtime's first answers: all four are tenches.
    assert_eq!(text.matches("\"name\":\"tench\"").count(), 4, "{text}");
}
