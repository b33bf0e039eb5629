//! `protogpu entangle`: which classes share what prototypes show.

use std::path::Path;

use protogpu::analysis::{Activations, gradient};
use protogpu::gpu::{AdapterChoice, Context};
use protogpu::networks::{Semantics, embedded};
use protogpu::tensor_file::Tensors;
use serde_json::{Value, json};

use crate::binary::{assert_same_files, json, listing, refuses, succeeds};
use crate::judge::{MADE, copied, number, reclassified};

const CLASSES: [(usize, &str); 2] = [(7, "lighthouse"), (14, "umbrella")];

/// Files with other names in a folder of photographs.
fn photographs(at: &Path, folder: &str, of: &str, count: usize) {
    let images = std::fs::read_dir(MADE.path().join("images")).unwrap().map(|entry| entry.unwrap().path());
    let from = images.into_iter().find(|path| path.to_str().unwrap().ends_with(of)).unwrap();
    std::fs::create_dir_all(at.join(folder)).unwrap();
    for file in std::fs::read_dir(from).unwrap().take(count).map(|entry| entry.unwrap()) {
        let name = format!("{of}_{}", file.file_name().to_str().unwrap());
        std::fs::copy(file.path(), at.join(folder).join(name)).unwrap();
    }
}

fn cosine(a: &[f64], b: &[f64]) -> f64 {
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().map(|&x| f64::from(x)).collect()
}

/// `values` less the mean of `all`.
fn centred(values: &[f64], all: &[Vec<f64>]) -> Vec<f64> {
    let mean = |at: usize| all.iter().map(|one| one[at]).sum::<f64>() / all.len() as f64;
    values.iter().enumerate().map(|(at, x)| x - mean(at)).collect()
}

#[test]
fn candidates_have_the_figures_of_the_library() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    copied("resnet18", at);
    let args = ["entangle", "--prototype", "resnet18", "--candidates", "14", "--out", "entangled", "--batch", "5"];
    let found = json(at, &args);
    let context = Context::new(&AdapterChoice::Best).unwrap();
    let network = embedded::open("resnet18").unwrap();
    let mut activations = Activations::new(&context, &network, 1).unwrap();
    let head: Vec<Vec<f64>> =
        network.weights().tensor_f32("fc.weight").unwrap().chunks(128).map(wide).collect::<Vec<_>>();
    assert_eq!(head.len(), 15);
    let mut features = Vec::new();
    let mut images = Vec::new();
    for (index, name) in CLASSES {
        let file = at.join(format!("resnet18/{index}_{name}_seed0/prototype.safetensors"));
        let image = Tensors::from_bytes(&std::fs::read(file).unwrap()).unwrap().take_shaped("image", &[1, 3, 224, 224]);
        let image = image.unwrap();
        activations.run(&image).unwrap();
        let module = network.module("avgpool").unwrap().clone();
        features.push(wide(&activations.read(&module, Semantics::Snapshot).unwrap().1));
        images.push(image);
    }
    for (row, (index, name)) in CLASSES.into_iter().enumerate() {
        let class = &found["classes"][row];
        assert_eq!((&class["index"], &class["name"], &class["prototypes"]), (&json!(index), &json!(name), &json!(1)));
        let candidates = class["candidates"].as_array().unwrap();
        assert_eq!(candidates.len(), 14);
        let alignments: Vec<f64> = candidates.iter().map(|one| number(&one["alignment"])).collect();
        assert!(alignments.is_sorted_by(|a, b| a >= b), "{alignments:?}");
        // The gradient of every logit, of one of the prototypes.
        let gradients: Vec<_> = match row {
            0 => (0..15).map(|class| gradient(&context, &network, &images[row], class).unwrap()).collect(),
            _ => vec![gradient(&context, &network, &images[row], 0).unwrap()],
        };
        let logits = wide(&gradients[0].logits);
        let normaliser = logits.iter().map(|z| z.exp()).sum::<f64>().ln();
        let all: Vec<Vec<f64>> = gradients.iter().map(|one| wide(&one.gradient)).collect();
        for candidate in candidates {
            let other = candidate["index"].as_u64().unwrap() as usize;
            let near = |field: &str, expected: f64, bound: f64| {
                let found = number(&candidate[field]);
                assert!((found - expected).abs() < bound, "{name}, {other}: {field} {found}, not {expected}");
            };
            near("log_probability", logits[other] - normaliser, 1e-3);
            near("probability", (logits[other] - normaliser).exp(), 1e-4);
            near("weights", cosine(&centred(&head[index], &head), &centred(&head[other], &head)), 1e-5);
            if row == 0 {
                near("alignment", cosine(&centred(&all[index], &all), &centred(&all[other], &all)), 2e-3);
            }
            match CLASSES.iter().position(|(class, _)| *class == other) {
                Some(at) => near("features", cosine(&features[row], &features[at]), 1e-4),
                None => assert_eq!(candidate["features"], Value::Null),
            }
        }
        assert!((number(&class["probability"]) - (logits[index] - normaliser).exp()).abs() < 1e-4);
    }
    assert_eq!((&found["check"], &found["without_class"]), (&Value::Null, &json!(0)));
    let files = listing(&at.join("entangled"));
    let matrix = String::from_utf8(files[Path::new("matrix.csv")].clone()).unwrap();
    let row = matrix.lines().nth(1).unwrap();
    assert_eq!((matrix.lines().count(), row.split(',').count()), (3, 2 + 15), "{matrix}");
    assert!(
        files.contains_key(Path::new("plots/probabilities.svg")) && !files.contains_key(Path::new("confusions.csv"))
    );
    let page = String::from_utf8(files[Path::new("report.html")].clone()).unwrap();
    assert_eq!((page.matches("<img").count(), page.matches("<svg").count()), (2, 2));
    refuses(at, &args, "entangled already has a report");
}

