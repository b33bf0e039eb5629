//! `protogpu judge`: who recognises prototypes that another network made.

use std::path::Path;
use std::sync::LazyLock;

use serde_json::{Value, json};

use crate::binary::{assert_same_files, json, listing, refuses, succeeds};
use crate::shared::shared;

/// Photographs of three classes, and two prototypes of each built-in network after a few steps.
static MADE: LazyLock<tempfile::TempDir> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    succeeds(at, &["synth", "--out", "images", "--images-per-class", "3", "--class", "umbrella,lighthouse,key"]);
    for model in ["resnet18", "googlenet"] {
        let classes = ["--class", "umbrella,lighthouse", "--steps", "8", "--quiet"];
        succeeds(at, &[&["run", "--model", model, "--out", model], &classes[..]].concat());
    }
    folder
});

const JUDGE: [&str; 8] =
    ["judge", "--prototype", "resnet18", "googlenet", "--with", "resnet18", "googlenet", "--images-per-class=2"];

fn group<'a>(judgement: &'a Value, judge: &str, folder: &str) -> &'a Value {
    let named = |list: &'a Value, key, name| {
        let found = list.as_array().unwrap().iter().find(|one| one[key] == name);
        found.unwrap_or_else(|| panic!("no {name} in {list}"))
    };
    named(&named(&judgement["judges"], "weights", judge)["groups"], "folder", folder)
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

#[test]
fn networks_judge_each_others_prototypes() {
    let at = MADE.path();
    let judgement = json(at, &[&JUDGE[..], &["--images", "images", "--out", "first"]].concat());
    for (judge, maker) in [("resnet18", "googlenet"), ("googlenet", "resnet18")] {
        let (own, other) = (group(&judgement, judge, judge), group(&judgement, judge, maker));
        assert_eq!((&own["made"], &other["made"]), (&json!(2), &json!(0)));
        for group in [own, other] {
            assert_eq!((&group["prototypes"]["images"], &group["photographs"]["images"]), (&json!(2), &json!(4)));
            // As `classify` sees the same files.
            let prototypes = group["each"].as_array().unwrap();
            for prototype in prototypes {
                let picture = Path::new(prototype["folder"].as_str().unwrap()).join("prototype.png");
                let seen = json(at, &["classify", picture.to_str().unwrap(), "--top", "15", "--model", judge]);
                let top = seen["images"][0]["top"].as_array().unwrap();
                let place = top.iter().position(|one| one["index"] == prototype["class"]).unwrap();
                assert_eq!(number(&prototype["rank"]), place as f64 + 1.0, "{prototype}");
                let gap = number(&top[place]["probability"]) - number(&prototype["probability"]);
                assert!(gap.abs() < 1e-6, "{prototype}: {}", top[place]);
            }
            let mean = prototypes.iter().map(|one| number(&one["probability"])).sum::<f64>() / 2.0;
            assert!((number(&group["prototypes"]["probability"]) - mean).abs() < 1e-12);
            let ratio = mean / number(&group["photographs"]["probability"]);
            assert!((number(&group["ratio"]) - ratio).abs() < 1e-9);
            let classes: Vec<&Value> = group["classes"].as_array().unwrap().iter().map(|row| &row["name"]).collect();
            assert_eq!(classes.len(), 2, "{classes:?}");
        }
    }
    let first = listing(&at.join("first"));
    let text = String::from_utf8(first[Path::new("judge.csv")].clone()).unwrap();
    // A header, and for each of two judges and folders three rows of prototypes and three of photographs.
    assert_eq!(text.lines().count(), 1 + 2 * 2 * 6, "{text}");
    assert_eq!(serde_json::from_slice::<Value>(&first[Path::new("judge.json")]).unwrap(), judgement);

    let page = String::from_utf8(first[Path::new("report.html")].clone()).unwrap();
    assert_eq!((page.matches("<img").count(), page.matches("made 2 of them").count()), (4, 2 * 2));
    assert!(!page.contains("no judge has the class") && !page.contains("href="));

    // In batches of another size the same bytes, and no report is replaced unasked.
    let again = [&JUDGE[..], &["--images", "images", "--out", "first", "--batch", "3"]].concat();
    refuses(at, &again, "first already has a report");
    let text = succeeds(at, &[&again[..], &["--force"]].concat());
    assert_same_files(&listing(&at.join("first")), &first);
    assert_eq!(text.matches("(made them)").count(), 2, "{text}");
}

