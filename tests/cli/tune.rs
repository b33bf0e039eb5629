//! `protogpu tune`, and runs that use what it found.

use std::path::{Path, PathBuf};

use assert_cmd::Command;
use serde_json::Value;

use crate::binary::{assert_same_files, protogpu, refuses, results};

/// The binary with a cache of its own in the folder, and trials unless an option says otherwise.
fn tuned(folder: &Path, args: &[&str]) -> Command {
    let mut command = protogpu(folder);
    command.env_remove("PROTOGPU_TUNE").env("PROTOGPU_CACHE", folder.join("cache")).args(args);
    command
}

/// What it prints on stdout and stderr.
#[track_caller]
fn says(command: &mut Command) -> [String; 2] {
    let output = command.output().unwrap();
    let [out, err] = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
    assert!(output.status.success(), "{command:?}: {err}");
    [out, err]
}

fn kept(folder: &Path) -> PathBuf {
    let mut files = std::fs::read_dir(folder.join("cache")).unwrap();
    let file = files.next().unwrap().unwrap().path();
    assert!(files.next().is_none());
    file
}

#[test]
fn trials_are_kept_and_shown() {
    let folder = tempfile::tempdir().unwrap();
    let [before, _] = says(&mut tuned(folder.path(), &["tune", "--show"]));
    assert!(before.contains("(fixed choice: not timed)") && before.contains("nothing is kept yet in"), "{before}");
    let [told, _] = says(&mut tuned(folder.path(), &["tune", "--json"]));
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!(told["file"].as_str().map(PathBuf::from), Some(kept(folder.path())));
    // Two directions of each of ResNet-18's eleven kinds of convolutions.
    assert_eq!(told["kernels"].as_object().unwrap().len(), 24);
    for trial in told["trials"].as_array().unwrap() {
        assert_eq!(trial["chosen"], told["kernels"][trial["key"].as_str().unwrap()], "{trial}");
    }
    let [shown, _] = says(&mut tuned(folder.path(), &["tune", "--show"]));
    assert!(shown.contains("3x3 s1x1 p1,1,1,1 16>16 on 56x56 forward") && !shown.contains("not timed"), "{shown}");
    refuses(folder.path(), &["tune", "--batch", "0"], "invalid value '0' for '--batch <N>'");
    refuses(folder.path(), &["run", "--tune", "always"], "invalid value 'always' for '--tune <FOR>'");
}

#[test]
fn runs_try_once_and_replays_use_what_was_recorded() {
    let folder = tempfile::tempdir().unwrap();
    let run =
        |more: &[&str]| says(&mut tuned(folder.path(), &[&["run", "--steps", "3", "--class", "key"], more].concat()));
    let [_, first] = run(&["--out", "first"]);
    let tries = first.contains("kept the fastest");
    let [_, second] = run(&["--out", "second"]);
    assert!(!second.contains("kept the fastest"), "{second}");
    let [first, second] = ["first", "second"].map(|name| folder.path().join(name));
    assert_same_files(&results(&first), &results(&second));

    // A file that is not one costs a warning and new trials.
    std::fs::write(kept(folder.path()), "{").unwrap();
    let [_, third] = run(&["--out", "third"]);
    assert!(third.contains("warning: ") && third.contains("timing the kernels again"), "{third}");

    // Whatever the cache says now, or no cache at all.
    let record = std::fs::read_dir(&first).unwrap().next().unwrap().unwrap().path().join("run.json");
    let text = std::fs::read_to_string(&record).unwrap();
    let recorded: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(recorded["kernels"].as_object().unwrap().len(), 24);
    let replay = ["run", "--config", record.to_str().unwrap(), "--out", "replay", "--no-tune", "--quiet"];
    says(&mut tuned(folder.path(), &replay));
    assert_same_files(&results(&first), &results(&folder.path().join("replay")));

    // Kernels of other names are no record of ours.
    let name = recorded["kernels"].as_object().unwrap().values().next().unwrap().as_str().unwrap();
    std::fs::write(folder.path().join("odd.json"), text.replace(name, "fastest")).unwrap();
    refuses(
        folder.path(),
        &["run", "--config", "odd.json", "--out", "odd"],
        "`fastest` is not a convolution algorithm",
    );
    assert!(tries, "the first run made no trials");
}

#[test]
fn what_was_begun_goes_on_with_its_kernels() {
    let folder = tempfile::tempdir().unwrap();
    let class = ["run", "--class", "key", "--quiet", "--lr-decay-fraction", "0", "--tv-start", "1"];
    let run = |more: &[&str]| says(&mut tuned(folder.path(), &[&class[..], more].concat()));
    run(&["--steps", "4", "--out", "whole"]);
    run(&["--steps", "2", "--out", "parts"]);
    run(&["--steps", "4", "--out", "parts", "--resume", "--no-tune"]);
    let pixels = |name: &str| {
        let files = results(&folder.path().join(name));
        files.into_iter().filter(|(path, _)| path.ends_with("prototype.safetensors")).collect()
    };
    assert_same_files(&pixels("whole"), &pixels("parts"));
}