#[test]
fn candidates_are_checked_against_confusions_on_photographs() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    copied("resnet18", at);
    std::fs::rename(at.join("resnet18"), at.join("out")).unwrap();
    let null = at.join("out/direction");
    reclassified(&at.join("out/14_umbrella_seed0"), &null, &Value::Null);
    // To the network, two of the four lighthouses are umbrellas and one is a key.
    photographs(at, "images/7_lighthouse", "umbrella", 2);
    photographs(at, "images/7_lighthouse", "key", 1);
    photographs(at, "images/7_lighthouse", "lighthouse", 1);
    photographs(at, "images/14_umbrella", "umbrella", 3);
    photographs(at, "images/nothing", "key", 1);
    std::fs::write(at.join("images/14_umbrella/broken.png"), "no image").unwrap();
    let args = ["entangle", "--prototype", "out", "--images", "images", "--no-gradients"];
    let found = json(at, &args);
    let (lighthouse, umbrella) = (&found["classes"][0], &found["classes"][1]);
    let confusions = &lighthouse["confusions"];
    assert_eq!((&confusions["photographs"], &confusions["wrong"]), (&json!(4), &json!(3)), "{confusions}");
    let counts: Vec<[&Value; 2]> =
        (0..2).map(|at| &confusions["classes"][at]).map(|c| [&c["name"], &c["count"]]).collect();
    assert_eq!(counts, [[&json!("umbrella"), &json!(2)], [&json!("key"), &json!(1)]]);
    assert_eq!((&umbrella["confusions"]["photographs"], &umbrella["confusions"]["wrong"]), (&json!(3), &json!(0)));
    assert_eq!(lighthouse["candidates"][0]["alignment"], Value::Null);
    let candidates = lighthouse["candidates"].as_array().unwrap();
    let logs: Vec<f64> = candidates.iter().map(|one| number(&one["log_probability"])).collect();
    assert!(logs.len() == 10 && logs.is_sorted_by(|a, b| a >= b), "{logs:?}");
    let check = &found["check"];
    assert_eq!([&check["classes"], &check["without_confusion"], &check["without_photographs"]], [1, 1, 0]);
    let place = lighthouse["candidates"].as_array().unwrap().iter().position(|one| one["index"] == 14);
    let hits = i32::from(place.is_some_and(|place| place < 3));
    let names: Vec<&Value> = check["measures"].as_array().unwrap().iter().map(|one| &one["name"]).collect();
    assert_eq!(names, ["log probability", "last layer's weights"]);
    assert_eq!(check["measures"][0]["hits"], hits);
    assert_eq!(number(&check["chance"]), 3.0 / 14.0);
    // Of the other class's list.
    let umbrellas = umbrella["candidates"].as_array().unwrap();
    assert!(umbrellas.iter().all(|one| one["index"] != 14));
    assert_eq!(number(&check["another_class"]), 0.0);
    assert_eq!(found["without_class"], 1);
    let skipped = found["skipped"].to_string();
    for expected in ["out/direction: its objective is not a class", "images/nothing: ", "broken.png: "] {
        assert!(skipped.contains(expected), "{skipped}");
    }
    let table = std::fs::read_to_string(at.join("entangle/confusions.csv")).unwrap();
    assert!(table.lines().nth(1).unwrap().starts_with("7,lighthouse,4,14,umbrella,2,"), "{table}");
    let before = listing(&at.join("entangle"));
    let text = succeeds(at, &[&args[..], &["--batch", "1", "--force"]].concat());
    assert_same_files(&listing(&at.join("entangle")), &before);
    assert!(text.contains("umbrella 2 of 4, ") && text.contains("none of 3"), "{text}");
    assert!(text.contains("left out, because their objective is not a class: 1"), "{text}");

    refuses(at, &[&args[..], &["--force", "--model", "googlenet"]].concat(), "made with weights of sha256");
    refuses(at, &["entangle", "--prototype", "out/direction"], "none of the 1 prototypes is of a class");
    std::fs::remove_dir_all(at.join("images/7_lighthouse")).unwrap();
    std::fs::rename(at.join("images/14_umbrella"), at.join("images/3_fish")).unwrap();
    refuses(at, &[&args[..], &["--force"]].concat(), "images has no image of a class that has a prototype");
}
