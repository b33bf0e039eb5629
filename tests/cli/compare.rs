//! `protogpu compare`: the prototypes of several checkpoints side by side.

use std::path::Path;

use protogpu::analysis::Activations;
use protogpu::gpu::{AdapterChoice, Context};
use protogpu::networks::{Semantics, embedded};
use protogpu::picture::preprocess;
use serde_json::{Value, json};

use crate::binary::{json, refuses, succeeds};
use crate::judge::{MADE, copied, made_by, number, reclassified};

#[test]
fn runs_are_judged_by_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    for model in ["resnet18", "googlenet"] {
        copied(model, at);
    }
    let args = ["compare", "resnet18", "googlenet", "--out", "compared", "--batch", "3"];
    let found = json(at, &args);
    let judged = json(
        at,
        &["judge", "--prototype", "resnet18", "googlenet", "--with", "resnet18", "googlenet", "--out", "judged"],
    );
    for run in [0, 1] {
        let row = &found["runs"][run];
        assert_eq!([&row["prototypes"], &row["missing"], &row["without_class"]], [2, 0, 0]);
        assert_eq!(row["network"], run);
        for network in [0, 1] {
            let group = &judged["judges"][network]["groups"][run];
            let gap =
                number(&found["recognised"][run][network]["probability"]) - number(&group["prototypes"]["probability"]);
            assert!(gap.abs() < 1e-4, "{gap}");
            for row in found["rows"].as_array().unwrap() {
                let cell = &row["cells"][run];
                let each =
                    group["each"].as_array().unwrap().iter().find(|one| one["folder"] == cell["folder"]).unwrap();
                let seen = &cell["seen"][network];
                assert!((number(&seen["probability"]) - number(&each["probability"])).abs() < 1e-4, "{seen} {each}");
                assert_eq!(seen["top"], each["top"][0]["name"]);
            }
        }
    }
    // The first run has none before it. The features are those of the last run's network.
    let context = Context::new(&AdapterChoice::Best).unwrap();
    let network = embedded::open("googlenet").unwrap();
    let mut activations = Activations::new(&context, &network, 1).unwrap();
    let module = network.module("avgpool").unwrap().clone();
    let mut sums = [0.0; 2];
    for row in found["rows"].as_array().unwrap() {
        assert_eq!(row["cells"][0]["distance"], Value::Null);
        let both = [0, 1].map(|run| {
            let path = at.join(row["cells"][run]["folder"].as_str().unwrap()).join("prototype.png");
            let pixels = preprocess(&path, network.image()).unwrap();
            activations.run(&pixels).unwrap();
            (pixels, activations.read(&module, Semantics::Snapshot).unwrap().1)
        });
        let [(a, f), (b, g)] = &both;
        let squares = a.iter().zip(b).map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>();
        let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum::<f64>();
        let expected = [(squares / a.len() as f64).sqrt(), 1.0 - dot(f, g) / (dot(f, f) * dot(g, g)).sqrt()];
        let distance = &row["cells"][1]["distance"];
        for (at, field) in ["pixels", "features"].into_iter().enumerate() {
            assert!((number(&distance[field]) - expected[at]).abs() < 1e-5, "{field}: {distance} {expected:?}");
            sums[at] += number(&distance[field]) / 2.0;
        }
    }
    let change = &found["changes"][0];
    assert_eq!((&change["pairs"], &change["other_seed"]["pixels"]), (&json!(2), &Value::Null));
    for (at, field) in ["pixels", "features"].into_iter().enumerate() {
        assert!((number(&change["distance"][field]) - sums[at]).abs() < 1e-9, "{change}");
        assert!(number(&change["other_class"][field]) > 0.0);
    }
    let differing: Vec<&Value> = found["differing"].as_array().unwrap().iter().map(|one| &one["setting"]).collect();
    assert_eq!(differing, ["architecture"]);
    let page = std::fs::read_to_string(at.join("compared/report.html")).unwrap();
    assert_eq!((page.matches("<img").count(), page.matches(">missing<").count()), (4, 0));
    let table = std::fs::read_to_string(at.join("compared/compare.csv")).unwrap();
    assert_eq!(table.lines().count(), 1 + 2 * 2 * 2, "{table}");
    refuses(at, &args, "compared already has a report");
    refuses(at, &["compare", "resnet18", "resnet18"], "resnet18 is given twice");
}

