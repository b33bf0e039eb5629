//! `protogpu run --objective`: what it writes, that it is the same again, and what it refuses.

use std::path::Path;

use serde_json::Value;

use crate::binary::{assert_same_files, json, refuses, results, succeeds};

#[test]
fn objectives_are_made_recorded_resumed_and_made_again() {
    let folder = tempfile::tempdir().unwrap();
    let texts = ["0.5*channel:layer2.1:3 - neuron:conv1:2@5,6", "0.25*channel:layer2.1:4 - neuron:conv1:1@0,6"];
    // A run that its number of steps does not change.
    let run = ["run", "--lr-decay-fraction", "0", "--tv-start", "1", "--steps"];
    let args = ["6", "--objective", texts[0], "--objective", texts[1], "--batch", "2"];
    let out = json(folder.path(), &[&run[..], &args].concat());
    let made = out["prototypes"].as_array().unwrap();
    assert_eq!(made.len(), 2);
    for (prototype, text) in made.iter().zip(texts) {
        assert_eq!((&prototype["class"], prototype["objective"].as_str()), (&Value::Null, Some(text)));
        assert_eq!(prototype["top"].as_array().unwrap().len(), 5);
    }
    let name = "0.5_channel_layer2.1_3_minus_neuron_conv1_2_5_6_seed0";
    let written = results(&folder.path().join("out").join(name));
    let record = std::fs::read(folder.path().join("out").join(name).join("run.json")).unwrap();
    let record: Value = serde_json::from_slice(&record).unwrap();
    assert_eq!((&record["class"], record["settings"]["objective"].as_str()), (&Value::Null, Some(texts[0])));
    assert_eq!(record["objective"].as_array().unwrap().len(), 6);
    assert!(record.get("logit").is_none() && record.get("probability").is_none());

    // Alone, and by its record.
    succeeds(folder.path(), &["run", "--config", &format!("out/{name}/run.json"), "--out", "again"]);
    assert_same_files(&results(&folder.path().join("again").join(name)), &written);

    // In two parts, the second of which must be of the same objective.
    let first = |steps: &'static str, text: &'static str| {
        [&run[..], &[steps, "--objective", text, "--out", "parts", "--resume"]].concat()
    };
    succeeds(folder.path(), &first("2", texts[0]));
    succeeds(folder.path(), &first("6", texts[0]));
    assert_same_files(&results(&folder.path().join("parts").join(name)), &written);
    std::fs::rename(folder.path().join("parts").join(name), folder.path().join("parts/layer_layer1_seed0")).unwrap();
    let expected =
        "objective is \"layer:layer1\" now but \"0.5*channel:layer2.1:3 - neuron:conv1:2@5,6\" in the checkpoint";
    refuses(folder.path(), &first("6", "layer:layer1"), expected);
    refuses(
        folder.path(),
        &["similarity", "--prototype", &format!("out/{name}"), "--images", ".", "--out", "report"],
        "its objective is not a class",
    );
}

#[test]
fn the_logit_of_one_class_is_that_class() {
    let folder = tempfile::tempdir().unwrap();
    succeeds(
        folder.path(),
        &["run", "--steps", "2", "--logsumexp-weight", "0", "--objective", "logit:moth", "--out", "a"],
    );
    succeeds(folder.path(), &["run", "--steps", "2", "--logsumexp-weight", "0", "--class", "moth", "--out", "b"]);
    let [a, b] = ["a", "b"].map(|out| results(&folder.path().join(out)));
    assert!(a.contains_key(Path::new("8_moth_seed0/run.json")));
    assert_same_files(&a, &b);
}

#[test]
fn objectives_that_cannot_be_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    for (objective, expected) in [
        (
            "channel:layer3.1:64",
            "layer3.1 has 64 channels, counted from 0 to 63\n  channel:layer3.1:64\n                   ^",
        ),
        ("channel:layer3.2:1", "resnet18 has no module `layer3.2`; did you mean layer3.0, layer3.1"),
        ("chanel:layer3.1:1", "did you mean channel?\n  chanel:layer3.1:1\n  ^"),
        ("logit:moth + ", "expected one of logit, prob"),
        ("logit:mothh", "no class is called `mothh`; did you mean 8 (moth)"),
        (
            "layer:layer1 + diversity:layer2",
            "one image of `layer:layer1 + diversity:layer2` would be alone in its batch (1 to make, at most 1 per batch)",
        ),
        ("direction:layer1:/dev/zero", "cannot read /dev/zero: it is not a regular file"),
    ] {
        refuses(folder.path(), &["run", "--steps", "1", "--objective", objective], expected);
    }
    let three = ["run", "--objective", "diversity:layer2", "--per-class", "3", "--batch", "2"];
    refuses(
        folder.path(),
        &three,
        "one image of `diversity:layer2` would be alone in its batch (3 to make, at most 2 per batch)",
    );
    refuses(folder.path(), &["run", "--class", "1", "--objective", "logit:1"], "cannot be used with");
    let weighted = ["run", "--objective", "layer:layer1", "--logsumexp-weight", "0.5"];
    refuses(folder.path(), &weighted, "--logsumexp-weight is 0.5, but it applies to --class only");
    std::fs::write(folder.path().join("c.json"), r#"{"objective": "layer:"}"#).unwrap();
    refuses(folder.path(), &["run", "--config", "c.json"], "expected a module");
}
