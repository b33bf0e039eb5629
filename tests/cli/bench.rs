//! `protogpu bench`: what it prints, not how long it takes.

use serde_json::Value;

use crate::binary::{json, refuses, succeeds};

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().unwrap_or_else(|| panic!("{value} is no object")).keys().map(String::as_str).collect()
}

#[track_caller]
fn positive(value: &Value) -> f64 {
    let number = value.as_f64().unwrap_or_else(|| panic!("{value} is no number"));
    assert!(number > 0.0 && number.is_finite(), "{number}");
    number
}

/// Times that are finite, and shares that are of the whole.
fn kernels_add_up(table: &Value, dispatches: u64) {
    assert_eq!(keys(table), ["steps", "time_ms", "kernels", "dispatches"]);
    let all_ms = positive(&table["time_ms"]);
    for (part, more) in [("kernels", &[][..]), ("dispatches", &["label"])] {
        let rows = table[part].as_array().unwrap();
        let rest = ["dispatches", "time_ms", "share", "gflop_per_s", "gb_per_s", "of_peak", "of_copy"];
        let names: Vec<&str> = ["kernel"].into_iter().chain(more.iter().copied()).chain(rest).collect();
        assert!(rows.iter().all(|row| keys(row) == names), "{part}: {rows:?}");
        let sum = |key: &str| rows.iter().map(|row| row[key].as_f64().unwrap()).sum::<f64>();
        assert_eq!(sum("dispatches") as u64, dispatches, "{part}");
        assert!((sum("share") - 1.0).abs() < 1e-9 && (sum("time_ms") / all_ms - 1.0).abs() < 1e-9, "{part}");
    }
    let times: Vec<f64> =
        table["kernels"].as_array().unwrap().iter().map(|row| row["time_ms"].as_f64().unwrap()).collect();
    assert!(times.is_sorted_by(|a, b| a >= b), "{times:?}");
}

#[test]
fn every_batch_is_measured() {
    let folder = tempfile::tempdir().unwrap();
    let args = ["bench", "--width", "8", "--batch", "1,2", "--steps", "2"];
    let report = json(folder.path(), &args);
    assert_eq!(keys(&report), ["version", "adapter", "timestamps", "yardstick", "networks"]);
    assert_eq!(report["version"], env!("CARGO_PKG_VERSION"));
    assert!(["name", "backend", "driver"].iter().all(|key| report["adapter"][key].is_string()), "{report}");
    positive(&report["yardstick"]["copy_gb_per_s"]);
    positive(&report["yardstick"]["peak_gflop_per_s"]);
    let networks = report["networks"].as_array().unwrap();
    let names: Vec<&Value> = networks.iter().map(|network| &network["architecture"]).collect();
    let benched = protogpu::networks::Architecture::BENCHED.map(|architecture| Value::from(architecture.to_string()));
    assert_eq!(names, benched.each_ref());
    for network in networks {
        assert_eq!(
            (&network["width"], &network["classes"], &network["weights"]),
            (&8.into(), &1000.into(), &Value::Null)
        );
        for (batch, size) in network["batches"].as_array().unwrap().iter().zip([1, 2]) {
            assert_eq!(keys(batch), ["batch", "convolutions", "plan", "step", "kernels"]);
            assert_eq!(batch["batch"], size);
            assert!(batch["convolutions"].as_object().unwrap().values().all(Value::is_string));
            let step = &batch["step"];
            assert_eq!(
                (&step["steps"], &step["samples"], &step["steps_per_sample"]),
                (&2.into(), &2.into(), &1.into())
            );
            let median = positive(&step["median_ms"]);
            assert!((positive(&step["image_steps_per_s"]) * median / 1e3 - f64::from(size)).abs() < 1e-6, "{step}");
            let section = &batch["plan"]["sections"][0];
            assert_eq!(section["name"], "step");
            match report["timestamps"].as_bool().unwrap() {
                true => kernels_add_up(&batch["kernels"], section["dispatches"].as_u64().unwrap()),
                false => assert_eq!(batch["kernels"], Value::Null),
            }
        }
    }
}

#[test]
fn a_file_is_measured_for_people() {
    let folder = tempfile::tempdir().unwrap();
    let weights = protogpu::networks::Architecture::ResNet18.manifest(8, 5);
    let weights = protogpu::weights::Weights::generated(&weights, 1).unwrap();
    weights.write(folder.path().join("w.safetensors")).unwrap();
    let args = ["bench", "--weights", "w.safetensors", "--batch", "1", "--steps", "1", "--kernels"];
    let text = succeeds(folder.path(), &args);
    for expected in
        ["\nprotogpu ", "resnet18 of width 8, 5 classes, w.safetensors\n", "\nbatch of 1\n", "median of 1 step"]
    {
        assert!(text.contains(expected), "no `{expected}` in {text}");
    }
    let tables = text.contains("(layer1.0.conv1 forward") && text.contains("\nkernels, median of ");
    assert!(tables || text.contains("no timestamps"), "{text}");
}

#[test]
fn what_cannot_be_measured_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    for (options, expected) in [
        ("--batch 0", "invalid value '0' for '--batch <N>'"),
        ("--batch 1,x", "invalid value 'x' for '--batch <N>'"),
        ("--batch=", "invalid value '' for '--batch <N>'"),
        ("--steps 0", "invalid value '0' for '--steps <N>'"),
        ("--width 0", "invalid value '0' for '--width <N>'"),
        ("--seconds 0", "invalid value '0' for '--seconds <S>': must be above 0"),
        ("--seconds=-1", "invalid value '-1' for '--seconds <S>'"),
        ("--seconds nan", "invalid value 'nan' for '--seconds <S>'"),
        ("--model vgg", "invalid value 'vgg' for '--model <NAME>'\n  [possible values: resnet18, resnet34, resnet50, "),
        ("--tune always", "invalid value 'always' for '--tune <FOR>'"),
        ("--weights w --width 8", "cannot be used with"),
        ("--weights none.safetensors", "cannot read none.safetensors"),
        ("--adapter acme", "no adapter `acme`"),
    ] {
        let args: Vec<&str> = ["bench"].into_iter().chain(options.split(' ')).collect();
        refuses(folder.path(), &args, expected);
    }
}
