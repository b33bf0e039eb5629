//! What a run writes, and that the same run writes the same.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use protogpu::method::Checkpoint;
use safetensors::SafeTensors;
use serde_json::Value;

use crate::binary::{assert_same_files, json, listing, protogpu, refuses, results, succeeds};

/// Steps of every run here.
const STEPS: usize = 16;
/// The runs' options: something is written after every step, so that there are many moments to be interrupted at.
pub(crate) const OPTIONS: [&str; 8] =
    ["run", "--steps", "16", "--checkpoint-every", "2", "--snapshot-every", "1", "--animate"];

/// Where a run that nothing disturbed lies; made once.
static UNDISTURBED: LazyLock<PathBuf> = LazyLock::new(|| {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cli_undisturbed");
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    let out = succeeds(&folder, &OPTIONS);
    assert!(out.contains("image      out/0_butterfly_seed0/prototype.png"), "{out}");
    assert!(out.contains("record     out/0_butterfly_seed0/run.json"), "{out}");
    assert!(out.contains("seen as    "), "{out}");
    folder.join("out")
});

/// What the undisturbed run wrote.
pub(crate) fn undisturbed() -> BTreeMap<PathBuf, Vec<u8>> {
    results(&UNDISTURBED)
}

/// Without the pictures on the way.
fn without_snapshots(mut files: BTreeMap<PathBuf, Vec<u8>>) -> BTreeMap<PathBuf, Vec<u8>> {
    files.retain(|path, _| !path.iter().any(|part| part == "snapshots" || part == "prototype.apng"));
    files
}

#[test]
fn a_prototypes_folder_is_complete_and_readable() {
    let folder = UNDISTURBED.join("0_butterfly_seed0");
    let files = listing(&folder);
    let snapshots = (1..=STEPS).map(|step| format!("snapshots/step_{step:06}.png"));
    let others =
        ["checkpoint.safetensors", "prototype.apng", "prototype.png", "prototype.safetensors", "run.json", "snapshots"];
    let expected: Vec<PathBuf> = others.iter().map(PathBuf::from).chain(snapshots.map(PathBuf::from)).collect();
    assert_eq!(files.keys().cloned().collect::<Vec<_>>(), expected);

    let read = |name: &str| files[Path::new(name)].as_slice();
    let record: Value = serde_json::from_slice(read("run.json")).unwrap();
    assert_eq!(record["class"], serde_json::json!({"index": 0, "name": "butterfly"}));
    assert_eq!((&record["seed"], &record["steps"]), (&0.into(), &STEPS.into()));
    assert_eq!(record["settings"]["tv_form"], "l1-sum");
    assert_eq!(record["weights"]["sha256"].as_str().unwrap().len(), 64);
    for key in ["name", "driver", "description"] {
        assert!(record["adapter"][key].is_string(), "{record}");
    }
    for key in ["loss", "loss_hf", "logit", "probability"] {
        assert_eq!(record[key].as_array().unwrap().len(), STEPS, "{key}");
    }
    let top = record["top"].as_array().unwrap();
    assert_eq!(top.len(), 5);
    assert!(top.iter().all(|t| (0.0..=1.0).contains(&t["probability"].as_f64().unwrap())), "{top:?}");
    for key in ["startup_ms", "step_ms", "total_ms"] {
        assert!(record["timings"][key].as_f64().unwrap() > 0.0, "{key}");
    }

    // The picture is the numbers, clipped and rounded; and the last snapshot.
    let pixels = SafeTensors::deserialize(read("prototype.safetensors")).unwrap();
    let pixels = pixels.tensor("image").unwrap();
    assert_eq!(pixels.shape(), [1, 3, 224, 224]);
    let values: Vec<f32> = pixels.data().as_chunks().0.iter().map(|&b| f32::from_le_bytes(b)).collect();
    let picture = image::load_from_memory(read("prototype.png")).unwrap().into_rgb8();
    for (x, y) in [(0, 0), (100, 57), (223, 223)] {
        for channel in 0..3 {
            let value = values[(channel * 224 + y as usize) * 224 + x as usize];
            let level = (value.clamp(0.0, 1.0) * 255.0).round() as u8;
            assert_eq!(picture.get_pixel(x, y).0[channel], level, "{x} {y} {channel}");
        }
    }
    assert!(read("prototype.png") == read("snapshots/step_000016.png"));
    assert_animated(read("prototype.apng"), &files);
    let checkpoint = Checkpoint::from_bytes(read("checkpoint.safetensors")).unwrap();
    assert_eq!((checkpoint.step() as usize, checkpoint.class), (STEPS, 0));
    assert!(checkpoint.image == values);

    // `classify` sees the numbers' picture, which is rounded, nearly as the record says.
    let seen = json(&folder, &["classify", "prototype.png", "--top", "15"]);
    let seen = seen["images"][0]["top"].as_array().unwrap();
    let same = seen.iter().find(|t| t["index"] == top[0]["index"]).unwrap();
    let difference = same["logit"].as_f64().unwrap() - top[0]["logit"].as_f64().unwrap();
    assert!(difference.abs() < 0.5, "{difference}");
}

