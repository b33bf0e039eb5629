//! The subcommands that look into networks, files and the world.

use std::path::Path;

use safetensors::SafeTensors;
use serde_json::{Value, json};

use crate::binary::{json, listing, protogpu, refuses, succeeds};

/// A folder with two pictures of the drawn world.
fn pictures() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let args = ["world", "--out", "w", "--per-class", "1", "--seed", "5", "--class", "cactus,lighthouse"];
    let text = succeeds(folder.path(), &args);
    assert!(text.starts_with("w: 2 images of 2 classes"), "{text}");
    folder
}

fn shapes(file: &[u8]) -> Vec<(String, Vec<usize>)> {
    let tensors = SafeTensors::deserialize(file).unwrap();
    let mut shapes: Vec<_> = tensors.iter().map(|(name, tensor)| (name.to_owned(), tensor.shape().to_vec())).collect();
    shapes.sort();
    shapes
}

#[test]
fn classify_lists_the_likeliest_classes() {
    let folder = pictures();
    let found = json(folder.path(), &["classify", "w", "w/001_cactus/00000.png", "--top", "3", "--batch", "2"]);
    let images = found["images"].as_array().unwrap();
    let paths: Vec<&str> = images.iter().map(|image| image["path"].as_str().unwrap()).collect();
    let cactus = "w/001_cactus/00000.png";
    assert_eq!(paths, [cactus, "w/007_lighthouse/00000.png", cactus]);
    for image in images {
        let top = image["top"].as_array().unwrap();
        assert_eq!(top.len(), 3);
        let keys: Vec<&String> = top[0].as_object().unwrap().keys().collect();
        assert_eq!(keys, ["index", "name", "probability", "logit"]);
        assert!(top.windows(2).all(|pair| pair[0]["logit"].as_f64() >= pair[1]["logit"].as_f64()));
    }
    assert_eq!(images[0]["top"][0]["name"], "cactus");
    assert_eq!(images[1]["top"][0]["name"], "lighthouse");
    // The same picture in another batch.
    assert_eq!(images[0], images[2]);
    let text = succeeds(folder.path(), &["classify", cactus, "--top", "1"]);
    assert!(text.starts_with("w/001_cactus/00000.png\n") && text.ends_with("  1  cactus\n"), "{text}");
    // What cannot be read is told, and the others go on.
    std::fs::write(folder.path().join("w/bad.png"), "").unwrap();
    let output = protogpu(folder.path()).args(["classify", "w", "--json"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let found: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let counts = ["images", "unreadable"].map(|part| found[part].as_array().unwrap().len());
    assert_eq!(counts, [2, 1], "{found}");
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.contains("skipped: picture w/bad.png: is not a PNG"), "{stderr}");
}

#[test]
fn activations_of_every_module_are_written() {
    let folder = pictures();
    let write = |out: &str, more: &[&str]| {
        let args = ["activations", "w/001_cactus/00000.png", "--out", out];
        succeeds(folder.path(), &[&args[..], more].concat());
        std::fs::read(folder.path().join(out)).unwrap()
    };
    let snapshot = write("s.safetensors", &[]);
    let alias = write("a.safetensors", &["--hook", "reference"]);
    let modules = json(folder.path(), &["modules"]);
    let shape = |shape: &Value| shape.as_array().unwrap().iter().map(|n| n.as_u64().unwrap() as usize).collect();
    let row = |row: &Value| (row["name"].as_str().unwrap().to_owned(), shape(&row["shape"]));
    let mut expected: Vec<(String, Vec<usize>)> = modules["modules"].as_array().unwrap().iter().map(row).collect();
    expected.sort();
    assert_eq!(expected.len(), 68);
    let at = |name: &str| expected.iter().find(|(n, _)| n == name).unwrap().1.clone();
    assert_eq!([at("root"), at("conv1"), at("layer4.1.relu")], [[1, 15, 1, 1], [1, 16, 112, 112], [1, 128, 7, 7]]);
    for file in [&snapshot, &alias] {
        assert_eq!(shapes(file), expected);
    }
    // Where a ReLU works in place, an alias shows what it left.
    let [snapshot, alias] = [&snapshot, &alias].map(|file| SafeTensors::deserialize(file).unwrap());
    let data = |file: &SafeTensors, name: &str| file.tensor(name).unwrap().data().to_vec();
    assert!(data(&snapshot, "bn1") != data(&snapshot, "relu"));
    assert!(data(&alias, "bn1") == data(&snapshot, "relu"));
    assert!(data(&alias, "conv1") == data(&snapshot, "conv1"));

    let two = write("t.safetensors", &["--module", "layer1,fc", "--module", "layer1"]);
    assert_eq!(shapes(&two), [("fc".into(), at("fc")), ("layer1".into(), at("layer1"))]);
    let file = SafeTensors::deserialize(&two).unwrap();
    assert!(data(&file, "layer1") == data(&snapshot, "layer1"));
    let args = ["activations", "w/001_cactus/00000.png", "--out", "x", "--hook", "deep"];
    refuses(folder.path(), &args, "[possible values: copy, reference]");
}

#[test]
fn the_gradient_is_written_and_drawn() {
    let folder = pictures();
    let picture = "w/007_lighthouse/00000.png";
    let args = ["gradient", picture, "--class", "lighthouse", "--out", "g.safetensors", "--png", "g.png"];
    let told = json(folder.path(), &args);
    assert_eq!(told["class"]["name"], "lighthouse");
    let file = std::fs::read(folder.path().join("g.safetensors")).unwrap();
    let expected = [("gradient".to_owned(), vec![1, 3, 224, 224]), ("logits".to_owned(), vec![1, 15])];
    assert_eq!(shapes(&file), expected);
    let tensors = SafeTensors::deserialize(&file).unwrap();
    let values = |name: &str| -> Vec<f32> {
        tensors.tensor(name).unwrap().data().as_chunks().0.iter().map(|&b| f32::from_le_bytes(b)).collect()
    };
    let gradient = values("gradient");
    assert!(gradient.iter().all(|value| value.is_finite()) && gradient.iter().any(|&value| value != 0.0));
    let seen = json(folder.path(), &["classify", picture, "--top", "15"]);
    for top in seen["images"][0]["top"].as_array().unwrap() {
        let index = top["index"].as_u64().unwrap() as usize;
        assert!((f64::from(values("logits")[index]) - top["logit"].as_f64().unwrap()).abs() < 1e-4, "{top}");
    }
    let png = image::open(folder.path().join("g.png")).unwrap();
    assert_eq!((png.width(), png.height()), (224, 224));
}

#[test]
fn adapters_modules_and_weights_are_described() {
    let folder = tempfile::tempdir().unwrap();
    let adapters = json(folder.path(), &["adapters"]);
    let adapters = adapters["adapters"].as_array().unwrap();
    assert!(!adapters.is_empty() && adapters[0]["index"] == 0 && adapters[0]["driver"].is_string(), "{adapters:?}");
    assert_eq!(adapters.iter().filter(|adapter| adapter["default"] == true).count(), 1);
    assert!(succeeds(folder.path(), &["adapters"]).contains(adapters[0]["name"].as_str().unwrap()));
    let modules = succeeds(folder.path(), &["modules"]);
    let listed = |line: &str| line.split_whitespace().collect::<String>() == "layer4.1.relu[1,128,7,7]";
    assert!(modules.lines().any(listed), "{modules}");

    let embedded = Path::new(env!("CARGO_MANIFEST_DIR")).join("weights/world_resnet18_w16.safetensors");
    let embedded = embedded.to_str().unwrap();
    let found = json(folder.path(), &["weights", "inspect", embedded]);
    assert_eq!((&found["width"], &found["classes"], &found["usable"]), (&json!(16), &json!(15), &json!(true)));
    assert_eq!(found["labels"][14], "umbrella");
    assert!(succeeds(folder.path(), &["weights", "inspect", embedded]).contains("resnet18 of width 16, 15 classes\n"));

    // A file that is no network is looked into all the same.
    let odd = protogpu::weights::Weights::generated(&[("conv1.weight".to_owned(), vec![4, 3, 7, 7])], 1).unwrap();
    odd.write(folder.path().join("odd")).unwrap();
    let found = json(folder.path(), &["weights", "inspect", "odd"]);
    assert_eq!(found["usable"], false);
    let missing = found["misfits"].as_array().unwrap().iter().filter(|misfit| misfit["kind"] == "missing").count();
    assert!(missing > 90, "{found}");
    assert!(succeeds(folder.path(), &["weights", "inspect", "odd"]).contains("problem     missing `bn1.weight`"));
    refuses(folder.path(), &["weights", "inspect", "none"], "cannot read none: No such file");
}

#[test]
fn the_world_is_the_same_every_time_and_free_of_biases_on_request() {
    let folder = tempfile::tempdir().unwrap();
    let world = |out: &str, more: &[&str]| {
        let args = ["world", "--out", out, "--per-class", "3", "--seed", "4", "--class", "umbrella,0"];
        let told = json(folder.path(), &[&args[..], more].concat());
        assert_eq!(told["world"]["pictures"], 6);
        listing(&folder.path().join(out))
    };
    let first = world("a", &[]);
    assert_eq!(first.len(), 2 + 1 + 6);
    assert!(first == world("b", &[]));
    let free = world("c", &["--without-bias", "cue"]);
    assert!(free[Path::new("000_butterfly/00000.png")] == first[Path::new("000_butterfly/00000.png")]);
    let list = String::from_utf8(free[Path::new("pictures.csv")].clone()).unwrap();
    assert!(list.starts_with("file,class,cue,light,companion\n014_umbrella/00000.png,umbrella,0,"), "{list}");
    assert!(world("d", &["--without-bias", "all"]).len() == first.len());
    let args = ["world", "--out", "x", "--per-class", "1"];
    refuses(folder.path(), &[&args[..], &["--without-bias", "clue"]].concat(), "has no bias clue; it has cue, light,");
    refuses(folder.path(), &[&args[..], &["--class", "moht"]].concat(), "has no class moht; it has butterfly,");
    refuses(
        folder.path(),
        &["synth", "--out", "x", "--images-per-class", "0"],
        "invalid value '0' for '--images-per-class <N>'",
    );
}
