//! `protogpu similarity` and `activations mean`: the same measurement is the same bytes, whatever was interrupted or kept, and what
//! cannot be measured is refused.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::binary::{BINARY, assert_same_files, json, listing, refuses, succeeds};
use crate::shared::shared;

/// Pictures of three classes, and prototypes of two after two steps: made once, copied by each test.
static MADE: LazyLock<tempfile::TempDir> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    let classes = "umbrella,teacup,key";
    succeeds(folder.path(), &["world", "--out", "images", "--per-class", "3", "--class", classes]);
    succeeds(folder.path(), &["run", "--class", "umbrella,teacup", "--steps", "2", "--batch", "2", "--quiet"]);
    folder
});

const MEASURE: [&str; 7] = ["similarity", "--prototype", "out", "--images", "images", "--out", "report"];

/// A folder with pictures and prototypes of its own.
fn made() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (path, bytes) in listing(MADE.path()) {
        let to = folder.path().join(&path);
        if MADE.path().join(&path).is_dir() {
            std::fs::create_dir_all(to).unwrap();
        } else {
            std::fs::create_dir_all(to.parent().unwrap()).unwrap();
            std::fs::write(to, bytes).unwrap();
        }
    }
    folder
}

/// The report that nothing disturbed.
static MEASURED: LazyLock<BTreeMap<PathBuf, Vec<u8>>> = LazyLock::new(|| {
    let folder = made();
    let out = succeeds(folder.path(), &MEASURE);
    assert!(out.contains("report.html"), "{out}");
    listing(&folder.path().join("report"))
});