/// The way from the start to the last step, each picture as it was; and what shows no animation shows the last.
#[track_caller]
fn assert_animated(apng: &[u8], files: &BTreeMap<PathBuf, Vec<u8>>) {
    use image::AnimationDecoder;
    let still = image::load_from_memory(apng).unwrap().into_rgb8();
    let snapshot = |step: usize| {
        let file = &files[Path::new(&format!("snapshots/step_{step:06}.png"))];
        image::load_from_memory(file).unwrap().into_rgb8()
    };
    assert!(still == snapshot(STEPS));
    let decoder = image::codecs::png::PngDecoder::new(std::io::Cursor::new(apng)).unwrap();
    let frames = decoder.apng().unwrap().into_frames().collect_frames().unwrap();
    assert_eq!(frames.len(), STEPS + 1);
    for (step, frame) in frames.iter().enumerate().skip(1) {
        let shown = image::DynamicImage::ImageRgba8(frame.buffer().clone()).into_rgb8();
        assert!(shown == snapshot(step), "{step}");
    }
    let [first, last] = [&frames[0], &frames[STEPS]].map(|frame| frame.delay().numer_denom_ms().0);
    assert!(last > first, "{first} {last}");
}

#[test]
fn the_same_run_writes_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    succeeds(folder.path(), &OPTIONS);
    assert_same_files(&results(&folder.path().join("out")), &undisturbed());
    // Seen red: another seed is another run.
    succeeds(folder.path(), &[&OPTIONS[..], &["--seed", "1", "--out", "other"]].concat());
    let other = results(&folder.path().join("other/0_butterfly_seed1"));
    let same = results(&UNDISTURBED.join("0_butterfly_seed0"));
    let pixels = Path::new("prototype.safetensors");
    assert!(other[pixels] != same[pixels]);
}

/// Also in stretches of other lengths: nothing is written between two checkpoints here.
#[test]
fn an_image_is_the_same_alone_and_in_a_batch() {
    let folder = tempfile::tempdir().unwrap();
    let args = ["run", "--steps", "16", "--class", "moth,butterfly,8,umbrella", "--batch", "3"];
    let out = json(folder.path(), &args);
    let made = out["prototypes"].as_array().unwrap();
    let classes: Vec<u64> = made.iter().map(|p| p["class"]["index"].as_u64().unwrap()).collect();
    assert_eq!(classes, [8, 0, 14]);
    for prototype in made {
        for file in ["picture", "pixels", "record"] {
            assert!(folder.path().join(prototype[file].as_str().unwrap()).is_file(), "{prototype}");
        }
        assert_eq!(prototype["top"].as_array().unwrap().len(), 5);
    }
    let name = "0_butterfly_seed0";
    let batch = results(&folder.path().join("out").join(name));
    assert_same_files(&batch, &without_snapshots(results(&UNDISTURBED.join(name))));
}

#[test]
fn a_record_makes_the_same_run_again() {
    let record = UNDISTURBED.join("0_butterfly_seed0/run.json").display().to_string();
    let folder = tempfile::tempdir().unwrap();
    succeeds(folder.path(), &["run", "--config", &record]);
    assert_same_files(&results(&folder.path().join("out")), &without_snapshots(undisturbed()));

    // Not with other weights, which `--weights` may well name.
    let other = protogpu::weights::Weights::generated(&protogpu::networks::Architecture::ResNet18.manifest(8, 5), 1);
    other.unwrap().write(folder.path().join("w")).unwrap();
    let args = ["run", "--config", &record, "--weights", "w", "--out", "again"];
    refuses(folder.path(), &args, "run.json: it was made with weights of sha256 ");
}