/// Changes the class in a copy of a prototype's record.
fn reclassified(from: &Path, to: &Path, class: &Value) {
    std::fs::create_dir_all(to).unwrap();
    std::fs::copy(from.join("prototype.png"), to.join("prototype.png")).unwrap();
    let mut record: Value = serde_json::from_slice(&std::fs::read(from.join("run.json")).unwrap()).unwrap();
    record["class"] = class.clone();
    std::fs::write(to.join("run.json"), record.to_string()).unwrap();
}

#[test]
fn classes_that_a_judge_does_not_have_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let (at, from) = (folder.path(), MADE.path().join("resnet18/14_umbrella_seed0"));
    reclassified(&from, &at.join("out/a"), &json!({"index": 3, "name": "unicorn"}));
    reclassified(&from, &at.join("out/b"), &json!({"index": 2, "name": "Umbrella"}));
    let args = ["judge", "--prototype", "out", "--with", "googlenet"];
    let judgement = json(at, &args);
    let group = group(&judgement, "googlenet", "out");
    assert_eq!((&group["prototypes"]["images"], &group["classes"][0]["name"]), (&json!(1), &json!("umbrella")));
    let unmapped = &group["unmapped"];
    assert_eq!((&unmapped[0]["name"], &unmapped[0]["prototypes"]), (&json!("unicorn"), &json!(1)), "{unmapped}");
    let text = succeeds(at, &[&args[..], &["--force"]].concat());
    assert!(text.contains("unmapped: unicorn (prototypes: 1): "), "{text}");
    refuses(at, &["judge", "--prototype", "out", "--with", "missing.pth"], "missing.pth");
    reclassified(&from, &at.join("out/c"), &Value::Null);
    refuses(at, &[&args[..], &["--force"]].concat(), "its objective is not a class");
}

#[test]
fn photographs_are_recognised_as_in_pytorch() {
    recognised("resnet18_imagenet", include_str!("../golden/imagenette_top1.json"));
    recognised("inception_v1_bvlc", include_str!("../golden/imagenette_top1_inception_v1.json"));
}

/// Six photographs of each of ten classes; the first of each also stands in for a prototype.
fn recognised(weights: &str, golden: &str) {
    let Some(weights) = shared(&format!("weights/{weights}.safetensors")) else { return };
    let Some(pictures) = shared("images/imagenette_val") else { return };
    let folder = tempfile::tempdir().unwrap();
    let (at, from) = (folder.path(), MADE.path().join("resnet18/14_umbrella_seed0"));
    let golden: Value = serde_json::from_str(golden).unwrap();
    let rows = golden["rows"].as_array().unwrap().iter();
    let rows: Vec<(&str, &Value)> = rows.map(|row| (row[0].as_str().unwrap(), &row[1])).collect();
    let (mut prototypes, mut photographs) = (0, 0);
    for class in rows.chunk_by(|a, b| a.0.split('/').next() == b.0.split('/').next()) {
        let folder = class[0].0.split('/').next().unwrap();
        let (index, name) = folder.split_once('_').unwrap();
        let index: u64 = index.parse().unwrap();
        std::fs::create_dir_all(at.join("images").join(folder)).unwrap();
        for (path, _) in &class[..6] {
            std::fs::copy(pictures.join(path), at.join("images").join(path)).unwrap();
        }
        let to = at.join("out").join(folder);
        reclassified(&from, &to, &json!({"index": index, "name": name.replace('_', " ")}));
        std::fs::copy(pictures.join(class[0].0), to.join("prototype.png")).unwrap();
        prototypes += i32::from(*class[0].1 == index);
        photographs += class[..6].iter().filter(|(_, top)| **top == index).count() as i32;
    }
    let weights = weights.canonicalize().unwrap();
    let weights = weights.to_str().unwrap();
    let judgement = json(at, &["judge", "--prototype", "out", "--with", weights, "--images", "images"]);
    let group = group(&judgement, weights, "out");
    assert_eq!((&group["unmapped"], &group["made"]), (&json!([]), &json!(0)));
    for (kind, images, theirs) in [("prototypes", 10, prototypes), ("photographs", 60, photographs)] {
        let found = &group[kind];
        let ours = number(&found["top1"]["value"]) * f64::from(images);
        assert_eq!(found["images"], images);
        // JPEG decoders differ by a level or two, which may move an image with two equally likely classes.
        assert!((ours - f64::from(theirs)).abs() < 1.5, "{weights}: {theirs} {kind} with PyTorch, but {found}");
    }
}