fn measured(name: &str) -> Value {
    serde_json::from_slice(&MEASURED[Path::new(name)]).unwrap()
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

/// The folder of a class's pictures.
fn pictures(folder: &Path, class: &str) -> PathBuf {
    let found = std::fs::read_dir(folder.join("images")).unwrap().map(|entry| entry.unwrap().path());
    found.into_iter().find(|path| path.to_str().unwrap().ends_with(class)).unwrap()
}

#[test]
fn every_number_that_others_read_is_there() {
    let report = measured("similarity.json");
    let classes = report["classes"].as_array().unwrap();
    assert_eq!(classes.len(), 2);
    for class in classes {
        let layers = class["layers"].as_array().unwrap();
        assert_eq!(layers.len(), 68);
        for key in ["prototype", "same", "different"] {
            let mean = layers.iter().filter_map(|layer| layer[key].as_f64());
            let (sum, count) = mean.fold((0.0, 0.0), |(sum, count), x| (sum + x, count + 1.0));
            assert!((sum / count - number(&class[key])).abs() < 1e-12, "{key} of {}", class["index"]);
        }
        let holds = layers.iter().filter(|layer| layer["holds"] == true).count();
        assert_eq!(class["holds"]["layers"], holds);
        for layer in layers {
            let wanted = layer["prototype"].as_f64().zip(layer["same"].as_f64()).map(|(p, same)| p >= same);
            assert_eq!(layer["holds"].as_bool(), wanted, "{layer}");
        }
        for control in ["noise", "grey"] {
            number(&class["controls"][control]);
        }
        assert_eq!(class["pictures"]["same"], 3);
    }
    for key in ["prototype", "same", "different"] {
        number(&report["overall"][key]["mean"]);
        number(&report["overall"][key]["std"]);
    }
    assert!(report["settings"].is_object());
}

#[test]
fn the_same_bytes_again_and_from_what_was_kept() {
    let folder = made();
    succeeds(folder.path(), &MEASURE);
    assert_same_files(&listing(&folder.path().join("report")), &MEASURED);
    // With the means of before, and the correlations of one class only.
    let json = folder.path().join("report/means");
    let kept: Vec<_> = std::fs::read_dir(&json).unwrap().map(|entry| entry.unwrap().path()).collect();
    let scores = kept.iter().find(|path| path.extension().is_some_and(|ending| ending == "json")).unwrap();
    std::fs::remove_file(scores).unwrap();
    std::fs::remove_file(folder.path().join("report/similarity.json")).unwrap();
    succeeds(folder.path(), &MEASURE);
    assert_same_files(&listing(&folder.path().join("report")), &MEASURED);
}

#[cfg(unix)]
#[test]
fn killed_and_begun_again() {
    let folder = made();
    let mut command = Command::new(BINARY);
    command.env("PROTOGPU_TUNE", "off").env("PROTOGPU_PIPELINES", "off").current_dir(folder.path());
    let mut child = command.args(MEASURE).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let (begun, means) = (Instant::now(), folder.path().join("report/means"));
    while !means.exists() && child.try_wait().unwrap().is_none() {
        assert!(begun.elapsed() < Duration::from_secs(120), "no mean appeared");
        std::thread::sleep(Duration::from_millis(1));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    // What an interrupted write leaves is temporary, and replaced.
    succeeds(folder.path(), &MEASURE);
    assert_same_files(&listing(&folder.path().join("report")), &MEASURED);
}

#[test]
fn a_mean_from_a_file_is_the_mean_of_the_pictures() {
    let folder = made();
    for class in ["umbrella", "teacup"] {
        let out = format!("{class}.safetensors");
        succeeds(folder.path(), &["activations", "mean", "images", "--class", class, "--out", &out]);
    }
    let means = ["--mean", "umbrella.safetensors", "--mean", "teacup.safetensors"];
    let report = json(folder.path(), &[&MEASURE[..], &means].concat());
    assert_eq!(report["classes"], measured("similarity.json")["classes"]);
    // Made from other weights.
    let args =
        ["activations", "mean", "images", "--class", "key", "--model", "googlenet", "--out", "other.safetensors"];
    succeeds(folder.path(), &args);
    let given = [&MEASURE[..], &["--force", "--mean", "other.safetensors"]].concat();
    refuses(folder.path(), &given, "other.safetensors: it was made with weights of sha256");
}

#[test]
fn options_change_what_they_say() {
    let folder = made();
    let plain = measured("similarity.json");
    let with = |out: &str, more: &[&str]| {
        let mut args = MEASURE.to_vec();
        args[6] = out;
        json(folder.path(), &[&args[..], more].concat())
    };
    let left_out = with("leave", &["--leave-one-out"]);
    for (one, all) in left_out["classes"].as_array().unwrap().iter().zip(plain["classes"].as_array().unwrap()) {
        // A mean that a picture is part of is more like it.
        assert!(number(&one["same"]) < number(&all["same"]));
        assert_eq!(one["prototype"], all["prototype"]);
    }
    // A picture of one's own stands beside the other controls.
    let key = std::fs::read_dir(pictures(folder.path(), "key")).unwrap().next().unwrap().unwrap().path();
    let control = format!("key={}", key.display());
    let rounded = with("rounded", &["--pixels", "8-bit", "--control", &control]);
    for (one, all) in rounded["classes"].as_array().unwrap().iter().zip(plain["classes"].as_array().unwrap()) {
        number(&one["controls"]["key"]);
        assert_ne!(one["prototype"], all["prototype"]);
        assert_eq!(one["same"], all["same"]);
    }
}

/// Judges say of the prototypes what they say when a run asks them.
#[test]
fn judges_see_the_prototypes_too() {
    let folder = made();
    let at = folder.path();
    let judges = ["--judge", "googlenet", "--judge", "resnet18"];
    let run = ["run", "--class", "umbrella,teacup", "--steps", "2", "--batch", "2", "--resume"];
    let asked = json(at, &[&run[..], &judges].concat());
    let files = listing(&at.join("out"));
    let text = succeeds(at, &[&MEASURE[..], &judges].concat());
    let lines: Vec<&str> = text.lines().filter(|line| line.contains(" % [")).collect();
    assert_eq!(lines.len(), 2, "{text}");
    assert!(lines[0].starts_with("googlenet  ") && lines[1].starts_with("resnet18 (made them)  2 "), "{text}");
    // What is measured is not written to.
    assert_same_files(&listing(&at.join("out")), &files);
    let report: Value = serde_json::from_slice(&std::fs::read(at.join("report/similarity.json")).unwrap()).unwrap();
    for judge in [0, 1] {
        let [here, there] = [&report, &asked].map(|report| {
            let group = &report["judges"][judge]["groups"][0];
            // A run has its prototypes in the order of its classes.
            let mut each = group["each"].as_array().unwrap().clone();
            each.sort_by_key(|one| one["folder"].to_string());
            (group["prototypes"].clone(), group["classes"].clone(), each)
        });
        assert_eq!((&here, here.2.len()), (&there, 2));
    }
    assert_eq!(report["classes"], measured("similarity.json")["classes"]);
    let [csv, page] =
        ["judge.csv", "report.html"].map(|file| std::fs::read_to_string(at.join("report").join(file)).unwrap());
    // A header, and for each judge a row for all classes and for each.
    assert_eq!(csv.lines().count(), 1 + 2 * 3, "{csv}");
    assert!(page.contains("<h2>Judges</h2>") && page.matches("made them").count() == 1);
    // Without judges, the report is what it was.
    succeeds(at, &[&MEASURE[..], &["--force"]].concat());
    assert_same_files(&listing(&at.join("report")), &MEASURED);
    let missing = [&MEASURE[..], &["--force", "--judge", "missing.pth"]].concat();
    refuses(at, &missing, "missing.pth");
}

/// Other prototypes as a control, class by class, and how far apart the two are.
#[test]
fn prototypes_are_held_against_others() {
    let folder = made();
    let at = folder.path();
    let others = ["run", "--class", "umbrella,teacup", "--steps", "8", "--batch", "2", "--quiet", "--out", "others"];
    succeeds(at, &others);
    let args = [&MEASURE[..], &["--control", "same=out", "--control", "others=others"]].concat();
    let report = json(at, &args);
    let classes = report["classes"].as_array().unwrap();
    let own = json(at, &["similarity", "--prototype", "others", "--images", "images", "--out", "own"]);
    for (one, own) in classes.iter().zip(own["classes"].as_array().unwrap()) {
        assert_eq!(one["controls"]["same"], one["prototype"]);
        assert_eq!(one["controls"]["others"], own["prototype"], "measured as a prototype is");
    }
    let controls = &report["overall"]["controls"];
    assert_eq!(controls["same"]["difference"], serde_json::json!({ "value": 0.0, "low": 0.0, "high": 0.0 }));
    assert_eq!(controls["same"]["p"], 1.0);
    for name in ["noise", "others"] {
        let apart = |class: &Value| number(&class["prototype"]) - number(&class["controls"][name]);
        let apart: Vec<f64> = classes.iter().map(apart).collect();
        let [value, low, high] = ["value", "low", "high"].map(|key| number(&controls[name]["difference"][key]));
        assert!((value - apart.iter().sum::<f64>() / 2.0).abs() < 1e-12, "{name}");
        // Of two classes, means of two draws: from the one alone to the other alone.
        let [least, most] = [apart[0].min(apart[1]), apart[0].max(apart[1])];
        assert!((low - least).abs() < 1e-12 && (high - most).abs() < 1e-12, "{name}: {low} to {high} of {apart:?}");
        assert!(number(&controls[name]["p"]) >= 0.5, "two classes prove nothing");
    }
    let text = succeeds(at, &[&args[..], &["--force"]].concat());
    assert!(text.contains("control others") && text.contains("prototypes +") | text.contains("prototypes -"), "{text}");
    // A class of which there is none, and two.
    let two = ["run", "--class", "umbrella", "--per-class", "2", "--steps", "1", "--quiet", "--out", "two"];
    succeeds(at, &two);
    let refused =
        |control: &str, why: &str| refuses(at, &[&MEASURE[..], &["--force", "--control", control]].concat(), why);
    refused("two=two", "two has 0 prototypes of class 13 (teacup)");
    succeeds(at, &["run", "--class", "teacup", "--steps", "1", "--quiet", "--out", "two"]);
    refused("two=two", "two has 2 prototypes of class 14 (umbrella)");
    refused("two=images", "images has no finished prototypes");
}

#[test]
fn a_picture_that_cannot_be_read_is_left_out_and_named() {
    let folder = made();
    std::fs::write(pictures(folder.path(), "umbrella").join("broken.png"), b"\x89PNG\r\n\x1a\n").unwrap();
    let report = json(folder.path(), &MEASURE);
    let skipped = report["skipped"].to_string();
    assert!(skipped.contains("broken.png"), "{skipped}");
    assert_eq!(report["classes"][0]["same"], measured("similarity.json")["classes"][0]["same"]);
}

#[test]
fn what_cannot_be_measured_is_refused() {
    let folder = made();
    let at = folder.path();
    std::fs::create_dir_all(at.join("empty")).unwrap();
    std::fs::create_dir_all(at.join("alone")).unwrap();
    std::fs::create_dir_all(at.join("none/14_umbrella")).unwrap();
    std::fs::rename(pictures(at, "key"), at.join("alone").join(pictures(at, "key").file_name().unwrap())).unwrap();
    let with = |change: &dyn Fn(&mut Vec<&'static str>)| {
        let mut args = MEASURE.to_vec();
        change(&mut args);
        args
    };
    refuses(at, &with(&|args| args[2] = "empty"), "empty has no finished prototypes");
    refuses(at, &with(&|args| args[2] = "missing"), "cannot read missing");
    refuses(at, &with(&|args| args[4] = "empty"), "empty has no class folders");
    refuses(at, &with(&|args| args[4] = "alone"), "alone has no image of class");
    refuses(at, &with(&|args| args.extend(["--model", "googlenet"])), "the prototype was made with weights of sha256");
    refuses(at, &with(&|args| args.extend(["--control", "grey"])), "--control");
    refuses(at, &with(&|args| args.extend(["--control", "key=missing.png"])), "missing.png");
    refuses(at, &with(&|args| args.extend(["--images-per-class", "1"])), "--images-per-class");
    // One picture only.
    let umbrellas = pictures(at, "umbrella");
    let all: Vec<PathBuf> = std::fs::read_dir(&umbrellas).unwrap().map(|entry| entry.unwrap().path()).collect();
    all[1..].iter().for_each(|path| std::fs::remove_file(path).unwrap());
    refuses(at, &MEASURE, "images has only one image of class");
    // A prototype whose pixels are damaged.
    let folder = made();
    let pixels = std::fs::read_dir(folder.path().join("out")).unwrap().next().unwrap().unwrap().path();
    std::fs::write(pixels.join("prototype.safetensors"), b"nonsense").unwrap();
    refuses(folder.path(), &MEASURE, "prototype.safetensors");
    // A report that is there.
    let folder = made();
    std::fs::create_dir_all(folder.path().join("report")).unwrap();
    std::fs::write(folder.path().join("report/similarity.json"), b"{}").unwrap();
    refuses(folder.path(), &MEASURE, "report already has a report");
}

/// Natural pictures of golf ball against PyTorch and scipy, layer by layer.
#[test]
fn imagenet_as_pytorch_and_scipy_have_it() {
    let (Some(weights), Some(images)) =
        (shared("weights/resnet18_imagenet.safetensors"), shared("images/imagenette_val"))
    else {
        return;
    };
    let (weights, images) = (weights.canonicalize().unwrap(), images.canonicalize().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let [weights, images] = [&weights, &images].map(|path| path.to_str().unwrap());
    let run = ["run", "--weights", weights, "--class", "574", "--steps", "1", "--quiet"];
    succeeds(folder.path(), &run);
    let args = ["similarity", "--prototype", "out", "--weights", weights, "--images", images, "--out", "report"];
    let report = json(folder.path(), &args);
    let golden = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/similarity.json")).unwrap();
    let golden: Value = serde_json::from_slice(&golden).unwrap();
    let layers = report["classes"][0]["layers"].as_array().unwrap();
    assert_eq!(layers.len(), golden["layers"].as_object().unwrap().len());
    let mut worst = (0.0, String::new());
    for layer in layers {
        let module = layer["module"].as_str().unwrap();
        for key in ["same", "different"] {
            let off = (number(&layer[key]) - number(&golden["layers"][module][key])).abs();
            println!("{module} {key}: {off:.1e}");
            if off > worst.0 {
                worst = (off, format!("{module} {key}"));
            }
        }
    }
    println!("worst of {} layers: {:.1e} ({})", layers.len(), worst.0, worst.1);
    // Ranks of near ties feel how activations are rounded.
    assert!(worst.0 < 5e-3, "{worst:?}");
}