#[test]
fn what_is_finished_is_left_alone_replaced_or_extended() {
    let folder = tempfile::tempdir().unwrap();
    let run = |more: &[&str]| {
        succeeds(
            folder.path(),
            &[&["run", "--steps", "3", "--lr-decay-fraction", "0", "--tv-start", "1"], more].concat(),
        )
    };
    run(&[]);
    let out = folder.path().join("out");
    let (before, same) = (listing(&out), results(&out));
    let text = run(&["--resume"]);
    assert!(text.contains("made before") && text.contains("seen as"), "{text}");
    assert!(listing(&out) == before);
    run(&["--force"]);
    assert_same_files(&results(&out), &same);
    refuses(
        folder.path(),
        &["run", "--steps", "3", "--lr-decay-fraction", "0", "--tv-start", "1", "--resume", "--lr", "0.1"],
        "lr is 0.1 now but 0.05 in the checkpoint",
    );
    let fewer = ["run", "--steps", "2", "--lr-decay-fraction", "0", "--tv-start", "1", "--resume"];
    refuses(folder.path(), &fewer, "--steps is 2 now but 3 are done");

    // More steps go on where fewer ended.
    succeeds(folder.path(), &["run", "--steps", "9", "--lr-decay-fraction", "0", "--tv-start", "1", "--resume"]);
    let whole = tempfile::tempdir().unwrap();
    succeeds(whole.path(), &["run", "--steps", "9", "--lr-decay-fraction", "0", "--tv-start", "1"]);
    assert_same_files(&results(&out), &results(&whole.path().join("out")));

    // But not where the steps that are done would have been others.
    succeeds(folder.path(), &["run", "--steps", "4", "--out", "decayed"]);
    let more = ["run", "--steps", "8", "--out", "decayed", "--resume"];
    refuses(folder.path(), &more, "--steps is 8 now but 4 in the checkpoint, and the learning rate");
}

#[test]
fn a_dry_run_writes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let text = succeeds(folder.path(), &["run", "--dry-run", "--class", "0,1,2", "--batch", "2"]);
    for expected in
        ["adapter ", "to make   3 prototypes of butterfly (0), cactus (1), cup (2), 2 at once", "GFLOP", "memory "]
    {
        assert!(text.contains(expected), "{text}");
    }
    let plan = json(folder.path(), &["run", "--dry-run"]);
    assert!(plan["plan"]["memory_bytes"].as_u64().unwrap() > 1 << 20, "{plan}");
    assert!(listing(folder.path()).is_empty());
}

#[test]
fn a_picture_can_be_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let grey = image::RgbImage::from_pixel(300, 260, image::Rgb([51, 102, 204]));
    grey.save(folder.path().join("start.png")).unwrap();
    // A step so small that the start shows.
    let args = ["run", "--steps", "1", "--lr", "1e-6", "--init", "start.png", "--quiet"];
    assert_eq!(succeeds(folder.path(), &args), "");
    let made = image::open(folder.path().join("out/0_butterfly_seed0/prototype.png")).unwrap().into_rgb8();
    assert_eq!(made.dimensions(), (224, 224));
    assert!(made.pixels().all(|pixel| pixel.0 == [51, 102, 204]));

    // Its record holds on to the picture's bytes, not to its name alone.
    std::fs::rename(folder.path().join("out"), folder.path().join("old")).unwrap();
    let config = ["run", "--config", "old/0_butterfly_seed0/run.json"];
    succeeds(folder.path(), &config);
    assert_same_files(&results(&folder.path().join("out")), &results(&folder.path().join("old")));
    image::RgbImage::new(224, 224).save(folder.path().join("start.png")).unwrap();
    refuses(folder.path(), &[&config[..], &["--force"]].concat(), "start.png has changed");
}

#[test]
fn a_run_that_leaves_the_numbers_says_where_and_keeps_its_state() {
    let folder = tempfile::tempdir().unwrap();
    let args = ["run", "--class", "moth", "--steps", "9", "--lr", "1e36", "--checkpoint-every", "1"];
    let output = protogpu(folder.path()).args(args).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    for expected in ["error: ", "class 8", "step ", "is kept in out/8_moth_seed0", "try a smaller --lr"] {
        assert!(stderr.contains(expected), "expected `{expected}` in {stderr}");
    }
    let kept = std::fs::read(folder.path().join("out/8_moth_seed0/checkpoint.safetensors")).unwrap();
    assert!(Checkpoint::from_bytes(&kept).unwrap().step() > 0);
    assert!(!folder.path().join("out/8_moth_seed0/run.json").exists());
}
