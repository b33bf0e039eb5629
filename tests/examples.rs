//! The examples, run as a reader would run them, with few steps. `cargo test` builds them beside this test.

use std::path::Path;

use assert_cmd::Command;

/// None takes more than seconds; one that waits for what never comes is ended.
const LIMIT: std::time::Duration = std::time::Duration::from_secs(180);

/// What an example prints, run in a folder of its own.
#[track_caller]
fn run(name: &str, folder: &Path, args: &[&str]) -> String {
    let this = std::env::current_exe().expect("this test's path");
    let build = this.ancestors().nth(2).expect("the build's folder");
    let example = build.join("examples").join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    assert!(example.exists(), "{} is missing: `cargo build --examples` makes it", example.display());
    let output = Command::new(example).args(args).current_dir(folder).timeout(LIMIT).output().expect("it starts");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name}: {}\n{stderr}", output.status);
    assert!(stderr.is_empty(), "{name}: {stderr}");
    String::from_utf8(output.stdout).expect("text")
}

#[test]
fn minimal() {
    let folder = tempfile::tempdir().expect("a folder");
    let told = run("minimal", folder.path(), &["4"]);
    assert!(told.starts_with("prototype.png after 4 steps: "), "{told}");
    let picture = image::open(folder.path().join("prototype.png")).expect("a picture");
    assert_eq!((picture.width(), picture.height()), (224, 224));
}

#[test]
fn embed() {
    let folder = tempfile::tempdir().expect("a folder");
    let told = run("embed", folder.path(), &["7"]);
    assert!(told.contains("\n7 steps in "), "{told}");
    let losses = told.lines().filter(|line| line.starts_with("frame ")).count();
    assert!(losses >= 1, "losses on the way: {told}");
    let screen = image::open(folder.path().join("screen.png")).expect("a picture").to_rgba8();
    // The host's blue around, the guest's noise in the middle.
    assert_eq!(screen.get_pixel(0, 0).0[..2], [0, 0]);
    assert_eq!(screen.get_pixel(319, 239).0[..2], [0, 0]);
    let middle: Vec<_> = (100..200).map(|x| screen.get_pixel(x, 120).0).collect();
    assert!(middle.windows(2).any(|two| two[0] != two[1]), "{middle:?}");
}

#[test]
fn custom_op() {
    let folder = tempfile::tempdir().expect("a folder");
    let told = run("custom_op", folder.path(), &[]);
    assert!(told.contains("leak 0.1: logits differ by 0.0e0"), "{told}");
    assert!(told.contains("gate: slope "), "{told}");
}

#[test]
fn custom_loss() {
    let folder = tempfile::tempdir().expect("a folder");
    let told = run("custom_loss", folder.path(), &[]);
    assert!(told.contains("mean |layer1| after 8 steps: "), "{told}");
}