#[test]
fn what_runs_do_not_share_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let (at, from) = (folder.path(), MADE.path());
    let class = |index, name: &str| json!({"index": index, "name": name});
    for (run, model) in [("first", "resnet18"), ("second", "resnet18"), ("third", "googlenet")] {
        let umbrella = from.join(model).join("14_umbrella_seed0");
        reclassified(&umbrella, &at.join(run).join("umbrella"), &class(14, "umbrella"));
    }
    reclassified(&from.join("resnet18/7_lighthouse_seed0"), &at.join("first/lighthouse"), &class(7, "lighthouse"));
    reclassified(&at.join("first/umbrella"), &at.join("second/direction"), &Value::Null);
    // A checkpoint that was overwritten, whose settings differ, too.
    let googlenet = embedded::open("googlenet").unwrap();
    let sha256 = googlenet.weights().sha256().to_owned();
    made_by(&at.join("third/umbrella"), &sha256, Value::Null);
    let record = at.join("third/umbrella/run.json");
    let mut text: Value = serde_json::from_slice(&std::fs::read(&record).unwrap()).unwrap();
    text["settings"]["steps"] = json!(9);
    std::fs::write(&record, text.to_string()).unwrap();
    let args = ["compare", "first", "second", "third", "--force"];
    let found = json(at, &args);
    let counts =
        |run: usize| ["prototypes", "missing", "without_class"].map(|field| found["runs"][run][field].as_u64());
    assert_eq!([counts(0), counts(1), counts(2)].map(|run| run.map(Option::unwrap)), [[2, 0, 0], [1, 1, 1], [1, 1, 0]]);
    let networks = found["networks"].as_array().unwrap();
    assert_eq!((networks.len(), &networks[0]["missing"]), (2, &Value::Null));
    let missing = networks[1]["missing"].as_str().unwrap();
    assert!(
        missing.contains("gone.pth") && missing.ends_with("; give the run's weights with --with FILE"),
        "{missing}"
    );
    assert_eq!(found["recognised"][2][1], Value::Null);
    let steps = &found["differing"].as_array().unwrap().iter().find(|one| one["setting"] == "steps").unwrap()["values"];
    assert_eq!(*steps, json!(["8", "8", "9"]));
    // Both from the same weights and seed, so nothing moved; features are those of the last network that is there.
    assert_eq!(found["changes"][0]["distance"]["pixels"], 0.0);
    assert!(number(&found["changes"][1]["distance"]["features"]) > 0.0);
    assert_eq!(found["changes"][0]["pairs"], 1);
    let text = succeeds(at, &args);
    for expected in ["gone.pth judges nothing: ", "settings that differ", "steps"] {
        assert!(text.contains(expected), "{text}");
    }
    let page = std::fs::read_to_string(at.join("compare/report.html")).unwrap();
    assert_eq!((page.matches("<img").count(), page.matches("missing</td>").count()), (4, 2));

    // The message's cure.
    let weights = Path::new(env!("CARGO_MANIFEST_DIR")).join("weights");
    let of = |name: &str| weights.join(name).to_str().unwrap().to_owned();
    let cured = json(at, &[&args[..], &["--with", &of("world_googlenet_w16.safetensors")]].concat());
    assert_eq!(cured["networks"][1]["missing"], Value::Null);
    assert!(number(&cured["recognised"][2][1]["probability"]) >= 0.0);
    std::fs::copy(of("world_googlenet_w16.safetensors"), at.join("gone.pth")).unwrap();
    assert_eq!(json(at, &args)["networks"][1]["missing"], Value::Null);
    let resnet = std::fs::read_dir(&weights).unwrap().map(|entry| entry.unwrap().path());
    let resnet = resnet.into_iter().find(|path| path.to_str().unwrap().contains("world_resnet18")).unwrap();
    std::fs::copy(&resnet, at.join("gone.pth")).unwrap();
    let changed = json(at, &args)["networks"][1]["missing"].as_str().unwrap().to_owned();
    assert!(changed.contains("gone.pth"), "{changed}");

    let two = ["compare", "third", "first", "--with", "gone.pth", "--force"];
    succeeds(at, &two);
    refuses(at, &["compare", "third", "mixed", "--force"], "mixed");
    let both = at.join("mixed");
    reclassified(&at.join("first/umbrella"), &both.join("a"), &class(14, "umbrella"));
    reclassified(&at.join("third/umbrella"), &both.join("b"), &class(14, "umbrella"));
    refuses(at, &["compare", "first", "mixed", "--force"], "mixed has prototypes of more than one network");
    reclassified(&at.join("first/umbrella"), &both.join("b"), &class(14, "umbrella"));
    refuses(at, &["compare", "first", "mixed", "--force"], "are of the same class and seed");
    refuses(
        at,
        &["compare", "second", "second/direction"],
        "none of the 1 prototypes in second/direction is of a class",
    );
    let unrelated = ["compare", "first", "second", "--with", &of("world_googlenet_w16.safetensors"), "--force"];
    refuses(at, &unrelated, "none of the runs was made with these weights");
}
